# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'socket'
require 'libpool/connection_pool'

# How the block of `with` is left, and whether its connection is lent again.
class LeavingTest < Minitest::Test
  include Support

  class Refusal < StandardError; end
  class Stop < Interrupt; end

  def returns(lent)
    lent.with { |connection| return connection.number }
  end

  # How a block may be left, each with a lambda that leaves the block of lent.with so.
  def well(lent)
    {
      'its end' => -> { lent.with(&:number) },
      'next' => -> { lent.with { |connection| next connection.number } },
      'break' => -> { lent.with { |connection| break connection.number } },
      'return' => -> { returns(lent) },
      'a break of an outer block' => -> { [1].each { lent.with { break } } },
      'an exception' => -> { lent.with { raise Refusal } },
      'one that is rescued inside' => -> { lent.with { Timeout.timeout(10) { raise Refusal } rescue nil } },
      'a wait for another pool' => -> { lent.with { raise Libpool::TimeoutError, 'no' } },
      'a wait for another pool of this kind' => -> { lent.with { raise ConnectionPool::TimeoutError, 'no' } },
      'exit' => -> { lent.with { exit } },
      'what is not written yet' => -> { lent.with { raise NotImplementedError } },
      'a throw that stays inside' => -> { lent.with { catch(:here) { throw :here } } }
    }
  end

  def badly(lent)
    {
      'throw' => -> { catch(:out) { lent.with { throw :out } } },
      'a throw out of a break' => -> { catch(:out) { [1].each { lent.with { throw :out } } } },
      'Timeout' => -> { Timeout.timeout(0.01) { lent.with { sleep } } },
      'Timeout with a class' => -> { Timeout.timeout(0.01, Timeout::Error) { lent.with { sleep } } },
      'a timeout of what the block does' => -> { lent.with { raise Timeout::Error } },
      'kill' => -> { Thread.new { lent.with { Thread.current.kill } }.join },
      'a kill from outside' => -> { interrupt(lent, &:kill) },
      'a raise of an interrupt' => -> { interrupt(lent) { |thread| thread.raise(Stop) } },
      'an exception that is no StandardError' => -> { lent.with { raise NoMemoryError } }
    }
  end

  def interrupt(lent)
    inside = Queue.new
    thread = Thread.new { lent.with { inside << true && sleep } }
    thread.report_on_exception = false
    inside.pop
    yield thread
    thread.join
  end

  # How many connections were closed by leaving once.
  def closed_by(leave)
    before = @opened.count(&:closed)
    begin
      leave.call
    rescue Exception => e # rubocop:disable Lint/RescueException
      raise if e.is_a?(Minitest::Assertion)
    end
    @opened.count(&:closed) - before
  end

  def assert_closed(expected, lent, ways)
    ways.each do |name, leave|
      assert_equal expected, closed_by(leave), "left by #{name}"
      lent.with { |connection| refute connection.closed, "left by #{name}" }
    end
  end

  def test_a_connection_is_lent_again_after_a_block_that_was_left_well
    pool = pool_of(1)
    assert_closed 0, pool, well(pool)
    assert_whole pool, 1
  end

  def test_a_connection_is_closed_after_a_block_that_was_left_badly
    pool = pool_of(1)
    assert_closed 1, pool, badly(pool)
    assert_equal badly(pool).size, pool.stats.closed_unusable
    assert_whole pool, 1
  end

  def test_what_leaves_a_block_arrives
    pool = pool_of(1)
    assert_equal 3, (pool.with { break 3 })
    assert_equal 4, (catch(:out) { pool.with { throw :out, 4 } })
    error = assert_raises(Refusal) { pool.with { raise Refusal, 'this' } }
    assert_equal 'this', error.message
    assert_nil $! # rubocop:disable Style/SpecialGlobalVars
    error = assert_raises(IOError) { pool.with { raise Refusal } rescue raise IOError } # rubocop:disable Style/RescueModifier
    assert_instance_of Refusal, error.cause
    assert_equal(:done, Thread.new { pool.with { Thread.current[:x] = 1 && Thread.exit } }.join(60) && :done)
  end

  def test_exceptions_may_be_chosen
    pool = pool_of(1, discard_on: [Refusal, ->(error) { error.message == 'gone' }])
    assert_equal 1, closed_by(-> { pool.with { raise Refusal } })
    assert_equal 1, closed_by(-> { pool.with { raise IOError, 'gone' } })
    assert_equal 0, closed_by(-> { pool.with { raise IOError, 'here' } })
    assert_closed 1, pool, badly(pool)
    one = pool_of(1, discard_on: Refusal)
    assert_equal 1, closed_by(-> { one.with { raise Refusal } })
  end

  def test_a_choice_that_fails_closes
    pool = pool_of(1, discard_on: ->(_) { raise IOError, 'no' })
    error = nil
    assert_equal 1, closed_by(-> { assert_raises(IOError) { pool.with { raise Refusal } }.then { |e| error = e } })
    assert_instance_of Refusal, error.cause
    assert_whole pool, 1
  end

  def test_it_may_be_switched_off
    pool = pool_of(1, discard_on: false)
    assert_closed 0, pool, badly(pool)
    assert_whole pool, 1
    [7, 'IOError', nil.to_s].each { |wrong| assert_raises(TypeError) { pool_of(1, discard_on: wrong) } }
  end

  # ---- the same in place of the gem connection_pool ----

  def gem_pool(**settings)
    @opened = []
    ConnectionPool.new(size: 1, timeout: 5, **settings) { Connection.new(@opened.size + 1).tap { |one| @opened << one } }
  end

  # By the gem's rules a connection comes back however its block was left.
  def test_the_gem_lends_again_whatever_happened
    lent = gem_pool
    assert_closed 0, lent, well(lent)
    assert_closed 0, lent, badly(lent)
  end

  # One checked out by `with`, by `checkout`, or by methods of a subclass.
  def test_the_gem_may_be_told_to_close
    way = Class.new(ConnectionPool) { define_method(:checkout) { |**options| super(**options) } }
    [ConnectionPool, way].each do |kind|
      @opened = []
      lent = kind.new(size: 1, timeout: 5, discard_on: Refusal) { Connection.new.tap { |one| @opened << one } }
      assert_closed 0, lent, well(lent).except('an exception')
      assert_closed 1, lent, badly(lent)
      assert_equal 1, closed_by(-> { lent.with { raise Refusal } })
      assert_equal 1, closed_by(-> { lent.with { lent.with { raise Refusal } rescue nil } }) # rubocop:disable Style/RescueModifier
    end
  end

  # A stack that stores its connections itself.
  def test_a_stack_of_its_own_may_be_told_to_close
    stack = Class.new(ConnectionPool::TimedStack)
    resets = []
    made = []
    lent = gem_pool
    settings = { discard_on: true, reset: ->(one) { resets << one.number } }
    lent.instance_variable_set(:@available, stack.new(size: 1, **settings) { Connection.new.tap { |one| made << one } })
    lent.with(&:number)
    assert_equal [1, 1], [resets.size, lent.idle]
    catch(:out) { lent.with { throw :out } }
    assert_equal [[true], 0], [made.map(&:closed), lent.idle]
  end

  def test_a_connection_is_reset_before_it_is_lent_again
    resets = []
    lent = gem_pool(reset: ->(one) { resets.size < 2 ? resets << one.number : raise(IOError, 'lost') })
    2.times { lent.with(&:number) }
    lent.checkout
    assert_equal [1, 1], resets
    lent.checkin
    assert_equal [[true], 0], [@opened.map(&:closed), lent.idle]
    assert_raises(ArgumentError) { gem_pool(max_open: 2) }
    assert_raises(ArgumentError) { gem_pool(colour: 2) }
  end

  # Where a child of fork leaves the block that its parent has entered, nothing of the parent's is closed.
  def test_a_child_leaves_the_block_of_its_parent
    pool = pool_of(1)
    assert_equal([false, 2], in_child_of(pool) { [@opened[0].closed, pool.with(timeout: 20, &:number)] })
    assert_whole pool, 1
  end

  def in_child_of(pool)
    reader, writer = IO.pipe
    parent = Process.pid
    catch(:out) { pool.with { fork || throw(:out) } }
    if Process.pid != parent
      writer.write(Marshal.dump(yield))
      exit!(0)
    end
    writer.close
    Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
  end

  # The reply that is left unread does not become the next user's answer.
  def test_no_reply_is_left_for_the_next
    server = TCPServer.new('127.0.0.1', 0)
    Thread.new { loop { Thread.new(server.accept) { |socket| echo(socket) } } }
    pool = Libpool::Pool.new(max_open: 1) { TCPSocket.new('127.0.0.1', server.addr[1]) }
    catch(:out) { pool.with { |socket| socket.puts('one') || throw(:out) } }
    assert_equal("two\n", pool.with { |socket| socket.puts('two') || socket.gets })
  end

  def echo(socket)
    socket.each_line { |line| socket.puts(line) }
  rescue SystemCallError
    nil # who asked has left
  end
end
