# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# What nobody should do, and some do: it ends with Ruby's own error, and the process goes on.
class ReentryTest < Minitest::Test
  include Support

  ODD = [nil, true, false, :symbol, 'text', -1, -0.5, 2**31, 2**63, -(2**64), 1e300, Float::NAN, Float::INFINITY, [],
         {}, Object.new, Libpool::Pool, Libpool::Pool.allocate, -> {}].freeze

  # Whatever comes of it, it is a StandardError or nothing.
  def survive
    yield
  rescue StandardError => e
    refute_empty e.message
  end

  def test_odd_arguments
    pool = pool_of(2)
    ODD.each do |odd|
      survive { pool.with(timeout: odd) { :lent } }
      survive { pool.with(odd) { :lent } }
      survive { pool.checkout(timeout: odd).checkin }
      %i[checkin discard report].each { |name| survive { pool.public_send(name, odd) } }
      survive { pool.close(timeout: odd) if odd.is_a?(String) || (odd.is_a?(Float) && odd.nan?) }
      %i[max_open max_idle get_timeout_ms name queue close check abandon initial keeper timeout odd].each do |name|
        survive { Libpool::Pool.new(**{ name => odd }) { Connection.new }.close }
      end
    end
    assert_raises(ArgumentError) { pool.close(timeout: -1) }
    assert_whole pool, 2
    ODD.each { |odd| survive { pool_of(1).resize(odd) } }
  end

  def test_objects_that_are_not_made_or_copied
    unmade = Libpool::Pool.allocate
    (Libpool::Pool.public_instance_methods(false) + Libpool::Steering.public_instance_methods(false)).each do |name|
      count = unmade.method(name).arity
      arguments = Array.new(count.negative? ? -count - 1 : count)
      assert_raises(ArgumentError, name.to_s) { unmade.public_send(name, *arguments) { nil } }
    end
    pool = pool_of(1)
    lease = pool.checkout
    [pool, lease].each do |object|
      assert_raises(TypeError) { Marshal.dump(object) }
      assert_raises(NoMethodError, TypeError) { object.dup.inspect && object.dup.connection }
      assert_raises(NoMethodError, TypeError) { object.clone.inspect && object.clone.connection }
    end
    assert_raises(ArgumentError) { pool.send(:initialize) { nil } }
    assert_raises(NoMethodError) { Libpool::Lease.new }
    lease.freeze.checkin
    assert_equal 1, pool.freeze.with(&:number)
  end

  def test_with_inside_with
    pool = pool_of(2)
    pool.with do
      pool.with { assert_raises(Libpool::TimeoutError) { pool.with(timeout: 0) { flunk } } }
    end
    assert_whole pool, 2
  end

  def test_close_inside_with
    pool = pool_of(1)
    connection = pool.with do |lent|
      assert_equal 1, pool.close
      assert_raises(Libpool::ClosedError) { pool.with { flunk } }
      refute lent.closed
      lent
    end
    assert connection.closed
    assert_equal 0, pool.close
  end

  def test_the_pool_inside_its_own_blocks
    pool = nil
    pool = Libpool::Pool.new(max_open: 1, close: ->(_) { pool.with(timeout: 0) { flunk } }) do
      assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0) }
      pool.stats
      Connection.new
    end
    pool.with { |connection| pool.discard(connection) }
    assert_equal 1, pool.stats.close_failures
    pool.with { pool.flush }
    assert_equal 0, pool.size
    pool = Libpool::Pool.new(max_open: 2) { pool.size < 2 ? pool.with(&:itself) : Connection.new }
    assert_instance_of Connection, pool.with(&:itself)
    pool = Libpool::Pool.new(max_open: 1) { pool.close.then { Connection.new } }
    assert_raises(Libpool::ClosedError) { pool.with { flunk } }
    assert_equal 0, pool.size
  end

  def test_all_that_under_stress
    GC.stress = true
    test_close_inside_with
    test_the_pool_inside_its_own_blocks
  ensure
    GC.stress = false
  end
end
