# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'weakref'

# The garbage collector at every moment, also when it moves things.
class MemoryTest < Minitest::Test
  include Support

  def under_stress
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end

  def test_under_stress
    pool = pool_of(2)
    lease = pool.checkout
    number = nil
    under_stress do
      pool.with { |connection| number = connection.number }
      lease.checkin
      pool.checkout.discard
      waiter = nil
      pool.with do
        pool.with { waiter = Thread.new { pool.with(timeout: 30) { :served } } }
      end
      waiter.join
      begin
        pool.with { pool.with { pool.with(timeout: 0.001) { flunk } } }
      rescue Libpool::TimeoutError
        number += 100
      end
      pool.stats.to_h
      pool.report
      5.times do
        Libpool::Pool.new(max_open: 1, idle_timeout_ms: 1000) { Connection.new }.with { |connection| connection }
      end
    end
    assert_equal 102, number
    assert_whole pool, 2
  end

  def test_compaction_moves_connections
    pool = Libpool::Pool.new(max_open: 100) { "connection #{@count = @count.to_i + 1}" }
    leases = Array.new(100) { pool.checkout }
    expected = leases.map { |lease| lease.connection.dup }
    ids = leases.map { |lease| lease.connection.object_id }
    junk = Array.new(10_000) { +'junk' }
    junk = junk.each_slice(2).map(&:first)
    3.times { GC.compact }
    assert_equal expected, leases.map(&:connection)
    assert_equal ids, leases.map { |lease| lease.connection.object_id }
    leases.each(&:checkin)
    GC.verify_compaction_references(double_heap: true, toward: :empty)
    assert_equal expected.sort, Array.new(100) { pool.checkout.connection }.sort
    assert_equal 5000, junk.size
  end

  def test_automatic_compaction
    pool = pool_of(2)
    compacting do
      300.times do |i|
        pool.with { |connection| connection.use { GC.start if (i % 30).zero? } }
        pool.checkout.discard if (i % 10).zero?
      end
    end
    assert_whole pool, 2
  end

  def make_and_forget(count)
    Array.new(count) do
      pool = Libpool::Pool.new(max_open: 2, idle_timeout_ms: 400_000) { Connection.new }
      pool.with { |connection| WeakRef.new(connection) }
    end
  end

  def test_pools_that_nobody_needs_are_collected
    alive = ->(references) { references.count(&:weakref_alive?) }
    references = make_and_forget(50)
    eventually(60) do
      GC.start
      alive.call(references) < 10 # the stack may still show a few
    end
    eventually(60) { Thread.list.count { |thread| thread.name == 'libpool keeper' } < 10 }
    # Their slots serve others.
    assert_whole pool_of(5), 5
  end

  # In which slot of the library its connection stands.
  def slot_of(pool)
    pool.checkout
    pool.leases.first.lease & 0xFFFFF
  end

  # The slot that was left last is taken first, and other tests have left some: the pools that are kept take those.
  def test_pools_that_are_forgotten_with_their_leases_leave_their_slots_to_others
    slots = Array.new(20) { slot_of(pool_of(1)) }
    kept = []
    eventually(60) do
      GC.start
      slots.include?(slot_of(kept.push(pool_of(1)).last))
    end
  end

  def test_times_of_counts_that_nobody_holds_any_more
    pool = pool_of(1)
    pool.with(&:number)
    times = Array.new(1000) { pool.stats.wait }
    GC.start
    Array.new(10_000) { |i| 'overwritten ' * (i % 90) }
    assert_equal [pool.stats.wait.to_h], times.map(&:to_h).uniq
  end

  # A number whose conversion collects what nobody holds, moves the rest and writes over what was there.
  class Sweeper
    def to_int
      GC.verify_compaction_references(toward: :empty, double_heap: false)
      Array.new(50_000) { +'overwritten' }
      3
    end
  end

  Name = Struct.new(:number) do
    def to_str
      "number #{number}"
    end
  end

  def test_a_name_survives_the_settings_after_it
    names = Array.new(3) do |i|
      Libpool::Pool.new(name: Name.new(i), max_waiters: Sweeper.new) { Connection.new }.report[/number \d/]
    end
    assert_equal ['number 0', 'number 1', 'number 2'], names
  end

  def test_a_lease_keeps_its_pool
    lease = pool_of(1).checkout
    GC.start
    assert_equal 1, lease.connection.number
    lease.checkin
    assert_equal 1, lease.pool.idle
  end
end
