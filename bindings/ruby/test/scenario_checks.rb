# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What the list of cases names by `check`, written out for Ruby.
module ScenarioChecks
  # No error that a close might have raised itself, which would only be counted.
  class Interruption < Exception; end # rubocop:disable Lint/InheritException

  def check_no_factory(_test)
    error = assert_raises(ArgumentError) { Libpool::Pool.new(max_open: 1) }
    assert_equal 'a pool needs a block that opens a connection', error.message
  end

  def check_foreign_lease(_test)
    pool = pool_of(1)
    lease = pool_of(1).checkout
    [pool.method(:checkin), pool.method(:discard)].each do |method|
      assert_equal 'this lease is of another pool', assert_raises(ArgumentError) { method.call(lease) }.message
    end
    assert_equal 1, lease.connection.number
    lease.checkin
    assert_whole pool, 1
  end

  # ---- interrupts ----

  # How a thread is interrupted; what it is told to end with.
  WAYS = {
    raise: ->(thread) { thread.raise(Interruption) },
    kill: :kill.to_proc,
    timeout: ->(thread) { thread[:due] << true },
    signal: ->(_) { Process.kill('USR2', Process.pid) }
  }.freeze

  # Runs the block in a thread, interrupted as soon as it has come to the point: it calls what it is given there.
  def interrupted(way, &block)
    reached = Queue.new
    at_point = -> { reached << true }
    return by_signal(reached, at_point, &block) if way == :signal

    thread = Thread.new do
      Thread.current[:due] = Queue.new
      way == :timeout ? by_timeout(Thread.current[:due]) { block.call(at_point) } : block.call(at_point)
    rescue Interruption
      :interrupted
    end
    thread.report_on_exception = false
    yield_until(thread, reached)
    WAYS[way].call(thread)
    assert thread.join(60), "#{way}: it did not end"
  end

  def yield_until(thread, reached)
    reached.pop
    eventually { %w[sleep run].include?(thread.status) }
  end

  # As Timeout.timeout does it, but at a moment that is told to it.
  def by_timeout(due)
    target = Thread.current
    watch = Thread.new { due.pop.then { target.raise(Interruption) } }
    yield
  ensure
    watch.kill
  end

  # A handler that raises does so in the main thread.
  def by_signal(reached, at_point)
    old = trap('USR2') { raise Interruption }
    watch = Thread.new { reached.pop.then { WAYS[:signal].call(nil) } }
    assert_raises(Interruption) { yield at_point }
    watch.join
  ensure
    trap('USR2', old || 'DEFAULT')
  end

  def check_interrupt_at_every_point(_test)
    WAYS.each_key do |way|
      points = private_methods.grep(/\Ainterrupt_while_/)
      assert_equal 6, points.size
      points.each { |point| send(point, way) }
    end
  end

  private

  # With an end, for without one Ruby takes a signal that is still under way for a deadlock.
  def forever
    sleep 3600
  end

  def interrupt_while_not_yet_begun(way)
    pool = pool_of(1)
    interrupted(way) do |reached|
      reached.call
      forever
      pool.with { flunk }
    end
    assert_whole pool, 1
  end

  def interrupt_while_waiting(way)
    pool = pool_of(1)
    lease = pool.checkout
    interrupted(way) do |reached|
      Thread.new { eventually { pool.stats.waiting == 1 }.then { reached.call } }
      pool.with(timeout: 60) { flunk }
    end
    assert_equal 0, pool.stats.waiting
    lease.checkin
    assert_whole pool, 1
  end

  def interrupt_while_opening(way)
    reached = nil
    pool = Libpool::Pool.new(max_open: 1) do
      reached&.call&.then { forever }
      Connection.new
    end
    interrupted(way) do |at_point|
      reached = at_point
      pool.with { flunk }
    end
    reached = nil
    assert_equal 0, pool.size
    assert_whole pool, 1
  end

  def interrupt_while_using(way)
    pool = pool_of(1)
    interrupted(way) do |reached|
      pool.with do
        reached.call
        forever
      end
    end
    assert_whole pool, 1
  end

  def interrupt_while_closing(way)
    reached = nil
    pool = Libpool::Pool.new(max_open: 1, close: ->(_) { reached&.call&.then { forever } }) { Connection.new }
    interrupted(way) do |at_point|
      reached = at_point
      pool.with { |connection| pool.discard(connection) }
    end
    reached = nil
    assert_equal 0, pool.size
    assert_whole pool, 1
  end

  def interrupt_while_draining(way)
    pool = pool_of(1)
    lease = pool.checkout
    interrupted(way) do |reached|
      Thread.new { eventually { pool.closed? }.then { reached.call } }
      pool.close(timeout: 60)
    end
    lease.checkin
    assert_equal 0, pool.close(timeout: 60)
  end

  public

  # ---- at random ----

  # Workers that are interrupted at any moment, each in turn by Timeout, Thread#raise or, and a new one takes its place,
  # Thread#kill.
  def check_random_cancellations(test)
    max_open = test.fetch('pool').fetch('max_open')
    pool = pool_of(max_open)
    @wanted = test.fetch('cancellations')
    @cancelled = Hash.new(0)
    @finished = Queue.new
    @workers = []
    test.fetch('workers').times { |place| start_worker(pool, place) }
    test.fetch('workers').times { Timeout.timeout(100) { @finished.pop } }
    %i[raise kill timeout].each { |way| assert_operator @cancelled[way], :>, 100, way.to_s }
    assert_operator pool.stats.lent, :>, 1000
    assert_whole pool, max_open
  ensure
    @wanted = 0 # also where somebody waits in vain, or the dying would be replaced for ever
  end

  # Begins and ends where nothing interrupts it; who is killed leaves his place to another.
  def start_worker(pool, place)
    Thread.handle_interrupt(Object => :never) do
      @workers[place] = Thread.new do
        work_until_cancelled(pool) until over?
      ensure
        over? ? @finished << true : start_worker(pool, place)
      end
    end
  end

  def over?
    @cancelled.values.sum >= @wanted
  end

  def work_until_cancelled(pool)
    Thread.handle_interrupt(Object => :immediate) do
      loop { rand(10).zero? ? in_little_time { loop { work(pool) } } : work(pool) }
    end
  rescue Interruption, Timeout::Error # the second where both come at once
    @cancelled[:raise] += 1
  end

  # Everybody disturbs somebody each time, so that there are as many interrupts as there is work for them.
  def work(pool)
    disturb(@workers.sample)
    pool.with(timeout: 60) { |connection| connection.use { Thread.pass } }
  end

  def in_little_time(&block)
    Timeout.timeout(1e-6, &block)
  rescue Timeout::Error
    @cancelled[:timeout] += 1
  end

  def disturb(worker)
    return worker.raise(Interruption) if rand(50).positive?

    worker.kill
    @cancelled[:kill] += 1
  end

  # ---- fork ----

  def check_fork(_test)
    pool = Libpool::Pool.new(max_open: 3, timeout: 20) { Connection.new(Process.pid) }
    done = Queue.new
    holders = Array.new(2) { Thread.new { pool.with { done.pop } } }
    eventually { pool.stats.leased == 2 }
    pool.with(&:number) # and one is idle
    before = pool.stats.to_h.slice(:open, :idle, :leased, :waiting)
    %i[as_puma as_unicorn as_resque].each { |manner| send(manner, pool) }
    assert_equal before, pool.stats.to_h.slice(:open, :idle, :leased, :waiting)
    2.times { done << true }
    holders.each(&:join)
    assert_whole pool, 3
  end

  # What a child finds: nothing, and room for three connections of its own.
  def child_uses(pool)
    found = pool.size
    leases = Array.new(3) { pool.checkout(timeout: 60) }
    own = leases.map { |lease| lease.connection.number }.uniq == [Process.pid]
    leases.each(&:checkin)
    [found, own, pool.size]
  end

  FRESH = [0, true, 3].freeze

  # Puma: a master forks workers, which use the pool from threads at once; one more is forked by a worker.
  def as_puma(pool)
    answers = in_child do
      threads = Array.new(6) { Thread.new { pool.with(&:number) } }
      numbers = threads.map(&:value).uniq
      [pool.size <= 3, numbers == [Process.pid], in_child { child_uses(pool) }]
    end
    assert_equal [true, true, FRESH], answers
  end

  # Unicorn: the pool is closed before the workers are forked, or after, by who wants to be sure.
  def as_unicorn(pool)
    assert_equal [FRESH, 0, true], (in_child { [child_uses(pool), pool.close, pool.closed?] })
  end

  # Resque: a child for each job, forked in the middle of other work, with exit! at its end.
  def as_resque(pool)
    5.times { assert_equal FRESH, (in_child { child_uses(pool) }) }
    pool.with(timeout: 60) do |connection|
      assert_equal FRESH, (in_child { child_uses(pool) })
      assert_equal Process.pid, connection.number
    end
  end

  # ---- garbage ----

  # Lending, waiting, opening, closing, failing and interrupting, with as little as is worth it.
  def everything_once
    pool = pool_of(2, check_after_ms: 0, check: ->(connection) { !connection.closed })
    pool.with { |one| pool.with { |other| refute_same one, other } }
    lease = pool.checkout
    waiter = Thread.new { pool.with(timeout: 60) { pool.with(timeout: 60, &:number) } }
    waits pool
    lease.discard
    assert_equal 3, [waiter.value, 3].max
    assert_raises(IOError) { pool.with { raise IOError } }
    pool.flush
    interrupt_while_waiting(:raise)
    interrupt_while_using(:kill)
    assert_raises(Libpool::TimeoutError) { pool.with { pool.with { pool.with(timeout: 0.001) { flunk } } } }
    assert_whole pool, 2
    assert_match(/idle/, pool.inspect)
    pool.close(timeout: 1)
  end

  def check_collect_under_stress(_test)
    GC.stress = true
    everything_once
  ensure
    GC.stress = false
  end

  def check_compact(_test)
    assert_respond_to GC, :compact
    pool = pool_of(8)
    leases = Array.new(4) { pool.checkout }
    ids = leases.map { |lease| lease.connection.object_id }
    compacting do
      20.times do
        pool.with { |connection| GC.compact.then { connection.use { nil } } }
        GC.verify_compaction_references(toward: :empty, double_heap: false) if rand(10).zero?
        everything_once
      end
    end
    assert_equal ids, leases.map { |lease| lease.connection.object_id }
    leases.each(&:checkin)
    assert_whole pool, 8
  end
end
