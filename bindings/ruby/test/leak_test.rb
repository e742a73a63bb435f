# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'libpool/connection_pool'
require 'logger'
require 'stringio'

# Leases that are out for long, and those that nobody can give back any more: somebody hears of them, and the latter end.
class LeakTest < Minitest::Test
  include Support

  # What a pool tells, and its pool.
  def told(**settings)
    lines = Queue.new
    [pool_of(1, name: 'jobs', log: ->(level, line) { lines << [level, line] }, **settings), lines]
  end

  # In a thread of its own, so that nothing on this stack still has the lease.
  def lose_one(pool, tag)
    Thread.new { lose_in(pool, tag) }.join
  end

  def lose_in(pool, tag)
    lease = pool.checkout
    lease.hand_over # so that the end of the thread is not the reason
    lease.tag = tag
    nil
  end

  LOST = /\Ajobs: lease \d+ of thread \d+, a report is lost: its Libpool::Lease was collected; its connection is closed\z/

  def test_the_place_of_a_lease_that_was_collected_comes_back_to_those_who_wait
    pool, lines = told
    lose_one(pool, 'a report')
    waiter = Thread.new { pool.with(timeout: 60, &:number) }
    waits pool
    eventually { GC.start || pool.stats.waiting.zero? }
    assert_equal 2, waiter.value
    level, line = lines.pop
    assert_equal :warn, level
    assert_match LOST, line
    assert @opened[0].closed
    assert_whole pool, 1
    pool.close
  end

  # Where all wait nobody allocates anything, and so nothing would be collected.
  def test_who_waits_collects_garbage_for_that
    pools = Array.new(4) { pool_of(1, log: ->(_, _) {}) }
    pools.each { |pool| lose_one(pool, 'a report') }
    threads = pools.map { |pool| Thread.new { pool.with(timeout: 60) { true } } }
    eventually(60) { threads.any? { |thread| !thread.alive? } } # an old pointer on a stack may hold some
    eventually(60) { GC.start || threads.none?(&:alive?) }
    assert_equal [true] * 4, threads.map(&:value)
    pools.each(&:close)
  end

  def test_who_keeps_the_time_ends_such_leases_as_well
    events = []
    pool = pool_of(1, keeper: :manual, events: ->(event) { events << event })
    lose_one(pool, 'a report')
    eventually { GC.start || (pool.maintain || true) && pool.size.zero? }
    event = events.find { |each| each.name == :leaked }
    assert_equal ['a report', 'its Libpool::Lease was collected', 1], event.to_h.values_at(:tag, :message, :connection)
    assert_whole pool, 1
  end

  def test_an_interrupt_while_one_is_ended_leaves_the_others
    pool = pool_of(3, keeper: :manual, log: ->(_, _) {}, close: ->(_) { raise Interrupt })
    Thread.new { 3.times { pool.checkout } }.join
    eventually do
      GC.start
      pool.maintain
      pool.size.zero?
    rescue Interrupt
      false
    end
  end

  def test_a_lease_in_use_is_not_lost
    pool, lines = told
    lease = pool.checkout
    3.times { GC.start }
    pool.maintain
    assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.01) { flunk } }
    assert_equal 1, lease.connection.number
    assert_empty lines
    lease.checkin
    assert_whole pool, 1
  end

  def test_the_place_of_a_thread_that_has_ended_comes_back_to_those_who_wait
    pool, lines = told
    go = Queue.new
    held = nil
    holder = Thread.new { (held = pool.checkout) && go.pop }
    eventually { held }
    waiter = Thread.new { pool.with(timeout: 60, &:number) }
    waits pool
    go << true
    assert_equal 2, waiter.value
    holder.join
    assert_match(/is lost: its thread has ended; its connection is closed\z/, lines.pop.last)
    assert_raises(Libpool::StaleError) { held.connection }
    assert @opened[0].closed
    pool.close
  end

  # Handed over by being used elsewhere, or by word.
  def test_a_lease_may_be_handed_to_another_thread
    pool, lines = told
    leases = Queue.new
    [-> { leases << pool.checkout.hand_over }, -> { leases << pool.checkout }].each_with_index do |give, i|
      Thread.new(&give).join
      lease = leases.pop
      lease.connection if i == 1 # before anybody looks
      assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.15) { flunk } }
      assert_equal 1, lease.connection.number
      lease.checkin
    end
    assert_empty lines
    pool.close
  end

  def test_a_thread_that_has_ended_while_its_lease_is_overdue
    pool, lines = told(leak_after_ms: 30)
    held = nil
    Thread.new { held = pool.checkout }.join
    line = lines.pop.last until line&.include?('is lost: its thread has ended')
    eventually { pool.size.zero? }
    assert held.ended?
    pool.close
  end

  def test_a_child_takes_no_lease_of_its_parent_back
    pool, lines = told
    held = nil
    Thread.new { held = pool.checkout }.join
    assert_equal([2, 0], in_child do
      3.times { GC.start }
      [pool.with(timeout: 20, &:number), lines.size]
    end)
    assert_equal 1, held.connection.number
    held.checkin
    assert_whole pool, 1
  end

  def test_closing_ends_such_leases
    pool, lines = told
    Thread.new { @held = pool.checkout }.join
    assert_equal 0, pool.close(timeout: 5)
    assert_equal 1, lines.size
    assert @opened[0].closed
  end

  def test_a_pool_that_is_collected_with_its_leases
    50.times { lose_in(pool_of(1), 'gone') }
    5.times { GC.start }
    compacting { 50.times { lose_in(pool_of(1), 'gone') && GC.start } }
    assert_whole pool_of(2), 2
  end

  # ---- who hears of it ----

  def test_a_logger
    text = StringIO.new
    pool = pool_of(1, name: 'jobs', leak_after_ms: 20, log: Logger.new(text))
    lease = pool.checkout
    eventually { text.string.include?('WARN') }
    assert_match(/WARN -- : jobs: lease \d+ of thread \d+ is out for \d+ ms already; was its put forgotten\?$/, text.string)
    lease.checkin
    eventually { text.string.match?(/INFO -- : jobs: lease .* came back/) }
    pool.close
  end

  # What stands for ActiveSupport::Notifications.
  module Notifications
    HEARD = Queue.new

    def self.instrument(name, payload = {})
      HEARD << [name, payload]
      yield payload if block_given?
    end
  end

  def test_notifications
    mask = (1 << Libpool::Native::POOL_EVENT_OPENED) | (1 << Libpool::Native::POOL_EVENT_LEAKED)
    pool = pool_of(1, name: 'jobs', event_mask: mask, leak_after_ms: 1000, events: Notifications)
    lease = pool.checkout
    lease.tag = 'a report'
    name, payload = Notifications::HEARD.pop
    assert_equal ['opened.libpool', 'jobs', 1], [name, *payload.values_at(:pool, :connection)]
    name, payload = Notifications::HEARD.pop
    assert_equal ['leaked.libpool', 'a report', ''], [name, *payload.values_at(:tag, :message)]
    assert_operator payload[:duration], :>=, 1
    lease.checkin
    pool.close
  end

  # Where nobody is named who would hear of a leak, it is written where warnings are; nothing else is.
  def test_without_anybody_a_leak_is_written_to_stderr
    _, err = capture_io do
      pool = Libpool::Pool.new(max_open: 1, name: 'jobs', leak_after_ms: 20) { @up ? Connection.new : raise(IOError) }
      assert_raises(IOError) { pool.with { flunk } }
      @up = true
      lease = pool.checkout
      eventually { $stderr.string.include?('forgotten') }
      lease.checkin
      eventually { $stderr.string.include?('came back') }
      Thread.new { @held = pool.checkout }.join
      pool.close
    end
    assert_equal 3, err.lines.size, err
    assert(err.lines.all? { |line| line.start_with?('libpool: jobs: lease ') }, err)
    assert_match(/is lost: its thread has ended; its connection is closed$/, err)
  end

  # ---- in place of the gem connection_pool ----

  def test_the_gem_gets_the_place_of_a_thread_that_has_ended_back
    stack = Class.new(ConnectionPool::TimedStack)
    [nil, stack].each do |kind|
      lines = Queue.new
      settings = { name: 'jobs', log: ->(_, line) { lines << line } }
      made = []
      open = -> { Connection.new.tap { |one| made << one } }
      lent = ConnectionPool.new(size: 1, timeout: 60, **settings, &open)
      lent.instance_variable_set(:@available, kind.new(size: 1, **settings, &open)) if kind
      thread = Thread.new { lent.checkout && (lent.tag = 'a report') }
      thread.join
      assert_equal ['a report'], lent.leases.map(&:tag)
      lent.with { |connection| assert_same made[1], connection }
      assert_match(/\Ajobs: lease .*, a report is lost: its thread has ended; its connection is closed\z/, lines.pop)
      eventually { made[0].closed }
      assert_equal [1, 1], [lent.available, lent.idle]
    end
  end

  def test_what_was_popped_may_be_pushed_by_any_thread
    stack = ConnectionPool::TimedStack.new(size: 1) { Connection.new }
    popped = Thread.new { stack.pop }.value
    assert_raises(ConnectionPool::TimeoutError) { stack.pop(timeout: 0.2) }
    stack.push(popped)
    assert_same popped, stack.pop(timeout: 0)
  end
end
