# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'

# Pools by key.
class GroupTest < Minitest::Test
  include Support

  def setup
    @groups = []
    @opened = Hash.new(0)
    @open = @most = 0
    @lock = Mutex.new
  end

  def teardown
    @groups.each { |group| group.close(timeout: 20) }
  end

  # Its connections are the keys that they were opened for.
  def group(**settings)
    count = ->(by) { @lock.synchronize { @most = [@most, @open += by].max } }
    settings = { name: 'shop', close: ->(_) { count.call(-1) } }.merge(settings)
    made = Libpool::Group.new(**settings) do |key|
      @lock.synchronize { @opened[key] += 1 }
      count.call(1)
      key.dup
    end
    made.tap { |each| @groups << each }
  end

  # Of this test alone.
  def budget(limit)
    "process:ruby-group-#{Process.pid}-#{object_id}?limit=#{limit}"
  end

  # ---- keys

  def test_each_key_has_a_pool_of_its_own
    group = group()
    assert_equal 'one', group.with('one') { |connection| connection }
    lease = group.checkout('two')
    assert_equal 'two', lease.connection
    lease.checkin
    group.with('one') { nil }
    assert_equal({ 'one' => 1, 'two' => 1 }, @opened)
    assert_equal %w[one two], group.keys.sort
    assert_same group.pool('one'), group.pool(:one)
    assert_equal [2, 2, 0, 0, 2, 2, 0, 0], group.stats.to_a
    assert_match(/keys.*2/, group.inspect)
    assert_includes group.pool('one').report, 'shop/one'
  end

  def test_a_key_is_any_bytes_whatever_their_encoding
    group = group()
    key = "\u00e9\0"
    assert_same group.pool(key), group.pool(key.b)
    assert_equal 1, group.stats.keys
    assert_equal key, group.with(key) { |connection| connection }
  end

  # As one that is read into the same buffer each time.
  def test_a_key_that_changes_is_another_key
    group = group(key_idle_ms: 20)
    key = +'one'
    group.with(key) { nil }
    key.replace('two')
    group.with(key) { nil }
    group.pool('one').flush
    assert_equal 'one', group.with('one') { |connection| connection }
    pools = %w[one two].map { |each| group.pool(each) }
    pools.each(&:flush)
    eventually { group.stats.keys.zero? }
    assert_empty group.keys
  end

  def test_errors_name_the_group_and_the_key
    group = group(max_open: 1, max_keys: 1)
    lease = group.checkout('acme')
    error = assert_raises(Libpool::TimeoutError) { group.checkout('acme', timeout: 0) }
    assert_match(%r{\Ashop/acme: }, error.message)
    error = assert_raises(Libpool::OverloadError) { group.with('other') { flunk } }
    assert_match(%r{\Ashop/other: the group has max_keys, 1}, error.message)
    assert_equal 1, group.stats.refused
    lease.checkin
    error = assert_raises(ArgumentError) { group.pool('') }
    assert_includes error.message, 'a key has 1 to 255 bytes, not 0'
    assert_raises(ArgumentError) { group.pool('x' * 256) }
    assert_raises(LocalJumpError) { group.with('acme') }
  end

  def test_what_is_set_wrong_is_refused_at_once
    { max_keys: 0, key_idle_ms: 0, keeper: :manual, initial: 1, max_open: -1, budget: 'nonsense', close: 7,
      openers: 1, none: 1 }.each do |name, value|
      error = assert_raises(ArgumentError, TypeError, name) { Libpool::Group.new(name => value) { flunk } }
      assert_includes error.message, name.to_s
    end
    assert_raises(ArgumentError) { Libpool::Group.new }
    assert_raises(ArgumentError) { Libpool::Group.allocate.stats }
    assert_raises(TypeError) { group.dup }
  end

  def test_prepare_says_what_is_special_to_a_key
    group = group(max_open: 3, prepare: ->(key) { { max_open: 1 } if key == 'small' })
    small = group.pool('small')
    assert_equal 1, small.stats.max_open
    assert_equal 3, group.pool('large').stats.max_open
    failing = group(prepare: ->(_) { raise IOError, 'no such tenant' })
    assert_raises(IOError) { failing.pool('one') }
    wrong = group(prepare: ->(_) { { max_open: 1, min_idle: 2 } })
    assert_match(%r{\Ashop/one: min_idle is 2}, assert_raises(ArgumentError) { wrong.pool('one') }.message)
    assert_raises(ArgumentError) { group(prepare: ->(_) { { check: -> {} } }).pool('one') }
    assert_equal [0, 0], [failing, wrong].map { |each| each.stats.keys }
  end

  def test_what_open_raises_comes_to_the_caller
    calls = 0
    failing = Libpool::Group.new { |_| (calls += 1) && raise(Libpool::ClosedError, 'of its own') }
    @groups << failing
    assert_equal 'of its own', assert_raises(Libpool::ClosedError) { failing.checkout('one') }.message
    assert_equal 1, calls
  end

  def test_what_the_block_raises_comes_to_the_caller
    group = group()
    [StopIteration, ArgumentError, Libpool::ClosedError].each do |kind|
      assert_raises(kind) { group.with('one') { raise kind, 'of the block' } }
    end
    assert_equal 1, group.stats.made
  end

  def test_a_block_is_left_as_that_of_a_pool
    group = group()
    assert_equal(7, group.with('one') { break 7 })
    assert_raises(Libpool::ClosedError) { group.with('one') { raise Libpool::ClosedError, 'not of the pool' } }
    assert_equal 1, @opened['one']
    catch(:thrown) { group.with('one') { throw :thrown } }
    group.with('one') { nil }
    assert_equal 2, @opened['one']
  end

  # ---- the limit

  def test_keys_share_the_limit_of_their_budget
    group = group(budget: budget(3))
    threads = Array.new(8) do |i|
      Thread.new { 40.times { |n| group.with("key#{(i + n) % 10}", timeout: 60) { Thread.pass } } }
    end
    threads.each(&:join)
    assert_includes 1..3, @most
    assert_equal 10, group.stats.keys
  end

  def test_an_idle_connection_of_another_key_is_closed_at_once
    group = group(budget: budget(1))
    group.with('one') { nil }
    assert_equal 'two', group.with('two', timeout: 60) { |connection| connection }
    assert_equal 0, group.pool('one').size
    assert_equal 1, @most
  end

  # With nothing but the group's own thread to tell them.
  def test_who_waits_for_a_permit_of_another_key_is_woken
    group = group(budget: budget(1))
    lease = group.checkout('one')
    waiter = Thread.new { group.with('two', timeout: nil) { |connection| connection } }
    waits group.pool('two')
    lease.checkin
    assert waiter.join(60), 'it was not woken'
    assert_equal 'two', waiter.value
    assert_equal 1, @most
  end

  # Where who asks for a key does what the group's own thread would have done.
  def test_an_interrupt_of_another_get_does_not_lose_what_a_waiter_is_to_be_told
    others = Thread.list
    group = group(budget: budget(1))
    (Thread.list - others).each { |listener| listener.kill.join }
    lease = group.checkout('one')
    waiter = Thread.new { group.with('two', timeout: nil) { |connection| connection } }
    waits group.pool('two')
    lease.checkin
    stop = TracePoint.new(:c_call) { |point| Thread.current.raise(Interrupt) if point.method_id == :attend }
    assert_raises(Interrupt) { stop.enable(target_thread: Thread.current) { eventually { group.keys && false } } }
    eventually { group.keys && !waiter.alive? }
    assert_equal 'two', waiter.value
  end

  # ---- keys are let go of

  def test_a_key_without_connections_goes_away_without_anybody_asking
    group = group(key_idle_ms: 20)
    pool = group.pool('one')
    lease = group.checkout('two')
    eventually { group.stats.let_go >= 1 && pool.closed? }
    assert_raises(Libpool::ClosedError) { pool.checkout }
    refute group.pool('two').closed?
    lease.checkin
    group.pool('two').flush
    eventually { group.stats.keys.zero? }
    assert_empty group.keys
    group.with('one') { nil }
    refute_same pool, group.pool('one')
  end

  def test_keys_go_away_though_what_is_called_for_one_fails
    group = group(key_idle_ms: 20)
    failing = group.pool('one')
    failing.define_singleton_method(:close) { |**| raise NotImplementedError }
    _, told = capture_io { eventually { group.stats.keys.zero? } }
    group.pool('two')
    eventually { group.stats.keys.zero? }
    assert_includes told, 'NotImplementedError'
  end

  def test_the_closing_of_a_pool_ends_its_key
    group = group()
    pool = group.pool('one')
    lease = group.checkout('one')
    assert_equal 1, pool.close
    assert_equal 'one', group.with('one') { |connection| connection }
    refute_same pool, group.pool('one')
    lease.checkin
    assert_equal 0, pool.size
    assert_equal 2, @opened['one']
  end

  def test_a_get_races_with_letting_go_and_never_fails
    group = group(key_idle_ms: 1)
    threads = Array.new(4) do |i|
      Thread.new do
        n = 0
        group.checkout("key#{(i * (n += 1)) % 100}", timeout: 60).discard while n < 100 || group.stats.let_go < 20
      end
    end
    threads.each(&:join)
    eventually { group.stats.keys.zero? }
    assert_equal 0, @open
  end

  # Neither memory, nor threads, nor descriptors.
  def test_nothing_is_left_of_keys_that_pass_through
    group = group(max_keys: 10, budget: budget(2), idle_timeout_ms: 60_000)
    pass = ->(count, from) { count.times { |i| group.with("key#{from + i}") { nil } } }
    pass.call(50, 0)
    descriptors = Dir.children('/proc/self/fd').size
    pass.call(400, 50)
    assert_operator Dir.children('/proc/self/fd').size, :<=, descriptors + 5
    assert_operator group.stats.keys, :<=, 10
    4.times { GC.start }
    assert_operator ObjectSpace.each_object(Libpool::Pool).count(&:closed?), :<, 100
    eventually { Thread.list.size < 30 }
  end

  # ---- the end

  def test_a_closed_one_lends_nothing_and_drains
    group = group()
    lease = group.checkout('one')
    group.with('two') { nil }
    waiter = Thread.new { assert_raises(Libpool::ClosedError) { group.with('three', timeout: nil) { Queue.new.pop } } }
    eventually { @opened['three'] == 1 }
    waiter.kill.join
    assert_equal 1, group.close
    assert_predicate group, :closed?
    error = assert_raises(Libpool::ClosedError) { group.checkout('one') }
    assert_equal 'shop/one: the group is closed', error.message
    closer = Thread.new { group.close(timeout: nil) }
    lease.checkin
    assert_equal 0, closer.value
    assert_equal 0, @open
  end

  def abandoned
    group = Libpool::Group.new(budget: budget(1)) { |key| key.dup }
    group.with('one') { nil }
    WeakRef.new(group)
  end

  def test_one_that_nobody_has_any_more_is_collected
    require 'weakref'
    groups = Array.new(20) { abandoned }
    eventually do
      GC.start
      groups.count(&:weakref_alive?) < 10
    end
    eventually { Thread.list.count { |thread| thread.name == 'libpool listener' } < 15 }
  end

  def test_a_child_of_fork_has_the_same_keys_and_connections_of_its_own
    group = group(budget: "host:ruby-group-#{Process.pid}?limit=2", key_idle_ms: 50)
    parent = group.with('one') { |connection| connection.object_id }
    child = in_child do
      first = group.with('one', timeout: 60) { |connection| connection.object_id == parent }
      group.pool('one').flush
      eventually { group.stats.keys.zero? } # its thread keeps the time here as well
      [first, group.with('two', timeout: 60) { |connection| connection }]
    end
    assert_equal [false, 'two'], child
    group.pool('one').flush
    eventually { group.stats.keys.zero? }
  end

  def test_events_are_told_with_the_name_of_the_key
    lines = Queue.new
    failing = Libpool::Group.new(name: 'shop', retry_min_ms: 1, log: ->(_, line) { lines << line }) { raise IOError, 'down' }
    @groups << failing
    assert_raises(IOError) { failing.checkout('one', timeout: 0.05) }
    assert_match(%r{\Ashop/one: }, lines.pop)
  end
end
