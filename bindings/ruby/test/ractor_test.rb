# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'libpool/connection_pool'

# Each Ractor makes pools of its own, with connections of its own; a pool stays where it was made.
class RactorTest < Minitest::Test
  include Support

  Warning[:experimental] = false

  # What comes back from another Ractor, where the block runs; its exceptions are raised here.
  def ractor(*arguments, &block)
    Ractor.new(*arguments, &block).take
  rescue Ractor::RemoteError => e
    raise e.cause, cause: nil
  end

  def test_a_pool
    said = ractor do
      opened = []
      pool = Libpool::Pool.new(max_open: 1, timeout: 20) { Connection.new(opened.push(1).size) }
      waiter = nil
      pool.with do
        waiter = Thread.new { pool.with(&:number) }
        Thread.pass until pool.stats.waiting == 1
      end
      number = waiter.value
      pool.checkout
      late = begin
        pool.with(timeout: 0) { nil }
      rescue Libpool::TimeoutError => e
        e.class
      end
      [number, late, pool.stats.lent, pool.report.lines.size > 1, pool.inspect, pool.close(timeout: 0)]
    end
    assert_equal [1, Libpool::TimeoutError, 2, true], said.first(4)
    assert_match(/\A#<Libpool::Pool /, said[4])
    assert_equal 1, said[5]
  end

  def test_what_is_due_by_time_and_what_is_told
    said = ractor do
      told = Thread::Queue.new
      pool = Libpool::Pool.new(max_open: 2, min_idle: 1, idle_timeout_ms: 5, check_after_ms: 0, check: ->(_) { true },
                               events: ->(event) { told << event.name }, log: ->(*) {}) { Object.new }
      pool.with { pool.with { nil } }
      names = []
      names << told.pop until names.include?(:closed)
      pool.shutdown
      names
    end
    assert_includes said, :opened
  end

  def test_the_keeper_of_a_pool_that_is_closed_ends
    assert_equal [6, 1], (ractor do
      pools = Array.new(5) { Libpool::Pool.new(max_open: 2, idle_timeout_ms: 60_000) { Object.new } }
      pools.each { |pool| pool.with { nil } }
      before = Thread.list.size
      pools.each(&:close)
      Thread.pass until Thread.list.size == 1
      [before, Thread.list.size]
    end)
  end

  # As connection_pool's own, without auto_reload_after_fork: false, which is not needed here.
  def test_the_drop_in
    said = ractor(+'mike') do |copy|
      pool = ConnectionPool.new(size: 1, timeout: 0) { copy }
      wrapper = ConnectionPool::Wrapper.new(pool:)
      stack = Class.new(ConnectionPool::TimedStack).new(size: 1) { 7 }
      late = pool.with { Thread.new { pool.checkout(exception: false).inspect }.value }
      [pool.with(&:dup), wrapper.upcase, stack.pop, late, pool.reload(&:clear).inspect, pool.idle]
    end
    assert_equal ['mike', 'MIKE', 7, 'nil', 'nil', 0], said
  end

  def test_a_child_of_fork_in_a_ractor
    said = ractor do
      reader, writer = IO.pipe
      pool = ConnectionPool.new(size: 1) { Process.pid }
      parent = pool.with(&:itself)
      child = fork do
        writer.write Marshal.dump([pool.with(&:itself), Process.pid])
        exit!(0)
      end
      writer.close
      answer = Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
      Process.wait(child)
      [parent, *answer]
    end
    assert_equal [Process.pid, said[2], said[2]], said
  end

  # Slots of the library, pages of the binding and collections are shared.
  def test_many_at_once
    ractors = Array.new(3) do |number|
      Ractor.new(number) do |mine|
        count = 0
        pools = Array.new(3) { Libpool::Pool.new(max_open: 100, timeout: 20) { [mine, count += 1] } }
        3000.times do |turn|
          pool = pools[turn % 3]
          lent = pool.with { |connection| connection.tap { pool.discard(connection) if (turn % 7).zero? } }
          raise 'of another' unless lent[0] == mine

          GC.start(full_mark: false) if (turn % 500).zero?
          pools[turn % 3] = Libpool::Pool.new(max_open: 100) { [mine, count += 1] } if (turn % 50).zero?
          Array.new(20) { pool.checkout }.each(&:checkin) if (turn % 100).zero?
        end
        count
      end
    end
    here = pool_of(5)
    1000.times { here.with { |connection| connection.use { nil } } }
    assert(ractors.map(&:take).all? { |count| count > 400 })
    assert_whole here, 5
  end

  def test_a_pool_is_not_shared_and_says_so
    plain = pool_of(1)
    drop_in = ConnectionPool.new(size: 1) { Connection.new }
    stack = ConnectionPool::TimedStack.new(size: 1) { Connection.new }
    { plain => /Libpool::Pool/, drop_in => /TimedStack/, stack => /TimedStack/ }.each do |pool, name|
      error = assert_raises(TypeError) { Ractor.new(pool, &:itself).take }
      assert_match(/#{name}.* cannot be copied, and not be given to another Ractor; make a pool in each/, error.message)
      error = assert_raises(Ractor::Error, TypeError) { Ractor.make_shareable(pool) }
      assert_match(name, error.message)
    end
    assert_equal([1, 0, 0], [plain.with(&:number), drop_in.with(&:number), stack.pop.number])
    drop_in.reload(&:close)
    self.class.const_set(:PLAIN, plain)
    error = assert_raises(Ractor::IsolationError) do
      ractor do
        Thread.current.report_on_exception = false
        RactorTest::PLAIN.with { nil }
      end
    end
    assert_match(/non-shareable objects in constant RactorTest::PLAIN/, error.message)
  end
end
