# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# Pools that share a limit on connections, in one process and in several.
class BudgetTest < Minitest::Test
  include Support

  def setup
    @pools = []
    @open = 0
    @most = 0
    @lock = Mutex.new
  end

  def teardown
    @pools.each { |pool| pool.close(timeout: 20) }
  end

  # Of this test alone.
  def budget(limit, reach = 'process')
    "#{reach}:ruby-#{Process.pid}-#{object_id}?limit=#{limit}"
  end

  # A member, whose connections are counted together with those of the others.
  def member(budget, **settings)
    count = ->(by) { @lock.synchronize { @most = [@most, @open += by].max } }
    settings = { close: ->(_) { count.call(-1) } }.merge(settings)
    Libpool::Pool.new(budget:, **settings) { count.call(1) && Object.new }.tap { |pool| @pools << pool }
  end

  def test_no_more_than_the_limit_are_open
    pools = Array.new(2) { member(budget(2)) }
    threads = pools.flat_map do |pool|
      Array.new(10) { Thread.new { 40.times { pool.with(timeout: 60) { Thread.pass } } } }
    end
    threads.each(&:join)
    assert_includes 1..2, @most
  end

  def test_what_is_idle_in_one_is_closed_for_another
    one = member(budget(2))
    two = member(budget(2))
    Array.new(2) { one.checkout(timeout: 20) }.each(&:checkin)
    two.with(timeout: 20) { assert_operator one.size, :<=, 1 }
    assert_equal 2, @most
  end

  def test_who_waits_for_a_permit_of_another_pool_is_woken
    one = member(budget(2))
    two = member(budget(2))
    leases = Array.new(2) { one.checkout(timeout: 20) }
    waiter = Thread.new { two.with(timeout: nil) { @most } } # nothing but the bell wakes it
    waits two
    leases.shift.checkin
    assert waiter.join(60), 'it was not woken'
    leases.each(&:checkin)
    assert_equal 2, @most
  end

  # The process has no descriptor to spare meanwhile, by which a pool hears of permits.
  def without_descriptors
    soft, hard = Process.getrlimit(:NOFILE)
    Process.setrlimit(:NOFILE, 0, hard)
    yield
  ensure
    Process.setrlimit(:NOFILE, soft, hard)
  end

  def test_permits_are_heard_of_once_there_are_descriptors_again
    url = budget(2)
    others = member(url)
    leases = Array.new(2) { others.checkout(timeout: 20) }
    pool = group = nil
    without_descriptors do
      pool = member(url)
      group = Libpool::Group.new(budget: url) { Object.new }
    end
    waiters = [pool, group.pool('key')].map { |each| Thread.new { each.with(timeout: nil) { :served } }.tap { waits each } }
    leases.each(&:checkin)
    waiters.each { |waiter| assert waiter.join(60), 'it was not woken' }
  ensure
    group&.close(timeout: 20)
  end

  def abandoned(budget)
    Libpool::Pool.new(budget:) { Object.new }.with(timeout: 60) { nil }
    nil
  end

  # Where it is garbage that was not swept yet, nobody can ask it to close what is idle.
  def test_a_pool_that_nobody_has_any_more_holds_no_permit
    shared = budget(1)
    40.times do |i|
      abandoned(shared)
      GC.start(full_mark: i.odd?, immediate_sweep: false)
    end
  end

  def test_who_gives_up_wants_no_permit_any_more
    one = member(budget(2))
    two = member(budget(2))
    leases = Array.new(2) { one.checkout(timeout: 20) }
    assert_raises(Libpool::TimeoutError) { two.checkout(timeout: 0.02) }
    waiter = Thread.new { two.checkout(timeout: nil) }
    waits two
    waiter.kill.join
    waits two, 0
    leases.each(&:checkin)
    Array.new(2) { one.checkout(timeout: 20) }.each(&:checkin)
    assert_equal 0, two.stats.opened
  end

  def test_the_first_connections_wait_for_permits
    one = member(budget(1))
    lease = one.checkout(timeout: 20)
    error = assert_raises(Libpool::TimeoutError) { member(budget(1), initial: 1, timeout: 0.02) }
    assert_includes error.message, 'the budget has no permit for initial connection 1 of 1'
    made = Thread.new { member(budget(1), initial: 1, timeout: 30, budget_floor: 1) }
    eventually { one.stats.budget_share.zero? }
    lease.checkin
    assert_equal 1, made.value.idle
    assert_equal 1, @most
  end

  # A file that is no ledger is in the way.
  def test_the_first_connections_come_later_where_there_is_no_ledger
    url = budget(3, 'host')
    file = "/dev/shm/libpool-#{Process.euid}-#{url[/:(.*)\?/, 1]}"
    File.write(file, 'a letter', perm: 0o600)
    pool = member(url, initial: 2, budget_floor: 1)
    assert_equal 1, pool.stats.budget_cut_off
    pool.with(timeout: 20) { assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0) } }
  ensure
    File.delete(file)
  end

  def test_settings_that_are_wrong
    [{ budget: 'orders' }, { budget: 'process:orders' }, { budget: "process:a?limit=1\0" },
     { budget: 'process:orders?limit=1', budget_weight: 0 }].each do |wrong|
      assert_raises(ArgumentError, wrong.inspect) { Libpool::Pool.new(**wrong) { Object.new } }
    end
  end

  # The text of the URL may be gone, or another, once there is a pool.
  def test_the_url_is_kept
    compacting do
      url = +"#{budget(2)}"
      pool = member(url)
      url.replace('x' * url.size)
      GC.start
      pool.with(timeout: 20) { assert_equal 2, pool.stats.budget_limit }
    end
  end

  # A process that has had a connection, and holds it until it is told to end: "ready" is said then.
  Worker = Struct.new(:pid, :said, :input)

  def worker(pool)
    said, say = IO.pipe
    hear, input = IO.pipe
    pid = fork do
      input.close
      lease = pool.checkout(timeout: 60)
      say.puts 'ready'
      hear.gets
      lease.checkin
      exit!(0)
    end
    [say, hear].each(&:close)
    Worker.new(pid, said, input)
  end

  def ready?(worker, seconds = 0)
    worker.said.wait_readable(seconds) && worker.said.gets == "ready\n"
  end

  def finish(worker)
    worker.input.puts
    Process.wait(worker.pid)
    assert_equal 0, $?.exitstatus # rubocop:disable Style/SpecialVars
  end

  # As with a server that forks its workers once it has loaded the program.
  def test_children_of_fork_are_members_of_their_own
    pool = member(budget(2, 'host'))
    pool.with(timeout: 20) { nil }
    workers = Array.new(3) { worker(pool) }
    inputs = workers.map(&:input)
    first = nil
    eventually { (first = workers.find { |each| ready?(each) }) }
    second = nil
    eventually { (second = (workers - [first]).find { |each| ready?(each) }) }
    third = (workers - [first, second]).first
    refute ready?(third), 'three have a connection'
    Process.kill(:KILL, first.pid)
    Process.wait(first.pid)
    assert ready?(third, 30), 'the permit of the dead did not come back'
    [second, third].each { |each| finish(each) }
  ensure
    inputs&.each(&:close)
  end
end
