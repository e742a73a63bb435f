# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# A scheduler as small as it can be: fibers that sleep or are blocked, and no input or output.
class Scheduler
  def initialize
    @blocked = {} # fiber => when to go on at the latest
    @ready = Thread::Queue.new
    @blocks = 0
  end

  attr_reader :blocks

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def fiber(&block)
    Fiber.new(blocking: false, &block).tap(&:resume)
  end

  def block(_blocker, timeout = nil)
    @blocks += 1
    @blocked[Fiber.current] = timeout ? now + timeout : Float::INFINITY
    Fiber.yield
  end

  def unblock(_blocker, fiber)
    @ready << fiber
  end

  def kernel_sleep(duration = nil)
    block(:sleep, duration)
    true
  end

  def timeout_after(duration, error, message)
    fiber = Fiber.current
    timer = Fiber.new(blocking: false) do
      fiber.raise(error, message) if kernel_sleep(duration) && fiber.alive? && @blocked.delete(fiber)
    end
    timer.resume
    yield
  ensure
    @blocked.delete(timer)
  end

  def io_wait(*)
    raise NotImplementedError
  end

  def close
    run
  end

  def run
    until @blocked.empty?
      resume(@ready.pop) until @ready.empty?
      due, = @blocked.select { |_, time| time <= now }.keys
      due ? resume(due) : Thread.pass
    end
  end

  private

  def resume(fiber)
    fiber.resume if @blocked.delete(fiber)
  end
end

# One that notes for what each fiber is blocked, and who was woken while it was blocked for something else.
class Watching < Scheduler
  attr_reader :wrongly_woken

  def initialize
    super
    @for = {}.compare_by_identity
    @wrongly_woken = []
  end

  def block(blocker, timeout = nil)
    @for[Fiber.current] = blocker
    super
  ensure
    @for.delete(Fiber.current)
  end

  def unblock(blocker, fiber)
    @wrongly_woken << blocker unless @for[fiber].equal?(blocker)
    super
  end
end

# Fibers of a scheduler wait for each other without blocking their thread.
class FiberTest < Minitest::Test
  include Support

  def schedule(scheduler = Scheduler.new)
    thread = Thread.new do
      Fiber.set_scheduler(scheduler)
      yield
    end
    thread.join(60) || flunk('the scheduler is blocked')
    scheduler
  end

  def test_fibers_take_turns
    pool = pool_of(1)
    order = []
    scheduler = schedule do
      5.times do |i|
        Fiber.schedule do
          pool.with(timeout: 60) do |connection|
            connection.use { sleep 0 } # others run and want it meanwhile
            order << i
          end
        end
      end
    end
    assert_equal [0, 1, 2, 3, 4], order
    assert_operator scheduler.blocks, :>=, 9 # five slept, four waited
    assert_whole pool, 1
  end

  def test_a_fiber_times_out_while_others_run
    pool = pool_of(1)
    ran = 0
    over = Queue.new
    schedule do
      Fiber.schedule { pool.with { 2.times { over.pop } } }
      Fiber.schedule { over << assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0.05) { flunk } } }
      Fiber.schedule { over << 10.times { sleep(0) && ran += 1 } } # which lets the other fibers run
    end
    assert_equal 10, ran
    assert_empty over
    assert_whole pool, 1
  end

  def test_a_thread_wakes_a_fiber_and_a_fiber_a_thread
    pool = pool_of(1)
    lease = pool.checkout
    served = Queue.new
    fibers = Thread.new { schedule { 3.times { |i| Fiber.schedule { pool.with(timeout: 60) { served << i } } } } }
    waits pool, 3
    thread = Thread.new { pool.with(timeout: 60) { served << :thread } }
    waits pool, 4
    lease.checkin
    [fibers, thread].each(&:join)
    assert_equal [0, 1, 2, :thread].map(&:to_s).sort, Array.new(4) { served.pop.to_s }.sort
    assert_whole pool, 1
  end

  def test_an_interrupted_fiber_gives_up_its_place
    pool = pool_of(1)
    errors = 0
    gone = Queue.new
    schedule do
      Fiber.schedule { pool.with { 5.times { gone.pop } } }
      5.times do
        Fiber.schedule do
          Timeout.timeout(0.02) { pool.with(timeout: 60) { flunk } }
        rescue Timeout::Error
          gone << (errors += 1)
        end
      end
      Fiber.schedule { pool.with(timeout: 60) { errors += 100 } }
    end
    assert_equal 105, errors
    assert_whole pool, 1
  end

  # What a block that opens waits for is its own business.
  def test_a_fiber_that_opens_is_not_woken_by_the_pool
    pool = nil
    scheduler = schedule(Watching.new) do
      Fiber.schedule do
        pool = Libpool::Pool.new(max_open: 2, initial: 2, idle_timeout_ms: 60_000) { sleep(0) && Connection.new }
      end
    end
    assert_empty scheduler.wrongly_woken
    assert_whole pool, 2
  end

  # Where a step wakes another fiber and asks for an open as well.
  def test_an_interrupt_while_another_fiber_is_woken_loses_nothing
    pool = pool_of(2)
    pool.pause
    stopped = 0
    fibers = Thread.new do
      stop = TracePoint.new(:call) { |point| Thread.current.raise(Interrupt) if point.method_id == :unblock }
      stop.enable(target_thread: Thread.current)
      Fiber.set_scheduler(Scheduler.new)
      3.times do
        Fiber.schedule do
          pool.with(timeout: 60, &:number)
        rescue Interrupt
          stopped += 1
        end
      end
    end
    waits pool, 3
    pool.resume
    fibers.join(60) || flunk('a fiber still waits')
    assert_operator stopped, :>, 0
    assert_whole pool, 2
  end

  def test_fibers_without_a_scheduler
    pool = pool_of(2)
    fiber = Fiber.new { pool.with { |connection| Fiber.yield(connection.number) } }
    assert_equal 1, fiber.resume
    assert_equal 2, pool.with(&:number)
    assert_equal 1, pool.stats.leased
    fiber.resume
    assert_whole pool, 2
  end
end
