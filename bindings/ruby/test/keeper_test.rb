# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'minitest/mock'
require 'libpool/connection_pool'

# What the library knows and Ruby does: when to look, how many to begin with, what to reset, what to tell.
class KeeperTest < Minitest::Test
  include Support

  # How often a thread has woken since it began.
  def wakes(thread)
    File.read("/proc/self/task/#{thread.native_thread_id}/status")[/^voluntary_ctxt_switches:\s+(\d+)/, 1].to_i
  end

  # The threads of libpool that were started since, as far as they are still there.
  def keepers_since(before)
    (Thread.list - before).count(&:alive?)
  end

  def test_an_idle_pool_wakes_nobody
    others = Thread.list
    pool = pool_of(2, idle_timeout_ms: 600_000, max_lifetime_ms: 1_800_000, leak_after_ms: 60_000)
    pool.with { |connection| connection }
    keeper, = Thread.list - others
    eventually { keeper.native_thread_id } # it has begun
    before = nil
    eventually { wakes(keeper).then { |now| sleep(0.05) && (before = wakes(keeper)) == now } }
    sleep 2 # a time in which nothing may happen
    assert_equal before, wakes(keeper)
    assert_equal 1, pool.idle
    # And the keeper is still there: the first use after the rest wakes it.
    pool.with { |connection| connection }
    eventually { wakes(keeper) > before }
    pool.close
  end

  def test_a_pool_without_times_has_no_keeper
    before = Thread.list
    pool = pool_of(2)
    pool.with { |connection| connection }
    assert_equal 0, keepers_since(before)
    timed = pool_of(2, idle_timeout_ms: 60_000)
    assert_equal 0, keepers_since(before)
    timed.with { |connection| connection }
    assert_equal 1, keepers_since(before)
    timed.close
    eventually { keepers_since(before).zero? }
  end

  # As where a pool is used first in a block that nothing may interrupt: its thread can be ended all the same.
  def test_a_process_ends_though_the_keeper_was_begun_where_interrupts_are_masked
    child = fork do
      Thread.handle_interrupt(Object => :never) do
        pool_of(1, idle_timeout_ms: 600_000).then { |pool| (@pool = pool).with { |connection| connection } }
      end
      exit!(1) if Thread.list.size == 1
      Thread.list.each { |thread| thread.kill.join unless thread == Thread.current }
      exit!(0)
    end
    ended = Process.detach(child)
    eventually { ended.join(0.01) }
    assert_equal 0, ended.value.exitstatus
  ensure
    Process.kill(:KILL, child) if ended&.alive?
  end

  # As with a method that the connection's class has, but does not implement.
  def test_the_keeper_goes_on_after_a_block_that_raises_what_is_no_standard_error
    [NotImplementedError, SystemStackError, NoMemoryError].each do |error|
      closed = Queue.new
      pool = pool_of(3, idle_timeout_ms: 20, close: ->(one) { closed << one && raise(error, 'no') })
      Array.new(3) { pool.checkout }.each(&:checkin)
      eventually(60, -> { "#{closed.size} were closed, then #{error}" }) { closed.size == 3 }
      pool.close
    end
  end

  def test_a_keeper_for_which_there_was_no_thread_is_started_later
    closed = Queue.new
    pool = pool_of(1, idle_timeout_ms: 20, close: ->(one) { closed << one })
    Thread.stub(:new, -> { raise ThreadError, 'no thread' }) { pool.with(&:number) }
    pool.with(&:number)
    eventually { closed.size == 1 }
  end

  def test_a_listener_for_which_there_was_no_thread_is_started_later
    pool = pool_of(1, budget: 'process:listeners?limit=2', idle_timeout_ms: 60_000)
    listeners.each { |thread| thread.kill.join }
    child = fork do # where no thread of the parent is
      Thread.stub(:new, -> { raise ThreadError, 'no thread' }) { assert_raises(ThreadError) { pool.with(&:number) } }
      pool.with(&:number)
      eventually { listeners.one? }
      exit!(0)
    rescue Exception => e # rubocop:disable Lint/RescueException
      warn e.full_message
      exit!(1)
    end
    assert_predicate Process.wait2(child).last, :success?
  end

  def listeners
    Thread.list.select { |thread| thread.name == 'libpool listener' && thread.alive? }
  end

  def test_the_keeper_of_a_forgotten_pool_ends
    before = Thread.list
    20.times { |i| forget(i) }
    eventually { GC.start.then { keepers_since(before) <= 2 } } # an old pointer on the stack may hold some
  end

  def forget(number)
    Libpool::Pool.new(max_lifetime_ms: 600_000, name: "p#{number}") { Connection.new }.with { |connection| connection }
    nil
  end

  def test_more_may_be_opened_at_first_than_are_kept_idle
    pool = pool_of(40, initial: 30, min_idle: 20)
    assert_equal [30, 30], [pool.size, pool.idle]
    pool.close
  end

  def test_an_initial_open_that_is_thrown_out_of_closes_the_others
    made = []
    assert_equal 9, catch(:out) { Libpool::Pool.new(initial: 2) { made.empty? ? open_one(made) : throw(:out, 9) } }
    assert_equal [true], made.map(&:closed)
  end

  def open_one(made)
    Connection.new.tap { |connection| made << connection }
  end

  def test_a_connection_is_reset_after_each_lease_and_closed_if_that_fails
    resets = []
    good = true
    pool = pool_of(1, reset: ->(connection) { good ? resets << connection.number : raise(IOError, 'lost') })
    2.times { pool.with { |connection| assert_equal resets.size + 1, connection.number + resets.size } }
    assert_equal [1, 1], resets
    good = false
    pool.with { |connection| connection }
    assert @opened[0].closed
    assert_equal [3, 1], pool.stats.to_h.values_at(:resets, :reset_failures)
    assert_raises(ArgumentError) { pool_of(1, background_reset: true) }
  end

  def test_a_reset_in_the_background_is_done_by_the_keeper
    resets = Queue.new
    pool = pool_of(1, background_reset: true, reset: ->(_) { resets << Thread.current.name })
    pool.with { |connection| connection }
    assert_equal 'libpool keeper', resets.pop
    pool.with(timeout: 60) { |connection| assert_equal 1, connection.number }
    pool.close
  end

  def test_a_timeout_says_what_the_library_knows
    pool = pool_of(1, name: 'orders')
    held = pool.checkout
    error = Thread.new { assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.03) { flunk } } }.value
    assert_match(/\Aorders: no connection in time: \d+ ms went by in the queue, .*; 1 of 1 are open, 1 leased, 0 idle, 0 wait; the oldest lease is out for \d+ ms\z/,
                 error.message)
    pool.pause
    error = assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.01) { flunk } }
    assert error.message.end_with?('; the pool is paused'), error.message
    held.checkin
  end

  def test_a_timeout_says_that_those_who_wait_hold_everything
    [pool_of(2, name: 'orders'), ConnectionPool.new(size: 2, name: 'orders') { Connection.new }].each do |lent|
      inside = Queue.new
      go = Queue.new
      threads = Array.new(2) do
        Thread.new do
          lent.with do
            inside << true
            go.pop
            elsewhere = lent.is_a?(ConnectionPool) ? ->(&block) { Fiber.new(&block).resume } : ->(&block) { block.call }
            elsewhere.call { lent.with(timeout: 0.3) { 'the other was late, and gave its own back' } }
          end
        rescue Timeout::Error => e
          e.message
        end
      end
      2.times { inside.pop }
      2.times { go << true }
      expected = /orders: no connection in time: .*; 2 of 2 are open, 2 leased, .*; each was held by a thread that itself waited/
      assert threads.map(&:value).grep(expected).any?, threads.map(&:value).inspect
    end
  end

  def test_leases_say_who_holds_what
    pool = pool_of(2)
    lease = pool.checkout
    lease.tag = 'a report'
    pool.with do |connection|
      pool.tag(connection, 'an import')
      assert_equal ['a report', 'an import'], pool.leases.map(&:tag).sort
      assert_equal [1, 2], pool.leases.map(&:connection).sort
      assert(pool.leases.all? { |info| info.thread.positive? })
    end
    lease.checkin
    assert_empty pool.leases
  end

  def test_a_leak_is_logged_with_its_tag
    lines = Queue.new
    pool = pool_of(1, leak_after_ms: 1000, log: ->(level, line) { lines << [level, line] })
    lease = pool.checkout
    lease.tag = 'a report'
    level, line = lines.pop
    assert_equal :warn, level
    assert_match(/\Apool: lease \d+ of thread \d+, a report is out for \d+ ms already; was its put forgotten\?\z/, line)
    lease.checkin
    assert_equal :info, lines.pop.first
    pool.close
  end

  def test_events_are_told_in_order
    events = Queue.new
    pool = pool_of(1, events: ->(event) { events << event })
    pool.with { |connection| pool.discard(connection) }
    pool.close
    names = []
    names << events.pop.name until names.last == :pool_closed
    assert_equal %i[pool_created opening opened lent returned closed pool_closed], names
  end

  def test_an_event_has_what_there_is_to_know
    events = []
    pool = Libpool::Pool.new(keeper: :manual, event_mask: 1 << Libpool::Native::POOL_EVENT_OPEN_FAILED,
                             events: ->(event) { events << event }) { raise IOError, 'refused' }
    assert_raises(IOError) { pool.with { flunk } }
    pool.maintain
    assert_equal 1, events.size
    assert_equal [:open_failed, 'IOError: refused', 1, 0], events[0].to_h.values_at(:name, :message, :connection, :lost)
    assert_operator events[0].duration, :>=, 0
    assert_nil events[0].reason
  end

  def test_a_block_for_events_that_fails_harms_nobody
    pool = pool_of(1, keeper: :manual, events: ->(_) { raise 'no' })
    pool.with { |connection| connection }
    assert_output(nil, /a block for log or events failed: RuntimeError: no/) { pool.maintain }
    assert_whole pool, 1
    assert_raises(TypeError) { pool_of(1, log: 7) }
  end
end
