# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# Lending and giving back, alone and among threads.
class PoolTest < Minitest::Test
  include Support

  def test_with_lends_and_returns
    pool = pool_of(2)
    assert_equal 0, pool.size
    first = pool.with { |connection| connection }
    assert_same first, @opened.first
    assert_same(first, pool.with { |connection| connection })
    assert_equal 42, pool.with { 42 }
    assert_equal [1, 1], [pool.size, pool.idle]
    pool.with do |one|
      pool.with { |other| refute_same one, other }
      assert_equal [2, 1], [pool.stats.open, pool.stats.leased]
    end
    assert_equal [2, 2], [pool.size, pool.idle]
  end

  def test_every_way_out_of_with_returns
    pool = pool_of(1)
    assert_equal 'no', assert_raises(RuntimeError) { pool.with { raise 'no' } }.message
    assert_equal 7, catch(:out) { pool.with { throw :out, 7 } }
    assert_equal(3, pool.with { next 3 })
    assert_equal(4, pool.with { break 4 })
    assert_equal 5, leave_by_return(pool)
    assert_raises(SystemExit) { pool.with { exit } }
    assert_whole pool, 1
    assert_equal 2, @opened.size # nobody knows in the middle of what the throw was
  end

  def leave_by_return(pool)
    pool.with { return 5 }
  end

  def test_a_lease_ends_once
    pool = pool_of(2)
    lease = pool.checkout
    connection = lease.connection
    refute lease.ended?
    assert_nil pool.checkin(lease)
    assert lease.ended?
    error = assert_raises(Libpool::StaleError) { pool.checkin(lease) }
    assert_equal 'pool: no such lease: it was put back already or never given', error.message
    assert_kind_of Libpool::Error, error
    other = pool.checkout
    assert_same connection, other.connection
    # The old lease does not reach it, though it is the same connection.
    assert_raises(Libpool::StaleError) { lease.checkin }
    assert_raises(Libpool::StaleError) { lease.discard }
    assert_raises(Libpool::StaleError) { lease.connection }
    assert_raises(Libpool::StaleError) { lease.tag = 'late' }
    assert_same connection, other.connection
    other.tag = 'a test'
    other.checkin
    assert_whole pool, 2
  end

  def test_two_threads_give_back_one_lease
    pool = pool_of(1)
    200.times do
      lease = pool.checkout
      ended = Array.new(4) do
        Thread.new do
          lease.checkin
          true
        rescue Libpool::StaleError
          false
        end
      end
      assert_equal 1, ended.map(&:value).count(true)
    end
    assert_whole pool, 1
  end

  def test_discard_closes
    pool = pool_of(1)
    lease = pool.checkout
    pool.discard(lease)
    assert @opened[0].closed
    assert_equal 0, pool.size
    pool.with { |connection| pool.discard(connection) && refute(connection.closed) }
    assert @opened[1].closed
    assert_raises(Libpool::StaleError) { pool.with { |c| c }.then { |c| pool.discard(c) } }
    assert_equal 3, @opened.size
    refute @opened[2].closed
    assert_equal 2, pool.stats.closed_unusable
    assert_raises(ArgumentError) { pool.discard(Object.new) }
    assert_whole pool, 1
  end

  def test_discard_lets_the_next_open
    pool = pool_of(1)
    lease = pool.checkout
    waiter = Thread.new { pool.with(timeout: 5) { |connection| [connection.number, now] } }
    waits pool
    discarded = now
    lease.discard
    number, served = waiter.value
    assert_equal 2, number
    assert_operator served - discarded, :<, 1
  end

  def test_a_block_that_raises_takes_no_place
    broken = true
    pool = Libpool::Pool.new(max_open: 1) { broken ? raise(IOError, 'refused') : Connection.new }
    20.times { assert_equal 'refused', assert_raises(IOError) { pool.with { flunk } }.message }
    assert_equal 9, catch(:out) { Libpool::Pool.new { throw :out, 9 }.with { flunk } }
    assert_equal 20, pool.stats.open_failures
    # Who waits for the place meanwhile gets it, as soon as the open has failed.
    gate = Queue.new
    pool = Libpool::Pool.new(max_open: 1) { broken ? gate.pop && raise(IOError, 'refused') : Connection.new }
    first = Thread.new { assert_raises(IOError) { pool.with { flunk } } }
    eventually { pool.stats.opening == 1 }
    second = Thread.new { pool.with(timeout: 5) { now } }
    waits pool
    broken = false
    failed = now
    gate << true
    first.join
    assert_operator second.value - failed, :<, 1
    assert_whole pool, 1
  end

  def test_a_close_that_raises_is_counted
    pool = Libpool::Pool.new(max_open: 1, close: ->(_) { raise IOError }) { Connection.new }
    3.times { pool.checkout.discard }
    assert_equal 3, pool.stats.close_failures
    assert_equal 0, pool.size
    closed = []
    pool = Libpool::Pool.new(max_open: 1, close: ->(connection) { closed << connection.number }) { Connection.new(8) }
    pool.checkout.discard
    assert_equal [8], closed
    pool = Libpool::Pool.new(max_open: 1, close: nil) { Connection.new }
    pool.with { |connection| @kept = connection }
    pool.close
    refute @kept.closed
  end

  def test_timeout
    pool = pool_of(1, timeout: 0.05)
    pool.with do
      begun = now
      error = assert_raises(Libpool::TimeoutError) { pool.with { flunk } }
      assert_operator now - begun, :>=, 0.05
      assert_kind_of Timeout::Error, error
      assert_match(/\Apool: no connection in time: \d+ ms went by in the queue, 0 ms in open or check; 1 of 1 are open, /,
                   error.message)
      assert_match(/1 leased, 0 idle, 0 wait; the oldest lease is out for \d+ ms; each was held by a thread that itself waited for this pool\z/, error.message)
      assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0) { flunk } }
      assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0.01) }
    end
    assert_equal 2, pool.stats.timed_out # without time to wait a get only looks
    assert_whole pool, 1
  end

  def test_a_block_may_open_for_longer_than_anybody_waits_elsewhere
    opening = Queue.new
    pool = Libpool::Pool.new(max_open: 2) { opening.pop }
    lease = nil
    slow = Thread.new { pool.with { |connection| connection } }
    eventually { pool.stats.opening == 1 }
    fast = Thread.new { lease = pool.checkout }
    eventually { pool.stats.opening == 2 }
    opening << :one
    eventually { lease || slow.join(0.001) }
    # A return is not held up by an open that is under way.
    if lease
      begun = now
      lease.checkin
      assert_operator now - begun, :<, 0.5
    end
    opening << :two
    [slow, fast].each(&:join)
    lease.checkin unless lease.ended?
    assert_equal 2, pool.idle
  end

  def test_those_who_wait_are_served_in_order
    pool = pool_of(1, fairness_us: 0)
    lease = pool.checkout
    order = Queue.new
    threads = Array.new(20) do |i|
      thread = Thread.new { pool.with(timeout: 60) { order << i } }
      waits pool, i + 1
      thread
    end
    lease.checkin
    threads.each(&:join)
    assert_equal (0...20).to_a, Array.new(20) { order.pop }
  end

  def test_many_threads
    pool = pool_of(3)
    threads = Array.new(16) do |i|
      Thread.new do
        random = Random.new(i)
        400.times do
          pool.with(timeout: 60) do |connection|
            connection.use do
              Thread.pass if random.rand(4).zero?
              pool.discard(connection) if random.rand(20).zero?
            end
          end
        end
      end
    end
    threads.each(&:join)
    assert_equal 6400, pool.stats.lent
    assert_equal pool.stats.closed, @opened.count(&:closed)
    assert_operator pool.stats.closed_unusable, :>, 100
    assert_whole pool, 3
  end

  def test_close_tells_everybody
    pool = pool_of(1)
    lease = pool.checkout
    waiters = Array.new(5) { Thread.new { assert_raises(Libpool::ClosedError) { pool.with(timeout: 30) { flunk } } } }
    waits pool, 5
    refute pool.closed?
    assert_equal 1, pool.close
    waiters.each { |waiter| assert_equal 'pool: pool is closed', waiter.value.message }
    assert pool.closed?
    assert_raises(Libpool::ClosedError) { pool.checkout }
    refute @opened[0].closed
    lease.checkin
    assert @opened[0].closed
    assert_equal [0, 0], [pool.close, pool.shutdown]
    assert_equal 0, pool.size
  end

  def test_close_waits_for_the_last
    pool = pool_of(3)
    leases = Array.new(3) { pool.checkout }
    assert_equal 3, pool.close(timeout: 0.02)
    closer = Thread.new { pool.close(timeout: nil) }
    eventually { closer.status == 'sleep' }
    leases.each(&:checkin)
    assert closer.join(60), 'nobody told it'
    assert_equal 0, closer.value
    assert(@opened.all?(&:closed))
  end

  def test_an_open_that_ends_after_close_is_closed
    gate = Queue.new
    made = Connection.new
    pool = Libpool::Pool.new(max_open: 1) { gate.pop && made }
    getter = Thread.new { assert_raises(Libpool::ClosedError) { pool.with { flunk } } }
    eventually { pool.stats.opening == 1 }
    pool.close
    gate << true
    getter.join
    assert made.closed
    assert_equal 0, pool.size
  end

  def test_initial
    pool = pool_of(3, initial: 2)
    assert_equal [2, 2], [pool.size, pool.idle]
    failing = 0
    made = []
    assert_raises(IOError) do
      Libpool::Pool.new(initial: 3) { (failing += 1) == 3 ? raise(IOError) : Connection.new.tap { |c| made << c } }
    end
    assert(made.all?(&:closed))
    assert_equal 2, made.size
    assert_raises(ArgumentError) { pool_of(2, initial: 3) }
    assert_raises(ArgumentError) { pool_of(2, initial: -1) }
  end

  def test_flush_replaces_all
    pool = pool_of(4)
    leases = Array.new(4) { pool.checkout }
    leases.drop(1).each(&:checkin)
    assert_equal 4, pool.flush
    assert_equal [false, true, true, true], @opened.map(&:closed)
    leases[0].checkin
    assert @opened[0].closed
    assert_equal 5, pool.with(&:number)
  end

  def test_pause_resume_and_resize
    pool = pool_of(1)
    pool.pause
    waiter = Thread.new { pool.with(timeout: 60, &:number) }
    waits pool
    assert_nil waiter.join(0.02)
    pool.resume
    assert_equal 1, waiter.value
    lease = pool.checkout
    waiter = Thread.new { pool.with(timeout: 60, &:number) }
    waits pool
    pool.resize(2)
    assert_equal 2, waiter.value
    assert_equal 0, pool.resize(1)
    assert @opened[1].closed
    lease.checkin
    assert_whole pool, 1
  end

  def test_time_closes_and_refills
    pool = pool_of(4, idle_timeout_ms: 60, min_idle: 2)
    eventually { pool.idle == 2 }
    leases = Array.new(4) { pool.checkout }
    leases.each(&:checkin)
    assert_equal 4, pool.idle
    eventually { pool.idle == 2 }
    eventually { pool.stats.closed_idle >= 2 }
    pool.close
    manual = pool_of(2, keeper: :manual, max_lifetime_ms: 20)
    manual.with { |connection| connection }
    assert_equal 1, manual.size
    eventually { manual.maintain.then { manual.size.zero? } }
    assert @opened.last.closed
  end

  def test_some_are_kept_open_and_lent_ones_count
    pool = pool_of(4, min_open: 3)
    eventually { pool.size == 3 }
    leases = Array.new(3) { pool.checkout }
    leases.pop.discard
    eventually { pool.size == 3 && pool.idle == 1 }
    leases.each(&:checkin)
    assert_equal 3, pool.idle
    assert_raises(ArgumentError) { pool_of(1, min_open: 2) }
  end

  def test_a_pool_may_begin_paused
    pool = pool_of(2, initial: 1, paused: true)
    assert_equal 1, pool.idle
    assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0) }
    assert_equal 0, pool.resume
    pool.with { |connection| assert_same @opened[0], connection }
  end

  def test_what_is_opened_for_nobody_raises_to_nobody
    up = true
    pool = Libpool::Pool.new(max_open: 3, min_idle: 2, retry_min_ms: 1, keeper: :manual) do
      up ? Connection.new : raise(IOError)
    end
    pool.maintain
    assert_equal 2, pool.idle
    up = false
    assert_equal 2, pool.flush
    pool.maintain
    assert_equal 0, pool.size
    assert_operator pool.stats.open_failures, :>=, 1
    up = true
    pool.maintain until pool.idle == 2
  end

  def test_checks
    good = true
    pool = pool_of(1, check_after_ms: 0, check: ->(_) { good })
    assert_equal 1, pool.with(&:number)
    assert_equal 1, pool.with(&:number)
    good = false
    assert_equal 2, pool.with(&:number)
    assert @opened[0].closed
    assert_equal 1, pool.stats.check_failures
    pool = pool_of(1, check_after_ms: 0, check: ->(_) { raise IOError })
    2.times { |i| assert_equal i + 1, pool.with(&:number) }
    assert_raises(ArgumentError) { pool_of(1, check_after_ms: 0) }
  end

  def test_a_check_without_a_moment_is_warned_of
    check = ->(_) { true }
    _, said = capture_io { Libpool::Pool.new(check:) { 1 } }
    assert_match(/\A#{__FILE__}:#{__LINE__ - 1}: warning: libpool: check: is called after discard_broken alone/, said)
    assert_silent do
      [{ check_after_ms: 0 }, { check_after_ms: -1 }, { keepalive_ms: 1000 }].each do |moment|
        Libpool::Pool.new(check:, keeper: :manual, **moment) { 1 }
      end
      Libpool::Pool.new(check: nil) { 1 }
    end
  end

  # What the drop-in and the library's threads need is nobody else's to call.
  def test_nothing_is_public_by_accident
    assert_equal %i[checkin checkout close closed? discard discard_broken event_fd expose maintain shutdown tag with],
                 Libpool::Pool.public_instance_methods(false).sort
    assert_equal %i[checkin checkout close closed? discard discard_broken shutdown with],
                 Libpool::DriverPool.public_instance_methods(false).sort
    assert_equal %i[done? value], (Libpool::Call.public_instance_methods - Object.public_instance_methods).sort
    assert_empty %i[Keeper Listener Letters Guard] & Libpool.constants
    [Libpool::Call, Libpool::DriverLease, Libpool::Lease].each { |made| refute_respond_to made, :new }
  end

  # As Timeout::ExitException, by which newer versions of Timeout end what takes too long.
  class TimeIsOver < Exception; end # rubocop:disable Lint/InheritException

  def test_what_interrupts_an_open_says_nothing_about_the_server
    [TimeIsOver, Interrupt, NoMemoryError].each do |interrupt|
      pool = Libpool::Pool.new(max_open: 1, retry_min_ms: 1, breaker_after: 1) { @good ? sleep : raise(interrupt) }
      @good = false
      assert_raises(interrupt) { pool.with { flunk } }
      assert_equal [1, 0], pool.stats.then { |stats| [stats.open_failures, stats.breaker_open] }
      @good = true
      opener = Thread.new { pool.with { flunk } }
      eventually { pool.stats.opening == 1 }
      assert_nil assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.01) { flunk } }.cause
      opener.kill.join
    end
  end

  def test_a_failing_server_meets_a_breaker
    up = false
    pool = Libpool::Pool.new(max_open: 1, retry_min_ms: 20, retry_max_ms: 40, breaker_after: 2, timeout: 5) do
      up ? Connection.new : raise(IOError, 'refused')
    end
    2.times { assert_raises(IOError) { pool.with { flunk } } }
    error = nil
    eventually { error = refusal(pool) }
    assert_kind_of Libpool::Error, error
    assert_includes error.message, 'IOError: refused'
    assert_operator pool.stats.failed_fast, :>=, 1
    up = true
    eventually { attempt(pool) }
    assert_whole pool, 1
  end

  # Of the breaker; nil: the server was asked once more, for it was time.
  def refusal(pool)
    pool.with { flunk }
  rescue IOError
    nil
  rescue Libpool::OpenError => e
    e
  end

  def attempt(pool)
    pool.with { true }
  rescue Libpool::OpenError
    false
  end

  def test_how_a_pool_is
    pool = pool_of(1, name: 'orders')
    assert_equal :healthy, pool.health
    assert_equal 'orders: healthy; 0 of 1 are open, 0 leased, 0 idle, 0 wait', pool.health_reason
    pool.with do
      Thread.new { assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0.01) } }.join
      assert_equal :busy, pool.health(stuck_after: 3600)
      Thread.pass until pool.health(stuck_after: 0.001) == :stuck
      assert_includes pool.health_reason(stuck_after: 0.001), 'orders: stuck: nothing came back for '
    end
    assert_equal :healthy, pool.health
    pool.close
    assert_equal :down, pool.health
  end

  def test_overload
    pool = pool_of(1, max_waiters: 1)
    pool.with do
      waiter = Thread.new { pool.with(timeout: 60) { :served } }
      waits pool
      error = assert_raises(Libpool::OverloadError) { pool.with { flunk } }
      assert_equal 'pool: too many are waiting or under way already', error.message
      waiter.kill.join
    end
    assert_whole pool, 1
  end

  def test_stats_and_report
    pool = pool_of(2, name: 'prices')
    3.times { pool.with { |connection| connection } }
    counts = pool.stats.to_h
    assert_equal [1, 1, 3, 1], counts.values_at(:open, :idle, :lent, :opened)
    assert_equal 0, counts[:wait][:count]
    refute_includes counts, :size
    assert_includes pool.report, 'prices'
    assert_match(/\A\{.*"lent"/m, pool.report(:json))
    assert_includes pool.report(:prometheus), 'pool="prices"'
    assert_raises(ArgumentError) { pool.report(:xml) }
    assert_equal '#<Libpool::Pool {:open=>1, :idle=>1, :leased=>0, :waiting=>0}>', pool.inspect
    nameless = Class.new(Libpool::Pool)
    assert_match(/\A#<#{nameless} \{:open=>0, .*\}>\z/, nameless.new { 1 }.inspect)
  end
end
