# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# Timeout, Thread#raise, Thread#kill and signals, at any moment: no lease is lost.
class InterruptTest < Minitest::Test
  include Support

  class Interruption < RuntimeError; end

  def test_each_way_to_interrupt_a_wait
    pool = pool_of(1)
    lease = pool.checkout
    begun = now
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { pool.with(timeout: 30) { flunk } } }
    assert_in_delta 0.05, now - begun, 0.5
    raised = Thread.new { assert_raises(Interruption) { pool.with(timeout: 30) { flunk } } }
    waits pool
    raised.raise(Interruption)
    raised.value
    killed = Thread.new { pool.with(timeout: 30) { flunk } }
    waits pool
    killed.kill
    assert killed.join(60)
    assert_equal 0, pool.stats.waiting
    lease.checkin
    assert_whole pool, 1
  end

  def test_a_signal_is_handled_while_waiting
    pool = pool_of(1)
    lease = pool.checkout
    caught = Queue.new
    old = trap('USR1') do
      caught << true
      pool.idle # the pool may be used here
    end
    sender = Thread.new do
      waits pool
      3.times do |i|
        Process.kill('USR1', Process.pid)
        eventually { caught.size == i + 1 }
      end
      lease.checkin
    end
    assert_equal 1, pool.with(timeout: 60, &:number)
    assert_equal 3, caught.size
    sender.join
    assert_whole pool, 1
  ensure
    trap('USR1', old || 'DEFAULT')
  end

  def test_the_pool_may_be_used_in_a_signal_handler
    pool = pool_of(1)
    number = nil
    old = trap('USR1') { number = pool.with(&:number) }
    Process.kill('USR1', Process.pid)
    eventually { number }
    assert_equal 1, number
    assert_whole pool, 1
  ensure
    trap('USR1', old || 'DEFAULT')
  end

  def test_other_threads_run_while_one_waits
    pool = pool_of(1)
    lease = pool.checkout
    waiter = Thread.new { pool.with(timeout: 60) { :served } }
    waits pool
    counted = 0
    counted += 1 until counted == 100_000
    lease.checkin
    assert_equal :served, waiter.value
  end

  def test_kill_in_open_and_close
    hang = Queue.new
    pool = Libpool::Pool.new(max_open: 1) { hang.pop }
    opener = Thread.new { pool.with { flunk } }
    eventually { pool.stats.opening == 1 }
    opener.kill.join
    assert_equal 0, pool.size
    hang << Connection.new
    assert_whole pool, 1
    pool = Libpool::Pool.new(max_open: 1, close: ->(_) { hang.pop }) { Connection.new }
    lease = pool.checkout
    closer = Thread.new { lease.discard }
    eventually { closer.status == 'sleep' }
    waiter = Thread.new { pool.with(timeout: 60) { :served } }
    waits pool
    closer.kill.join
    assert_equal :served, waiter.value
    assert_equal 1, pool.stats.close_failures
  end

  class Stop < Exception; end # rubocop:disable Lint/InheritException

  # What the block does meets an interrupt in a method of that name, which others are told or woken by.
  def stopped_in(name, &block)
    stop = TracePoint.new(:call) { |point| Thread.current.raise(Stop) if point.method_id == name }
    assert_raises(Stop) { stop.enable(target_thread: Thread.current, &block) }
  end

  def test_an_interrupt_while_the_keeper_is_started
    failing = true
    others = Thread.list
    pool = Libpool::Pool.new(max_open: 1, leak_after_ms: 60_000) { failing ? raise(IOError) : Connection.new }
    assert_raises(IOError) { pool.with { flunk } }
    (Thread.list - others).each { |keeper| keeper.kill.join }
    failing = false
    stopped_in(:start_keeper) { pool.with { flunk } }
    assert_whole pool, 1
  end

  # One that is a StandardError is not taken for a failure to start it.
  def test_an_interrupt_while_the_keeper_is_started_arrives
    pool = pool_of(1, idle_timeout_ms: 60_000)
    stop = TracePoint.new(:call) { |point| Thread.current.raise(Interruption) if point.path.end_with?('background.rb') }
    assert_raises(Interruption) { stop.enable(target_thread: Thread.current) { pool.with(&:number) } }
    assert_whole pool, 1
  end

  # Threads that lend, wait, open, discard and close, while others interrupt them whenever it pleases them.
  def storm(seconds_at_most, rounds, max_open)
    pool = Libpool::Pool.new(max_open:) do
      Thread.pass
      raise IOError, 'refused' if !@ending && rand(10).zero?

      Connection.new
    end
    @interrupted = 0
    # They begin, and end, where nothing interrupts them.
    workers = Thread.handle_interrupt(Interruption => :never) { Array.new(6) { Thread.new { work(pool) } } }
    deadline = now + seconds_at_most
    sent = 0
    while sent < rounds && now < deadline
      yield workers.sample
      sent += 1
      Thread.pass if rand(3).zero?
    end
    @ending = true
    workers.each { |worker| worker.join(60) || flunk('somebody still waits') }
    assert_whole pool, max_open
    sent
  end

  # An interruption may come in the rescue of another, so the loop itself is not interrupted.
  def work(pool)
    until @ending
      begin
        Thread.handle_interrupt(Interruption => :immediate) { use(pool) until @ending }
      rescue Interruption
        @interrupted += 1
      end
    end
  end

  def use(pool)
    pool.with(timeout: 60) do |connection|
      Thread.pass if rand(3).zero?
      pool.discard(connection) if rand(10).zero?
    end
  rescue IOError
    nil
  end

  def test_ten_thousand_raises_lose_nothing
    [1, 3].each do |max_open|
      @ending = false
      sent = storm(40, 5000, max_open) { |worker| worker.raise(Interruption) if worker.alive? }
      assert_equal 5000, sent
      assert_operator @interrupted, :>, 1000
    end
  end

  # The same from the inside: the time is over wherever it happens to be.
  def test_ten_thousand_timeouts_lose_nothing
    pool = pool_of(2)
    over = Queue.new
    threads = Array.new(4) do |i|
      random = Random.new(i)
      Thread.new do
        2500.times do
          Timeout.timeout(random.rand(0.0004), Interruption) do
            loop { pool.with(timeout: 60) { |connection| connection.use { Thread.pass } } }
          end
        rescue Interruption
          over << true
        end
      end
    end
    threads.each { |thread| thread.join(120) || flunk('somebody still waits') }
    assert_equal 10_000, over.size
    assert_whole pool, 2
  end

  def test_a_thousand_kills_lose_nothing
    pool = pool_of(2)
    1000.times do
      threads = Array.new(3) { Thread.new { loop { pool.with(timeout: 60) { Thread.pass } } } }
      rand(50).times { Thread.pass } # so that the kill comes at any moment
      threads.each(&:kill)
      threads.each { |thread| thread.join(60) || flunk('somebody still waits') }
    end
    assert_whole pool, 2
  end
end
