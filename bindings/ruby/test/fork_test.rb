# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'socket'

# The child of a fork has an empty pool with its full capacity, and the parent notices nothing.
class ForkTest < Minitest::Test
  include Support

  def test_the_child_begins_anew
    pool = pool_of(2)
    lease = pool.checkout
    pool.with { |connection| connection }
    numbers, size, closed = in_child do
      before = [pool.size, pool.idle]
      leases = Array.new(2) { pool.checkout(timeout: 20) }
      [before + leases.map { |each| each.connection.number }, pool.size, @opened.map(&:closed)]
    end
    assert_equal [0, 0, 3, 4], numbers # not those of the parent
    assert_equal 2, size
    assert_equal [false] * 4, closed
    assert_equal [2, 1], [pool.size, pool.idle]
    refute @opened.any?(&:closed)
    lease.checkin
    assert_whole pool, 2
  end

  def test_leases_of_the_parent_are_stale_in_the_child
    pool = pool_of(1)
    lease = pool.checkout
    errors = in_child do
      %i[checkin discard connection].map do |name|
        lease.public_send(name)
        :nothing
      rescue Libpool::StaleError
        :stale
      end + [pool.with(timeout: 20, &:number), lease.ended?]
    end
    assert_equal [:stale, :stale, :stale, 2, true], errors
    assert_equal 1, lease.connection.number
    lease.checkin
    assert_whole pool, 1
  end

  def test_a_fork_inside_with
    pool = pool_of(1)
    reader, writer = IO.pipe
    pid = nil
    pool.with do |_|
      pid = fork # both go on from here, and leave the block
    end
    if pid.nil?
      writer.write(Marshal.dump([pool.size, pool.with(timeout: 20, &:number), pool.size]))
      exit!(0)
    end
    writer.close
    assert_equal [0, 2, 1], Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
    Process.wait(pid)
    assert_whole pool, 1
  end

  def test_a_fork_while_threads_hold_and_wait
    pool = pool_of(1)
    lease = pool.checkout
    waiters = Array.new(3) { Thread.new { pool.with(timeout: 20, &:number) } }
    waits pool, 3
    5.times do
      assert_equal([0, 2, 0], in_child do
        GC.start # what waited is no more
        [pool.stats.waiting, pool.with(timeout: 20, &:number), pool.stats.waiting]
      end)
    end
    lease.checkin
    assert_equal [1, 1, 1], waiters.map(&:value)
    assert_whole pool, 1
  end

  def test_a_fork_of_a_fork
    pool = pool_of(1)
    pool.with(&:number)
    answer = in_child do
      one = pool.with(&:number)
      [one, in_child { pool.with(&:number) }, pool.with(&:number)]
    end
    assert_equal [2, 3, 2], answer
    assert_whole pool, 1
  end

  def test_a_fork_inside_open
    parent = Process.pid
    pool = Libpool::Pool.new(max_open: 1) { (@pid = Process.pid == parent ? fork : -1) && Process.pid }
    answer = pool.with(timeout: 20) { |connection| connection }
    # In the child the get began anew, and opened once more.
    exit!(answer == Process.pid && [pool.size, pool.idle] == [1, 1] ? 7 : 1) if Process.pid != parent
    assert_equal parent, answer
    _, status = Process.wait2(@pid)
    assert_equal 7, status.exitstatus
    assert_whole pool, 1
  end

  def test_the_connections_of_the_parent_stay_open
    server = TCPServer.new('127.0.0.1', 0)
    pool = Libpool::Pool.new(max_open: 1) { TCPSocket.new('127.0.0.1', server.addr[1]) }
    pool.with { |socket| socket }
    peer = server.accept
    in_child do
      server.close
      pool.size
      GC.start
      pool.close
      GC.start
    end
    assert_equal :wait_readable, peer.read_nonblock(1, exception: false)
    pool.with { |socket| socket.write('still here') }
    assert_equal 'still here', peer.readpartial(100)
  end

  def test_abandon
    abandoned = []
    pool = Libpool::Pool.new(max_open: 3, abandon: ->(connection) { abandoned << connection.number }) do
      Connection.new((@count = @count.to_i + 1))
    end
    leases = Array.new(3) { pool.checkout }
    assert_equal([1, 2, 3], in_child { pool.size.then { abandoned.sort } })
    assert_empty abandoned
    leases.each(&:checkin)
    assert_whole pool, 3
  end

  def test_the_keeper_is_started_again
    pool = pool_of(2, idle_timeout_ms: 40)
    assert_equal([1, true, 0], in_child do
      size = pool.with { pool.size } # before the keeper could close it
      eventually { pool.size.zero? }
      [size, @opened.all?(&:closed), pool.size]
    end)
  end
end
