# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require_relative 'postgres'
require 'libpool/connection_pool'
begin
  require 'async'
  require 'async/notification'
  require 'pg'
rescue LoadError => e
  puts "skipped: #{e.message}; Debian has it as ruby-#{e.path}"
  exit
end

# Tasks of the gem async on the pool and on what stands for connection_pool: while they wait, its event loop goes on.
class AsyncTest < Minitest::Test
  include Support

  SERVER = Postgres.new
  Minitest.after_run { SERVER.stop }

  def both(size, open: -> { Object.new })
    yield Libpool::Pool.new(max_open: size, timeout: 20, &open)
    yield ConnectionPool.new(size:, timeout: 20, &open)
  end

  # What is waiting, of either.
  def waiting(pool)
    pool = pool.instance_variable_get(:@available).instance_variable_get(:@pool) if pool.is_a?(ConnectionPool)
    pool.stats.waiting
  end

  # In a thread of its own, so that an event loop that is blocked is a failure and not the end of the tests.
  def reactor(&block)
    thread = Thread.new { Sync(&block) }
    thread.report_on_exception = false
    thread.join(60) || flunk('the event loop is blocked')
    thread.value
  end

  # Tasks that hold all connections of a pool until the block is over.
  def hold(task, pool, size)
    over = Async::Notification.new
    holders = Array.new(size) { task.async { pool.with { over.wait } } }
    yield
  ensure
    over.signal
    holders.each(&:wait)
  end

  # An exception that a task returns would be raised by wait.
  def refuse(error, &block)
    assert_raises(error, &block)
    nil
  end

  def test_the_event_loop_goes_on_while_tasks_wait_and_they_are_served_in_order
    both(1) do |pool|
      served = []
      reactor do |task|
        waiters = hold(task, pool, 1) do
          tasks = Array.new(50) { |i| task.async { pool.with { served << i } } }
          assert_equal 50, waiting(pool)
          20.times { task.yield } # turns of the loop
          assert_empty served
          tasks
        end
        waiters.each(&:wait)
      end
      assert_equal (0...50).to_a, served
    end
  end

  def test_turns_are_even
    both(2) do |pool|
      turns = Array.new(20, 0)
      reactor do |task|
        tasks = Array.new(20) do |i|
          task.async { pool.with { sleep(0.0001) && turns[i] += 1 } until turns.sum >= 1500 }
        end
        tasks.each(&:wait)
      end
      assert_operator turns.max, :<, 4 * turns.min, turns.inspect
    end
  end

  def test_the_time_of_the_pool_is_over_and_others_run
    both(2) do |pool|
      reactor do |task|
        hold(task, pool, 2) do
          late = Array.new(10) { task.async { refuse(Timeout::Error) { pool.with(timeout: 0.02) { flunk } } } }
          assert_equal 10, waiting(pool)
          late.each(&:wait)
          assert_equal 0, waiting(pool)
        end
      end
      assert_usable pool, 2
    end
  end

  def test_a_task_that_waits_is_timed_out_or_stopped_by_async
    both(2) do |pool|
      reactor do |task|
        hold(task, pool, 2) do
          late = task.async do |waiter|
            refuse(Async::TimeoutError) { waiter.with_timeout(0.02) { pool.with { flunk } } }
          end
          stopped = Array.new(5) { task.async { pool.with { flunk } } }
          assert_equal 6, waiting(pool)
          stopped.each(&:stop)
          late.wait
          assert_equal 0, waiting(pool)
        end
      end
      assert_usable pool, 2
    end
  end

  def test_a_block_that_async_times_out_spoils_its_connection
    reactor do |task|
      pool = Libpool::Pool.new(max_open: 1, timeout: 20) { Object.new }
      interrupted = nil
      refuse(Async::TimeoutError) { task.with_timeout(0.02) { pool.with { |one| (interrupted = one) && sleep(60) } } }
      refute_nil interrupted
      assert_equal 0, pool.size
      pool.with { |other| refute_same interrupted, other }
    end
  end

  def test_an_open_that_async_times_out_is_not_begun_again
    reactor do |task|
      opens = 0
      pool = Libpool::Pool.new(max_open: 2, timeout: 20) do
        sleep(60) if (opens += 1) == 2
        Object.new
      end
      pool.with do
        refuse(Async::TimeoutError) { task.with_timeout(0.02) { pool.with { flunk } } }
        assert_equal 2, opens
      end
      assert_usable pool, 2
    end
  end

  # Stopped in the moment after it was told that a connection is its own.
  def test_a_task_that_is_stopped_when_its_turn_has_come_loses_nothing
    both(1) do |pool|
      served = []
      reactor do |task|
        100.times do |i|
          waiters = hold(task, pool, 1) { Array.new(2) { |which| task.async { pool.with { served << [i, which] } } } }
          waiters.first.stop
          waiters.last.wait
        end
      end
      assert_equal (0...100).to_a, served.select { |_, which| which == 1 }.map(&:first)
      assert_usable pool, 1
    end
  end

  def test_tasks_and_threads_share_a_pool
    both(2) do |pool|
      uses = Queue.new
      threads = Array.new(4) { Thread.new { 50.times { pool.with { uses << sleep(0.0001) } } } }
      2.times do
        threads << Thread.new do
          reactor do |task|
            tasks = Array.new(10) { task.async { 20.times { pool.with { uses << sleep(0.0001) } } } }
            tasks.each(&:wait)
          end
        end
      end
      threads.each { |thread| thread.join(60) || flunk('somebody still waits') }
      assert_equal 600, uses.size
      assert_usable pool, 2
    end
  end

  # The gem pg lets the event loop go on while a query runs, so all connections are at work at one time.
  def test_queries_of_tasks_run_side_by_side
    eventually(60) { SERVER.ready? }
    connect = -> { PG.connect(host: SERVER.folder, user: 'test', dbname: 'postgres') }
    gate = connect.call
    both(5, open: connect) do |pool|
      gate.exec('SELECT pg_advisory_lock(1)')
      query_by_tasks(pool) { gate.exec('SELECT pg_advisory_unlock(1)') }
    end
  ensure
    gate&.close
  end

  # The queries end when the block has been called, which is when as many run as the pool has connections.
  def query_by_tasks(pool)
    running = 0
    all = Async::Notification.new
    answers = reactor do |task|
      tasks = Array.new(25) do |i|
        task.async do
          pool.with do |pg|
            all.signal if (running += 1) == 5
            pg.exec_params('SELECT $1::int, pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1)', [i]).getvalue(0, 0).to_i
          ensure
            running -= 1
          end
        end
      end
      all.wait if running < 5
      assert_equal 5, running
      yield
      tasks.map(&:wait)
    end
    assert_equal (0...25).to_a, answers
  end

  # All places can be had, and no more.
  def assert_usable(pool, size)
    held = Queue.new
    over = Queue.new
    threads = Array.new(size) { Thread.new { pool.with(timeout: 20) { held << over.pop } } }
    eventually { over.num_waiting == size }
    assert_raises(Timeout::Error) { pool.with(timeout: 0) { flunk } }
    size.times { over << true }
    threads.each(&:join)
  end
end
