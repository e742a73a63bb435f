# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# A server that takes so many connections and refuses more, and connections that broke.
class FullTest < Minitest::Test
  include Support

  class Full < StandardError; end

  # A pool on a server with so many places.
  def full(limit, **settings)
    @limit = limit
    @taken = @refused = 0
    @server = Mutex.new # Ruby may change threads between the question and the count
    close = ->(_) { @server.synchronize { @taken -= 1 } }
    Libpool::Pool.new(close:, **settings) { Connection.new(@server.synchronize { take_place }) }
  end

  def take_place
    if @taken >= @limit
      @refused += 1
      raise Full, 'too many connections'
    end
    @taken += 1
  end

  # A thread whose open has failed, and which waits.
  def refused(pool, &block)
    thread = Thread.new(&block)
    thread.report_on_exception = false
    eventually { @refused.positive? && pool.stats.waiting == 1 }
    thread
  end

  # Forty times each, forty threads hold a connection until another thread waits, as long as there are more of them than
  # places.
  def crowd(pool)
    running = 40
    threads = Array.new(40) do
      Thread.new do
        40.times { pool.with { |one| one.use { eventually { pool.stats.waiting.positive? || running <= @limit } } } }
      ensure
        running -= 1
      end
    end
    threads.each(&:join) # raises what one of them has raised
  end

  def test_no_checkout_fails_because_the_server_is_full
    { 'defaults' => {}, 'back-off' => { retry_min_ms: 10, retry_max_ms: 1000, breaker_after: 3 } }.each do |name, more|
      pool = full(11, max_open: 20, **more)
      crowd(pool)
      assert_predicate @refused, :positive?, name
      assert_equal [1600, 0, 0, 0], pool.stats.then { |s| [s.lent, s.waiting, s.failed_open, s.failed_fast] }, name
      assert_equal 0, pool.close
    end
  end

  def test_a_checkout_whose_open_failed_is_given_what_comes_back
    pool = full(1, max_open: 2)
    held = pool.checkout
    connection = held.connection
    thread = refused(pool) { pool.with { |other| other } }
    held.checkin
    assert_same connection, thread.value
    assert_equal [1, 2], pool.stats.then { |s| [s.opened, s.lent] }
  end

  def test_one_that_waits_in_vain_is_told_why_none_could_be_opened
    pool = full(1, max_open: 3)
    pool.with do
      error = assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0.2) }
      assert_instance_of Full, error.cause
      assert_includes error.message, 'open or check: FullTest::Full: too many connections; 1 of 3 are open'
      assert_nil $!
    end
    assert_operator @refused, :>=, 2 # it opened again, as the back-off permits
    assert_equal [1, 0, 0, 1], pool.stats.then { |s| [s.timed_out, s.cancelled, s.waiting, s.open] }
    pool.with { |connection| connection.use { nil } }
  end

  def test_nothing_is_left_that_could_come
    pool = full(1, max_open: 2)
    held = pool.checkout
    thread = refused(pool) { pool.checkout }
    @limit = 0
    held.discard
    error = assert_raises(Full) { thread.value }
    assert_nil error.cause
  end

  # What is no StandardError, and a time that was set by Timeout, leave at once, and the queue as well.
  def test_what_is_no_failure_of_an_open_leaves_the_queue
    why = nil
    pool = Libpool::Pool.new(max_open: 2) { why ? why.call : Connection.new }
    pool.with do
      why = -> { raise NotImplementedError, 'no' }
      assert_raises(NotImplementedError) { pool.checkout }
      why = -> { throw :out, 3 }
      assert_equal(3, catch(:out) { pool.checkout })
      why = -> { sleep }
      assert_raises(Timeout::Error) { Timeout.timeout(0.02) { pool.checkout } }
      assert_equal [0, 0, 1], pool.stats.then { |s| [s.waiting, s.opening, s.open] }
    end
    why = nil
    assert_whole pool, 2
  end

  def test_one_that_is_killed_after_its_open_failed_leaves_the_queue
    pool = full(1, max_open: 2)
    pool.with do
      thread = refused(pool) { pool.checkout }
      thread.kill.join
      assert_equal [0, 1], pool.stats.then { |s| [s.waiting, s.open] }
    end
    pool.with { |connection| connection.use { nil } }
  end

  def test_those_who_wait_are_evicted
    pool = pool_of(1)
    pool.with do
      threads = Array.new(3) { Thread.new { pool.checkout }.tap { |thread| thread.report_on_exception = false } }
      waits(pool, 3)
      assert_equal 3, pool.evict
      threads.each { |thread| assert_raises(Libpool::EvictedError) { thread.value } }
      assert_equal [3, 0], pool.stats.then { |s| [s.evicted, s.waiting] }
    end
    assert_whole pool, 1
  end

  # ---- what broke ----

  def test_a_broken_connection_throws_suspicion_on_the_others
    by = [->(pool, leases) { leases.first.discard_broken },
          ->(pool, leases) { pool.discard_broken(leases.first) },
          ->(pool, leases) { pool.discard_broken(leases.first.connection) || leases.first.checkin }]
    by.product(%i[thread manual]).each do |break_one, keeper|
      dead = false
      pool = pool_of(4, check_after_ms: 3_600_000, keeper:, check: ->(_) { !dead })
      leases = Array.new(4) { pool.checkout }
      leases.drop(1).each(&:checkin)
      dead = true
      break_one.call(pool, leases)
      eventually do
        pool.maintain if keeper == :manual
        pool.stats.open.zero?
      end
      assert_equal [1, 1, 4], pool.stats.then { |s| [s.check_failures, s.closed_unusable, s.closed] }
      assert(@opened.all?(&:closed))
      assert_raises(Libpool::StaleError) { leases.first.discard_broken }
    end
  end

  def test_a_check_that_takes_too_long_has_failed
    pool = pool_of(1, check_after_ms: 0, check_timeout_ms: 5, check: ->(_) { sleep 0.02 })
    first = pool.with { |connection| connection }
    pool.with { |connection| refute_same first, connection }
    assert_equal [1, true], [pool.stats.check_failures, first.closed]
  end
end
