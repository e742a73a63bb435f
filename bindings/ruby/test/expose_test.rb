# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'json'
require 'rbconfig'
require 'socket'
require 'tmpdir'

# What poolctl sees of a program in Ruby, asked for as poolctl does.  What is exposed remains so while a process runs, so
# each test has a child of its own for it.  POOL_ARITH_SERVER is the program of a real server.
class ExposeTest < Minitest::Test
  include Support

  PROGRAM = <<~RUBY
    require 'libpool'
    mine = Libpool::Pool.new(name: 'mine', max_open: 2) { Object.new }
    served = Libpool.open('jsonrpc', ARGV.first, name: 'served', max_open: 2)
    leases = [mine, served].flat_map { |pool| Array.new(2) { pool.checkout } }
    leases.values_at(0, 2).each(&:checkin)
    puts 'ready'
    $stdout.flush
    $stdin.read
  RUBY

  def setup
    @server = IO.popen(ENV.fetch('POOL_ARITH_SERVER'), 'r+')
    @address = @server.gets.chomp
    @runtime = Dir.mktmpdir('libpool-ruby')
    @before = ENV.fetch('XDG_RUNTIME_DIR', nil)
    ENV['XDG_RUNTIME_DIR'] = @runtime
  end

  def teardown
    ENV['XDG_RUNTIME_DIR'] = @before
    FileUtils.remove_entry(@runtime)
    @server.close
  end

  def path(pid = Process.pid)
    "#{@runtime}/libpool/#{pid}"
  end

  def ask(request, pid = Process.pid)
    UNIXSocket.open(path(pid)) do |socket|
      socket.puts(request)
      JSON.parse(socket.gets)
    end
  end

  # By their names; of each how many connections are lent and idle, and whether it can be steered.
  def seen(pid = Process.pid)
    ask('report', pid)['pools'].to_h { |pool| [pool['name'], pool.values_at('leased', 'idle', 'steerable')] }
  end

  def number_of(name)
    ask('report')['pools'].find { |pool| pool['name'] == name }.fetch('id')
  end

  # With one connection lent, and one idle.
  def mine(name)
    lend_one(pool_of(2, name:))
  end

  def served(name)
    lend_one(Libpool.open("jsonrpc://#{@address}?pool.name=#{name}&pool.max_open=2", timeout: 20))
  end

  def lend_one(pool)
    leases = Array.new(2) { pool.checkout }
    leases.pop.checkin
    (@kept ||= []).concat(leases)
    pool
  end

  def test_one_pool_is_seen_and_no_other
    pools = in_child do
      mine('hidden')
      pool = mine('mine')
      same = pool.expose.equal?(pool.expose)
      served('served').expose
      [same, seen]
    end
    assert_equal [true, { 'mine' => [1, 1, true], 'served' => [1, 1, true] }], pools
  end

  def test_all_pools_are_seen_those_that_are_made_later_too
    before, after = in_child do
      mine('first')
      served('second')
      Libpool.expose
      before = seen
      mine('third')
      [before, seen]
    end
    assert_equal({ 'first' => [1, 1, true], 'second' => [1, 1, true] }, before)
    assert_equal before.merge('third' => [1, 1, true]), after
  end

  # An order to the newest pool of a name; what it says of connections or waiters.
  def order(what, name, *arguments)
    ask([what, number_of(name), *arguments].join(' ')).then { |answer| answer.fetch('result') { flunk answer.to_s } }
  end

  # A thread that waits for a connection, for ever if nobody tells it to look.
  def waiter(pool)
    before = pool.stats.waiting
    thread = Thread.new do
      pool.with(timeout: nil, &:number)
    rescue Libpool::Error => e
      e.class.name
    end
    waits pool, before + 1
    thread
  end

  def test_a_pool_of_a_driver_is_steered
    pauses = in_child do
      pool = served('served').expose
      order('pause', 'served')
      [pool.pause, pool.resume, pool.resume]
    end
    assert_equal [1, 1, 0], pauses
  end

  def test_an_operator_wakes_those_who_wait_for_a_pool_of_blocks
    numbers = in_child do
      pool = pool_of(1, name: 'blocks').expose
      order('pause', 'blocks')
      waiters = Array.new(3) { waiter(pool) }
      order('resume', 'blocks')
      waiters.map(&:value)
    end
    assert_equal [1, 1, 1], numbers
  end

  def test_an_operator_ends_the_waits_for_a_pool_of_blocks_or_makes_it_larger
    evicted, larger = in_child do
      pool = pool_of(1, name: 'blocks').expose
      lease = pool.checkout
      waiters = Array.new(2) { waiter(pool) }
      assert_equal 2, order('evict', 'blocks')
      evicted = waiters.map(&:value)
      later = waiter(pool)
      order('resize', 'blocks', 2)
      [evicted, [later.value, lease.connection.number]]
    end
    assert_equal ['Libpool::EvictedError'] * 2, evicted
    assert_equal [2, 1], larger
  end

  # Where the pool has nothing to do with time it has no keeper until then.
  def test_the_keeper_closes_and_opens_for_an_operator
    by, sizes = in_child do
      closers = Queue.new
      pool = pool_of(3, name: 'blocks', close: ->(_) { closers << Thread.current.name }).expose
      Array.new(3) { pool.checkout }.each(&:checkin)
      order('flush', 'blocks')
      by = Array.new(3) { closers.pop }
      refilled = pool_of(3, name: 'refilled', min_idle: 1).expose
      eventually { refilled.idle == 1 }
      order('flush', 'refilled')
      eventually { refilled.stats.opened == 2 && refilled.idle == 1 }
      [by, [pool.size, refilled.size]]
    end
    assert_equal ['libpool keeper'] * 3, by
    assert_equal [0, 1], sizes
  end

  def test_a_close_that_hangs_keeps_nobody_from_hearing_of_an_operator
    number = in_child do
      hangs = Queue.new
      pool = pool_of(2, name: 'blocks', close: ->(_) { hangs.pop }).expose
      pool.with { |connection| connection }
      order('flush', 'blocks')
      eventually { hangs.num_waiting == 1 }
      order('pause', 'blocks')
      late = waiter(pool)
      order('resume', 'blocks')
      late.value.tap { hangs << true }
    end
    assert_equal 2, number
  end

  def test_a_program_that_keeps_the_time_itself_watches_a_descriptor
    hidden, refused, number = in_child do
      pool = pool_of(1, name: 'manual', keeper: :manual)
      hidden = assert_raises(Libpool::UnsupportedError) { pool.event_fd }.message
      refused = ask("pause #{pool.expose && number_of('manual')}")
      descriptor = IO.for_fd(pool.event_fd, autoclose: false)
      order('pause', 'manual')
      late = waiter(pool)
      pool.maintain
      assert_nil descriptor.wait_readable(0)
      order('resume', 'manual')
      assert descriptor.wait_readable(20)
      pool.maintain
      assert_nil descriptor.wait_readable(0)
      [hidden, refused, late.value]
    end
    assert_match(/pool_expose/, hidden)
    assert_equal [false, Libpool::Native::POOL_E_UNSUPPORTED], refused.values_at('ok', 'code')
    assert_equal 1, number
  end

  def test_a_child_of_fork_is_steered_by_itself
    numbers = in_child do
      pool = pool_of(1, name: 'forked').expose
      pool.with { |connection| connection }
      order('pause', 'forked')
      in_child do
        assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.01) { flunk } }
        Libpool.expose # nothing is opened, so nothing else would
        late = waiter(pool)
        order('resume', 'forked')
        [late.value, ask('report', Process.ppid)['pools'].map { |each| each['pauses'] }]
      end
    end
    assert_equal [2, [1]], numbers
  end

  def listeners
    Thread.list.count { |thread| thread.name == 'libpool listener' && thread.alive? }
  end

  def test_the_thread_that_listens_ends_with_its_pool
    before, after = in_child do
      Libpool.expose
      pool = pool_of(1)
      20.times { pool_of(1) }
      eventually { listeners == 21 }
      before = Dir['/proc/self/fd/*'].size
      eventually { GC.start.then { listeners <= 3 } } # an old pointer on the stack may hold some
      pool.close
      [before, Dir['/proc/self/fd/*'].size]
    end
    assert_operator after, :<=, before - 36 # each pool has one, and its thread
  end

  def test_a_child_of_fork_answers_for_itself
    silent, child, parent = in_child do
      pool = mine('mine').expose
      pid = Process.pid
      in_child do
        silent = !File.exist?(path)
        pool.with(timeout: 20) { [silent, seen, seen(pid)] }
      end
    end
    assert silent, 'the child has a socket before it has opened a connection'
    assert_equal({ 'mine' => [1, 0, true] }, child)
    assert_equal({ 'mine' => [1, 1, true] }, parent)
  end

  def test_a_failure_says_what_the_library_says
    { 'pool: ' => -> { pool_of(1).expose }, '' => -> { Libpool.expose } }.each do |named, expose|
      message = in_child do
        number = File.open(File::NULL, &:fileno)
        Process.setrlimit(:NOFILE, number + 1) # for the folder, and for no socket
        assert_raises(Libpool::Error, &expose).message
      end
      assert_equal "#{named}no socket for poolctl: Too many open files", message
    end
  end

  def test_what_is_no_pool_is_not_exposed
    assert_raises(ArgumentError) { Libpool::Pool.allocate.expose }
    assert_raises(TypeError) { Libpool::Native.pool_expose(nil) }
    refute_path_exists path
  end

  def run_program(**environment)
    variables = { 'RUBYLIB' => $LOAD_PATH.join(':') }.merge(environment.transform_keys(&:to_s))
    IO.popen([variables, RbConfig.ruby, '-e', PROGRAM, @address], 'r+') do |program|
      assert_equal "ready\n", program.gets
      yield program.pid
    end
  end

  def test_pool_expose_in_the_environment
    run_program(POOL_EXPOSE: '1') do |pid|
      assert_equal({ 'mine' => [1, 1, true], 'served' => [1, 1, true] }, seen(pid))
    end
    run_program(POOL_EXPOSE: nil) { |pid| refute_path_exists path(pid) }
  end
end
