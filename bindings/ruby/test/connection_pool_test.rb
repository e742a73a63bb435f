# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'libpool/connection_pool'

# The interface of the gem connection_pool 3.0: each method and message.
class ConnectionPoolTest < Minitest::Test
  include Support

  def pool(size = 1, timeout: 5, **options)
    @opened = []
    ConnectionPool.new(size:, timeout:, **options) { Connection.new(@opened.size + 1).tap { |made| @opened << made } }
  end

  def elsewhere(&block)
    Thread.new(&block).value
  end

  def assert_timeout(message = nil, &block)
    error = elsewhere { assert_raises(ConnectionPool::TimeoutError, &block) }
    assert_operator message, :===, error.message if message
    error
  end

  def test_a_connection_that_forwards_each_message_is_sent_none
    heard = []
    handled = []
    note = ->(connection) { handled << connection }
    pool = ConnectionPool.new(size: 1, timeout: 5, reset: note, close: note) { Proxy.new(heard) }
    pool.with { pool.with { assert_equal 0, pool.available } }
    pool.then { pool.checkout && pool.checkin }
    pool.with { pool.discard_current_connection }
    pool.with { pool.reload(&note) }
    pool.with { pool.with { nil } }
    pool.shutdown(&note)
    assert_empty heard
    refute_empty handled
  end

  def test_names
    assert_equal '3.0.2', ConnectionPool::VERSION
    assert_equal RuntimeError, ConnectionPool::Error.superclass
    assert_equal ConnectionPool::Error, ConnectionPool::PoolShuttingDownError.superclass
    assert_equal Timeout::Error, ConnectionPool::TimeoutError.superclass
    lent = pool
    assert_equal lent.method(:with), lent.method(:then)
  end

  def test_new
    assert_equal 5, ConnectionPool.new { 1 }.size
    assert_equal 2, ConnectionPool.new(size: '2') { 1 }.size
    assert_equal 7, ConnectionPool.new(name: 'redis') { 7 }.with(&:itself)
    error = assert_raises(ArgumentError) { ConnectionPool.new }
    assert_equal 'Connection pool requires a block', error.message
    error = assert_raises(ArgumentError) { ConnectionPool.new(size: -1) { 1 } }
    assert_equal 'Connection pool size cannot be negative', error.message
    { size: nil, timeout: nil }.each { |option| assert_raises(TypeError) { ConnectionPool.new(**[option].to_h) { 1 } } }
    { size: '', timeout: 'soon', speed: 1 }.each do |option|
      assert_raises(ArgumentError) { ConnectionPool.new(**[option].to_h) { 1 } }
    end
  end

  def test_with
    lent = pool(2)
    assert_equal 42, lent.with { 42 }
    first = lent.with { |connection| connection }
    assert_same(first, lent.then { |connection| connection })
    lent.with do
      assert_equal [1, 0], [lent.available, lent.idle]
      elsewhere { lent.with { assert_equal 0, lent.available } }
    end
    assert_equal [2, 2], [lent.available, lent.idle]
    assert_raises(IOError) { lent.with { raise IOError } }
    assert_equal(:thrown, catch(:out) { lent.with { throw :out, :thrown } })
    assert_equal(1, lent.with { break 1 })
    assert_equal 2, lent.available
    assert_raises(LocalJumpError) { lent.with }
  end

  # By position: so Rails before 8.1.2, Sidekiq before 8.0.10 and net-http-persistent before 4.0.6 do it.
  def test_arguments_of_connection_pool_2
    lent = ConnectionPool.new({ size: 1, timeout: 0, unknown: true }) { Connection.new }
    assert_equal [1, true], [lent.size, lent.auto_reload_after_fork]
    first = lent.checkout({ timeout: nil })
    elsewhere do
      assert_raises(ConnectionPool::TimeoutError) { lent.with({ timeout: 0.01 }) { flunk } }
      assert_nil lent.checkout({ timeout: 0, exception: false })
    end
    lent.checkin
    lent.reap(0) { |connection| assert_same first, connection }
    assert_equal 1, lent.with({}) { lent.available + 1 }
    assert_equal 0, ConnectionPool.wrap({ size: 1 }) { Connection.new }.number
    assert_equal 0, ConnectionPool::Wrapper.new({ pool: lent }).with({ timeout: 1 }, &:number)
  end

  def test_a_method_that_was_written_for_connection_pool_2
    lent = pool(1, timeout: 0)
    def lent.checkout(options = {})
      @asked = options[:timeout]
      super
    end
    assert_equal(1, lent.with({ timeout: 3 }) { lent.available + 1 })
    assert_equal(1, lent.with(timeout: 3) { lent.available + 1 })
    assert_equal 3, lent.instance_variable_get(:@asked)
  end

  def test_with_is_reentrant
    lent = pool(1, timeout: 0)
    lent.with do |outer|
      lent.with { |inner| assert_same outer, inner }
      assert_same outer, lent.checkout
      assert_nil lent.checkin
      assert_timeout { lent.with { flunk } }
    end
    assert_equal 1, lent.with { lent.available + 1 }
    assert_equal 1, lent.available
  end

  def test_each_fiber_has_its_own
    lent = pool(2)
    lent.with do |mine|
      Fiber.new { lent.with { |other| refute_same mine, other } }.resume
    end
    assert_equal 2, lent.idle
  end

  def test_checkout_and_checkin
    lent = pool(1, timeout: 0, name: 'jobs')
    connection = lent.checkout
    assert_same connection, lent.checkout
    assert_timeout('Waited 0.0 sec, 0/1 available') { lent.checkout }
    assert_timeout(/\AWaited 0\.01 sec, 0\/1 available; jobs: no connection in time: \d+ ms .*; 1 of 1 are open, 1 leased, /) do
      lent.checkout(timeout: 0.01)
    end
    assert_nil lent.checkin
    assert_timeout { lent.checkout }
    lent.checkin
    assert_same connection, elsewhere { lent.checkout.tap { lent.checkin } }
    error = assert_raises(ConnectionPool::Error) { lent.checkin }
    assert_equal 'no connections are checked out', error.message
    assert_nil lent.checkin(force: true)
    2.times { lent.checkout }
    assert_nil lent.checkin(force: true)
    assert_equal 1, lent.available
  end

  def test_checkin_and_checkout_inside_with
    lent = pool
    error = assert_raises(ConnectionPool::Error) { lent.with { lent.checkin } }
    assert_equal 'no connections are checked out', error.message
    assert_equal 1, lent.available
    lent.with { lent.checkout }
    assert_equal 0, lent.available
    lent.checkin
    assert_equal [1, 1], [lent.available, lent.idle]
    lent.with { lent.checkin.then { lent.checkout } }
    assert_equal 1, lent.available
  end

  def test_timeout_and_exception
    lent = pool
    lent.with do
      elsewhere do
        assert_raises(IOError) { lent.with(timeout: 0, exception: IOError) { flunk } }
        assert_nil lent.checkout(timeout: 0, exception: false)
        assert_equal [nil], lent.with(timeout: 0, exception: false) { |connection| [connection] }
        assert_raises(TypeError) { lent.checkout(timeout: nil) }
        assert_raises(ArgumentError) { lent.checkout(timeout: 'soon') }
        assert_timeout('Waited -1 sec, 0/1 available') { lent.with(timeout: -1) { flunk } }
        assert_timeout { lent.with(timeout: Float::NAN) { flunk } }
      end
    end
    assert_equal 1, lent.with(timeout: 1e12, &:number)
    assert_equal 1, lent.available
  end

  def test_the_block_fails
    failing = true
    lent = ConnectionPool.new(size: 1, timeout: 0) { failing ? raise(IOError, 'refused') : 1 }
    3.times { assert_equal 'refused', assert_raises(IOError) { lent.with { flunk } }.message }
    assert_raises(IOError) { lent.checkout }
    assert_equal 1, lent.available
    failing = false
    assert_equal 1, lent.with(&:itself)
    inner = Libpool::Pool.new(max_open: 1) { 1 }
    inner.checkout
    lent = ConnectionPool.new { inner.checkout(timeout: 0) }
    assert_raises(Libpool::TimeoutError) { lent.with { flunk } } # what it is, though not ours
    assert_raises(Libpool::TimeoutError) { lent.with { inner.checkout(timeout: 0) } }
  end

  def test_the_block_fails_while_another_connection_may_come
    why = thread = first = nil
    failing = ConnectionPool.new(size: 2, timeout: 5) { why ? raise(IOError, why) : Connection.new }
    failing.with do |connection|
      first = connection
      why = 'full'
      error = elsewhere { assert_raises(ConnectionPool::TimeoutError) { failing.with(timeout: 0.03) { flunk } } }
      assert_equal 'full', error.cause.cause.message
      assert_instance_of IOError, error.cause.cause
      thread = Thread.new { failing.with { |other| other } }
      Thread.pass until thread.stop?
    end
    assert_same first, thread.value
    why = 'down'
    failing.reload(&:itself)
    assert_equal 'down', assert_raises(IOError) { failing.with { flunk } }.message
  end

  def test_discard_current_connection
    lent = pool
    given = nil
    assert_nil(lent.with { lent.discard_current_connection { |connection| given = connection } })
    assert_same @opened[0], given
    assert_equal [1, 1, 0], [lent.size, lent.available, lent.idle]
    lent.with { lent.with { lent.discard_current_connection { raise 'ignored' } } }
    lent.checkout
    lent.discard_current_connection
    lent.checkin
    assert_equal 4, lent.with(&:number)
    assert_nil lent.discard_current_connection
    assert_equal 4, lent.with(&:number)
  end

  def test_shutdown
    lent = pool(3)
    closed = []
    mine = lent.checkout
    elsewhere { lent.with { |connection| connection } }
    lent.shutdown { |connection| closed << connection }
    assert_equal [@opened[1]], closed
    error = elsewhere { assert_raises(ConnectionPool::PoolShuttingDownError) { lent.checkout } }
    assert_equal 'ConnectionPool::PoolShuttingDownError', error.message
    elsewhere { assert_raises(ConnectionPool::PoolShuttingDownError) { lent.with { flunk } } }
    lent.checkin
    assert_equal [@opened[1], mine], closed
    assert_equal 'shutdown must receive a block', assert_raises(ArgumentError) { lent.shutdown }.message
    assert_raises(ConnectionPool::PoolShuttingDownError) { lent.reap { flunk } }
  end

  def test_shutdown_while_others_wait
    lent = pool
    lent.checkout
    waiter = Thread.new { assert_raises(ConnectionPool::PoolShuttingDownError) { lent.with(timeout: 60) { flunk } } }
    eventually { waiter.status == 'sleep' }
    lent.shutdown(&:close)
    waiter.join
    lent.checkin
    assert @opened[0].closed
  end

  def test_what_the_block_of_shutdown_raises
    lent = pool(2)
    lent.with { elsewhere { lent.with { nil } } }
    calls = 0
    assert_raises(IOError) { lent.shutdown { |_| (calls += 1) && raise(IOError) } }
    lent.shutdown { calls += 1 }
    assert_equal 2, calls
    lent = pool
    assert_raises(IOError) { lent.with { lent.shutdown { raise IOError } } }
    lent = pool
    lent.checkout
    lent.shutdown { raise IOError }
    assert_raises(IOError) { lent.checkin }
  end

  def test_reload
    lent = pool(2)
    assert_equal 'shutdown must receive a block', assert_raises(ArgumentError) { lent.reload }.message
    lent.with { elsewhere { lent.with { nil } } }
    lent.reload(&:close)
    assert @opened.all?(&:closed)
    assert_equal 3, lent.with(&:number)
    lent.shutdown(&:close)
    lent.reload(&:close)
    assert_equal 4, lent.with(&:number)
  end

  def test_reap
    lent = pool(2)
    lent.with { elsewhere { lent.with { nil } } }
    lent.reap { flunk }
    lent.reap(idle_seconds: 1000) { flunk }
    assert_equal 2, lent.idle
    lent.reap(idle_seconds: 0, &:close)
    assert_equal [0, 2], [lent.idle, lent.available]
    assert @opened.all?(&:closed)
    assert_equal 'reap must receive a block', assert_raises(ArgumentError) { lent.reap }.message
    error = assert_raises(ArgumentError) { lent.reap(idle_seconds: '0') { flunk } }
    assert_equal 'idle_seconds must be a number', error.message
    lent.with { lent.reap(idle_seconds: 0) { flunk } } # it is lent
  end

  def test_wrapper
    made = Struct.new(:value) do
      def add(number, twice: false)
        self.value += twice ? 2 * number : number
      end

      def eval(text)
        "this is #{text}"
      end
    end
    wrapper = ConnectionPool.wrap(size: 1, timeout: 0) { made.new(1) }
    assert_equal 3, wrapper.add(2)
    assert_equal 7, wrapper.add(2, twice: true)
    assert_equal 'this is it', wrapper.eval('it')
    assert_equal(7, wrapper.with(&:value))
    assert_equal [1, 1], [wrapper.pool_size, wrapper.pool_available]
    assert_respond_to wrapper, :with
    assert_respond_to wrapper, :add
    refute_respond_to wrapper, :subtract
    assert_raises(NoMethodError) { wrapper.subtract }
    assert_instance_of ConnectionPool, wrapper.wrapped_pool
    assert_equal 7, ConnectionPool::Wrapper.new(pool: wrapper.wrapped_pool).value
    wrapper.pool_shutdown { |connection| connection.value = 0 }
    assert_raises(ConnectionPool::PoolShuttingDownError) { wrapper.value }
  end

  def test_an_overridden_checkout_is_used
    counting = Class.new(ConnectionPool) do
      attr_reader :calls

      def checkout(**)
        @calls = @calls.to_i + 1
        super
      end
    end
    lent = counting.new(size: 1) { :connection }
    assert_equal(:connection, lent.with { |connection| lent.with { connection } })
    assert_equal [2, 1], [lent.calls, lent.available]
    assert_raises(IOError) { lent.with { raise IOError } }
    assert_equal 1, lent.available
  end

  def test_frozen_copied_and_unmade
    lent = pool
    assert_raises(TypeError) { Marshal.dump(lent) }
    assert_equal 1, lent.freeze.with(&:number)
    assert_raises(NoMethodError, TypeError) { ConnectionPool.allocate.with { flunk } }
  end
end

# Its faults, which these do not have.
class ConnectionPoolFaultsTest < Minitest::Test
  include Support

  def waiting(lent)
    waiter = Thread.new { lent.with(timeout: 60) { |connection| [connection, now] } }
    eventually { waiter.status == 'sleep' }
    waiter
  end

  # There a waiter slept on until its timeout.
  def test_a_discard_wakes_who_waits
    lent = ConnectionPool.new(size: 1) { Object.new }
    first = lent.checkout
    waiter = waiting(lent)
    lent.discard_current_connection
    lent.checkin
    refute_same first, waiter.value[0]
  end

  # There what other threads had at the fork was missing in the child for ever.
  def test_a_child_has_its_full_size
    lent = ConnectionPool.new(size: 2, timeout: 0) { Connection.new(Process.pid) }
    done = Queue.new
    held = Thread.new { lent.with { done.pop } }
    eventually { lent.available == 1 }
    lent.with do |mine|
      assert_equal([[2, 0], true, 0, [2, 2], false], in_child do
        before = [lent.available, lent.idle]
        pids = lent.with { |one| [one, Fiber.new { lent.with { |other| other } }.resume] }.map(&:number)
        [before, pids == [Process.pid] * 2, lent.with { lent.idle - 1 }, [lent.available, lent.idle], mine.closed]
      end)
    end
    done << true
    held.join
    assert_equal 2, lent.available
  end

  def test_a_child_that_keeps_what_it_finds
    lent = ConnectionPool.new(size: 2, timeout: 0, auto_reload_after_fork: false) { Connection.new(Process.pid) }
    lent.with { nil }
    parent = Process.pid
    assert_equal([parent, 2], in_child { [lent.with(&:number), lent.available] })
  end

  def test_a_fork_inside_with
    lent = ConnectionPool.new(size: 1, timeout: 0) { Process.pid }
    reader, writer = IO.pipe
    parent = Process.pid
    pid = lent.with { fork }
    if pid.nil?
      writer.write(Marshal.dump([lent.available, lent.with(&:itself) == Process.pid]))
      exit!(0)
    end
    writer.close
    assert_equal [1, true], Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
    Process.wait(pid)
    assert_equal parent, lent.with(&:itself)
  end

  def test_after_fork
    opened = []
    lent = ConnectionPool.new(size: 1) { Connection.new.tap { |made| opened << made } }
    lent.checkout
    assert_nil ConnectionPool.after_fork
    assert opened[0].closed
    assert_equal [1, 0], [lent.available, lent.idle]
  end

  # There a return waited for somebody else's connect.
  def test_a_return_does_not_wait_for_an_open
    connects = Queue.new
    count = 0
    lent = ConnectionPool.new(size: 2) { (count += 1) == 1 ? :first : connects.pop }
    lent.checkout
    opener = Thread.new { lent.with(&:itself) }
    eventually { opener.status == 'sleep' }
    lent.checkin # it would hang here
    assert_equal :first, lent.with(&:itself)
    connects << :second
    assert_equal :second, opener.value
  end

  # There the old connection was lent again, and nobody closed it.
  def test_a_reload_replaces_what_is_lent
    lent = ConnectionPool.new(size: 1) { Connection.new }
    old = lent.checkout
    lent.reload(&:close)
    refute old.closed
    lent.checkin
    assert old.closed
    refute_same(old, lent.with(&:itself))
  end

  # There some waited for seconds while others took turns thousands of times.
  def test_turns_are_taken
    lent = ConnectionPool.new(size: 1, timeout: 60) { Object.new }
    served = Queue.new
    waiters = lent.with do
      Array.new(20) do |i|
        Thread.new { lent.with { served << i } }.tap { |thread| eventually { thread.status == 'sleep' } }
      end
    end
    waiters.each(&:join)
    assert_equal [*0...20], Array.new(20) { served.pop }
  end
end

# The stack by itself, which other gems make subclasses of.
class TimedStackTest < Minitest::Test
  include Support

  def stack_of(size, kind = ConnectionPool::TimedStack)
    kind.new(size:) { Object.new }
  end

  def each_kind
    yield ConnectionPool::TimedStack
    yield Class.new(ConnectionPool::TimedStack) # which is ready to be extended
  end

  def test_pop_and_push
    each_kind do |kind|
      stack = stack_of(1, kind)
      assert_equal [1, 1, 0, false], [stack.max, stack.length, stack.idle, stack.empty?]
      connection = stack.pop
      assert_equal [0, 0, true], [stack.length, stack.idle, stack.empty?]
      error = assert_raises(ConnectionPool::TimeoutError) { stack.pop(timeout: 0) }
      assert_equal 'Waited 0 sec, 0/1 available', error.message
      assert_nil stack.pop(timeout: 0, exception: false)
      assert_raises(IOError) { stack.pop(timeout: 0, exception: IOError) }
      stack << connection
      assert_equal [1, 1], [stack.length, stack.idle]
      assert_same connection, stack.pop
    end
  end

  def test_a_reload_whose_block_raises_is_no_shutdown
    each_kind do |kind|
      stack = stack_of(2, kind)
      lent = Array.new(2) { stack.pop }
      lent.each { |connection| stack.push(connection) }
      assert_raises(IOError) { stack.shutdown(reload: true) { raise IOError } }
      stack.reap(idle_seconds: -1) { nil }
      refute_includes lent, stack.pop(timeout: 0)
      assert_equal 1, stack.length
    end
  end

  def test_one_of_no_size
    each_kind do |kind|
      stack = kind.new
      error = assert_raises(ConnectionPool::TimeoutError) { stack.pop(timeout: 0) }
      assert_equal 'Waited 0 sec, 0/0 available', error.message
      waiter = Thread.new { stack.pop(timeout: 60) }
      eventually { waiter.status == 'sleep' }
      stack.push(:given)
      assert_equal :given, waiter.value
      stack.push(:given)
      assert_equal [1, 1], [stack.length, stack.idle]
      stack.shutdown(reload: true) { nil }
      assert_equal 0, stack.length
    end
  end

  def test_another_is_pushed_instead
    stack = stack_of(1)
    popped = stack.pop
    other = Object.new
    stack.push(other)
    assert_equal [1, 1], [stack.length, stack.idle]
    stack.push(popped)
    assert_equal [2, 2], [stack.length, stack.idle]
    assert_equal [popped, other].map(&:object_id).sort, Array.new(2) { stack.pop(timeout: 0).object_id }.sort
    stack.shutdown(reload: true) { nil }
    assert_nil stack.pop(timeout: 0, exception: false)
  end

  def test_the_same_object_twice
    stack = ConnectionPool::TimedStack.new(size: 2) { :same }
    2.times { assert_equal :same, stack.pop }
    assert_equal 0, stack.length
    2.times { stack.push(:same) }
    assert_equal [2, 2], [stack.length, stack.idle]
  end

  def test_decrement_created
    stack = stack_of(1)
    first = stack.pop
    stack.decrement_created
    assert_equal [1, 0], [stack.length, stack.idle]
    refute_same first, stack.pop
  end

  def test_reap_in_order_and_again_after_an_error
    stack = stack_of(3)
    connections = Array.new(3) { stack.pop }
    connections.each { |connection| stack.push(connection) }
    reaped = []
    assert_raises(IOError) { stack.reap(idle_seconds: 0) { |connection| (reaped << connection) && raise(IOError) } }
    assert_equal 2, stack.idle
    stack.reap(idle_seconds: 0) { |connection| reaped << connection }
    assert_equal connections.map(&:object_id), reaped.map(&:object_id)
    stack.push(stack.pop)
    stack.reap(idle_seconds: 0) { |connection| stack.push(connection) } # back again, and that is no loop
    assert_equal [3, 1], [stack.length, stack.idle]
  end

  def test_shutdown
    each_kind do |kind|
      stack = stack_of(2, kind)
      lent = stack.pop
      stack.pop.then { |connection| stack.push(connection) }
      closed = []
      stack.shutdown { |connection| closed << connection }
      assert_equal 1, closed.size
      assert_raises(ConnectionPool::PoolShuttingDownError) { stack.pop }
      stack.push(lent)
      assert_same lent, closed.last
      stack.push(:unknown)
      assert_equal :unknown, closed.last
    end
  end

  def test_a_stack_by_position
    stack = ConnectionPool::TimedStack.new(1) { :one }
    assert_equal :one, stack.pop(0)
    assert_raises(ConnectionPool::TimeoutError) { stack.pop(0.01) }
    assert_raises(ConnectionPool::TimeoutError) { stack.pop({ timeout: 0 }) }
    assert_raises(IOError) { stack.pop(0, { exception: IOError }) }
    assert_nil stack.pop(0, exception: false)
    stack.push(:one, {})
    assert_equal :one, stack.pop({})
    stack << :one
    stack.reap(0) { |one| assert_equal :one, one }
    error = assert_raises(ArgumentError) { stack.reap { flunk } }
    assert_equal 'idle_seconds must be a number', error.message
  end

  def test_inspect_shows_no_connection
    secret = Struct.new(:password).new('hidden')
    lent = Class.new(ConnectionPool) { def self.to_s = 'Shops' }.new(size: 2, name: 'shop') { secret }
    lent.with { assert_equal '#<Shops "shop" size=2 available=1 idle=0>', lent.inspect }
    stack = ConnectionPool::TimedStack.new(size: 2) { secret }
    stack.push(stack.pop)
    assert_equal '#<ConnectionPool::TimedStack max=2 length=2 idle=1>', stack.inspect
  end

  # As the gem net-http-persistent does it: connections by host, and the oldest goes where there is no room.
  class ByHost < ConnectionPool::TimedStack
    def initialize(size = 0, &block)
      super(size:, &block)
      @by_host = Hash.new { |hash, host| hash[host] = [] }
      @stored = 0
    end

    def length
      @max - @created + @stored
    end

    def idle
      @stored
    end

    private

    def connection_stored?(options = {})
      !@by_host[options[:host]].empty?
    end

    def fetch_connection(options = {})
      @stored -= 1
      @by_host[options[:host]].pop
    end

    def store_connection(connection, options = {})
      @by_host[options[:host]].push(connection)
      @stored += 1
    end

    def shutdown_connections
      @by_host.each_key { |host| super(host:) }
    end

    def try_create(options = {})
      if @created >= @max && @stored.positive?
        @by_host.values.find(&:any?).shift.close
        @stored -= 1
        @created -= 1
      end
      return unless @created < @max

      @created += 1
      @create_block.call(options[:host])
    end
  end

  # Whose connections come back to its store alone, so that a place may be had and no connection.
  class Barren < ConnectionPool::TimedStack
    attr_accessor :later

    private

    def current_time = super + @later.to_i
    def connection_stored?(*) = false
    def try_create(*) = @created.zero? ? super : nil
  end

  def test_a_stack_that_stores_by_itself_waits_its_timeout_once
    stack = Barren.new(size: 1) { Object.new }
    one = stack.pop
    waiter = Thread.new { assert_raises(ConnectionPool::TimeoutError) { stack.pop(timeout: 120) } }
    eventually { waiter.status == 'sleep' }
    stack.later = 121
    stack.push(one)
    assert waiter.join(60), 'it waits once more'
  end

  Host = Struct.new(:name, :closed) do
    def close
      self.closed = true
    end
  end

  def test_a_stack_that_stores_by_itself
    stack = ByHost.new(2) { |name| Host.new(name) }
    one = stack.pop(host: 'a')
    two = stack.pop(host: 'b')
    assert_equal %w[a b], [one.name, two.name]
    waiter = Thread.new { stack.pop(timeout: 60, host: 'c') }
    eventually { waiter.status == 'sleep' }
    stack.push(one, host: 'a')
    assert_equal ['c', true], [waiter.value.name, one.closed]
    stack.push(waiter.value, host: 'c')
    stack.push(two, host: 'b')
    assert_equal [2, 2], [stack.length, stack.idle]
    assert_same two, stack.pop(host: 'b')
    closed = []
    stack.shutdown(reload: true) { |connection| closed << connection.name }
    assert_equal ['c'], closed
    stack.push(two, host: 'b')
    assert_equal %w[c b], closed
    refute_same two, stack.pop(host: 'b')
  end

  def test_a_method_of_a_stack_that_was_written_for_connection_pool_2
    stack = ByHost.new(1) { Host.new('a') }
    def stack.fetch_connection(options = {})
      super(options)
    end
    stack.push(stack.pop(0, { host: 'a' }), { host: 'a' })
    assert_equal 'a', stack.pop({ host: 'a' }).name
  end

  def test_one_object_that_stores_by_itself
    stack = stack_of(1)
    first = stack.pop.tap { |connection| stack.push(connection) }
    def stack.fetch_connection(**options)
      options[:ask] || super
    end
    assert_equal :me, stack.pop(ask: :me)
    stack.push(:me)
    assert_same :me, stack.pop
    refute_same :me, first
  end
end
