# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# What is wrong is said, and nothing crashes.
class BadInputTest < Minitest::Test
  include Support

  def test_settings
    error = assert_raises(ArgumentError) { Libpool::Pool.new }
    assert_equal 'a pool needs a block that opens a connection', error.message
    error = assert_raises(ArgumentError) { pool_of(-1) }
    assert_equal 'max_open is -1; it must be 1 to 1048568, or 0 (no hard cap)', error.message
    error = assert_raises(ArgumentError) { pool_of(1, max_idel: 3) }
    assert_equal 'no setting is called "max_idel"; did you mean max_idle?', error.message
    assert_raises(ArgumentError) { pool_of(1, maximum: 3) }
    ['5', nil, []].each do |wrong|
      message = "max_open is a #{wrong.class}; it must be a number"
      assert_equal message, assert_raises(TypeError) { pool_of(wrong) }.message
      assert_match(/no setting is called "maximum"/, assert_raises(ArgumentError) { pool_of(1, maximum: wrong) }.message)
    end
    [0.5, Float::NAN, -Float::INFINITY, 3/2r].each do |wrong|
      message = "idle_timeout_ms is #{wrong}; it must be a whole number"
      assert_equal message, assert_raises(ArgumentError) { pool_of(1, idle_timeout_ms: wrong) }.message
    end
    assert_equal 2, pool_of(2.0).stats.max_open
    assert_raises(ArgumentError) { pool_of(1 << 40) }
    assert_raises(RangeError) { pool_of(1 << 64) }
    error = assert_raises(ArgumentError) { pool_of(1, queue: :random) }
    assert_equal 'queue is "random"; it must be fifo (0), lifo (1) or shed (2)', error.message
    assert_raises(ArgumentError) { pool_of(1, keeper: :nobody) }
    assert_raises(ArgumentError) { pool_of(1, name: "a\0b") }
    assert_raises(TypeError) { pool_of(1, close: 3) }
    [-1, Float::NAN, Float::INFINITY, 1e12].each { |wrong| assert_raises(ArgumentError) { pool_of(1, timeout: wrong) } }
    assert_raises(TypeError) { pool_of(1, timeout: 'soon') }
    assert_raises(ArgumentError) { pool_of(1, min_idle: 2) }
  end

  # A program puts them into texts of its own.
  def test_messages_are_utf8
    name = "k\u00e4se"
    pool = pool_of(1, name:)
    late = assert_raises(Libpool::TimeoutError) { pool.with { pool.with(timeout: 0.001) { flunk } } }
    unknown = assert_raises(ArgumentError) { pool_of(1, name => 3) }
    pool.close
    closed = assert_raises(Libpool::ClosedError) { pool.with { flunk } }
    [late, unknown, closed].each { |error| assert_includes "\u00fc: #{error.message}", name }
  end

  def test_arguments
    pool = pool_of(1)
    assert_raises(LocalJumpError) { pool.with }
    assert_raises(ArgumentError) { pool.with(5) { flunk } }
    assert_raises(ArgumentError) { pool.with(time: 5) { flunk } }
    assert_raises(ArgumentError) { pool.with(timeout: -0.1) { flunk } }
    assert_raises(TypeError) { pool.with(timeout: Object.new) { flunk } }
    [nil, 5, 'lease', Object.new].each { |wrong| assert_raises(TypeError) { pool.checkin(wrong) } }
    assert_raises(ArgumentError) { pool.discard(nil) }
    assert_refusals(pool)
    assert_raises(ArgumentError) { pool.resize(-1) }
    assert_raises(ArgumentError) { pool.resume }
    assert_raises(ArgumentError) { pool.close(timeout: -1) }
    assert_whole pool, 1
  end

  def assert_refusals(pool)
    [nil, 'many', 1.5].each do |wrong|
      refused = assert_raises(TypeError) { pool.resize(wrong) }
      assert_equal "pool: max_open is a #{wrong.class}; it must be a whole number", refused.message
    end
    assert_match(/\Apool: max_open is \d+; it must be 1 to /, assert_raises(ArgumentError) { pool.resize(2**70) }.message)
    ['x', :x, Object.new, Complex(1, 1)].each do |wrong|
      refused = assert_raises(TypeError) { pool.health(stuck_after: wrong) }
      assert_equal "pool: stuck_after is a #{wrong.class}; it must be a number of seconds, or nil", refused.message
    end
    [0, -1, Float::NAN, Float::INFINITY, 2**70].each do |wrong|
      refused = assert_raises(ArgumentError) { pool.health_reason(stuck_after: wrong) }
      assert_equal "pool: stuck_after is #{wrong}; it must be above 0 and at most a year in seconds, or nil", refused.message
    end
  end

  def test_a_lease_of_another_pool
    one = pool_of(1)
    other = pool_of(1)
    lease = one.checkout
    assert_equal 'this lease is of another pool', assert_raises(ArgumentError) { other.checkin(lease) }.message
    assert_raises(ArgumentError) { other.discard(lease) }
    assert_raises(ArgumentError) { other.discard(lease.connection) }
    lease.checkin
    assert_whole one, 1
  end

  def test_true_and_false_are_no_numbers
    { max_open: false, idle_timeout_ms: true, retry_min_ms: true }.each do |name, wrong|
      refused = assert_raises(TypeError) { Libpool::Pool.new(name => wrong) { flunk } }
      assert_equal "#{name} is a #{wrong.class}; it must be a number", refused.message
    end
    pool_of(1, paused: true, background_reset: false).close
  end

  def test_a_connection_that_forwards_each_message_is_sent_none
    heard = []
    pool = Libpool::Pool.new(max_open: 1, timeout: 5, close: ->(_) {}) { Proxy.new(heard) }
    pool.with { |connection| pool.tag(connection, 'text') }
    %i[discard discard_broken].each do |name|
      pool.with { |connection| pool.public_send(name, connection) }
      assert_equal 0, pool.size
    end
    refute Libpool.cut_off(Proxy.new(heard))
    assert_empty heard
  end

  def test_objects_that_were_never_made
    empty = Libpool::Pool.allocate
    %i[checkout size idle stats close flush inspect].each do |name|
      assert_raises(ArgumentError) { empty.public_send(name) }
    end
    assert_raises(ArgumentError) { empty.with { flunk } }
    assert_raises(NoMethodError) { Libpool::Lease.new }
    assert_raises(TypeError) { Libpool::Lease.allocate }
    pool = pool_of(1)
    assert_raises(TypeError) { pool.dup.size }
    assert_raises(ArgumentError) { pool.send(:initialize) { Connection.new } }
    assert_raises(TypeError) { Libpool::Pool.instance_method(:with).bind_call(Object.new) }
    assert_raises(TypeError) { Libpool::Native.pool_len(Object.new) }
    assert_raises(TypeError) { Libpool::Native.pool_tag(5, 'text') }
    assert_whole pool, 1
  end
end
