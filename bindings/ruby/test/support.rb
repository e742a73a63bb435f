# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'libpool'
require 'minitest/autorun'
require 'timeout'

# What stands for a connection: it knows whether it was closed and whether two use it at one time.
class Connection
  attr_reader :number, :closed

  def initialize(number = 0)
    @number = number
    @users = 0
    @closed = false
  end

  def close
    raise 'closed twice' if @closed

    @closed = true
  end

  def use
    @users += 1
    raise 'two users at one time' if @users > 1
    raise 'used after close' if @closed

    yield
  ensure
    @users -= 1
  end
end

# What forwards each message, as the proxy of an object elsewhere: it notes what it was sent.
class Proxy < BasicObject
  def initialize(heard)
    @heard = heard
  end

  def respond_to_missing?(...)
    false
  end

  def method_missing(name, *)
    @heard << name
    nil
  end
end

module Support
  # A pool of Connections that counts what it opened.
  def pool_of(max_open, **settings)
    @opened = []
    Libpool::Pool.new(max_open:, **settings) do
      Connection.new(@opened.size + 1).tap { |made| @opened << made }
    end
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def eventually(seconds = 60, message = -> { 'it never came' })
    deadline = now + seconds
    until yield
      flunk message.call if now > deadline
      sleep 0.001
    end
  end

  def waits(pool, count = 1)
    eventually { pool.stats.waiting == count }
  end

  # Nothing is lost: all places can be had at once, and everything that was counted adds up.
  def assert_whole(pool, max_open)
    assert_equal 0, pool.stats.leased
    assert_equal 0, pool.stats.waiting
    assert_equal 0, pool.stats.opening
    leases = Array.new(max_open) { pool.checkout(timeout: 60) }
    assert_equal max_open, leases.map { |lease| lease.connection.object_id }.uniq.size
    assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0) }
    leases.each(&:checkin)
    assert_equal max_open, pool.idle
    assert_equal pool.stats.opened - pool.stats.closed, pool.size
  end

  # The collector moves things of its own accord meanwhile.  A marking that was begun before ends first: Ruby 3.1
  # crashes where this is switched on in the middle of one.
  def compacting
    automatic = GC.auto_compact
    GC.start
    GC.auto_compact = true
    yield
  ensure
    GC.auto_compact = automatic
  end

  # What the block returns in a child, by way of Marshal; its exceptions are raised here.
  def in_child
    reader, writer = IO.pipe
    pid = fork do
      reader.close
      result = begin
        yield
      rescue Exception => e # rubocop:disable Lint/RescueException
        RuntimeError.new("#{e.class}: #{e.message}\n#{e.backtrace&.first(5)&.join("\n")}")
      end
      writer.write(Marshal.dump(result))
      writer.close
      exit!(0)
    end
    writer.close
    text = reader.read
    Process.wait(pid)
    result = Marshal.load(text) # rubocop:disable Security/MarshalLoad
    raise result if result.is_a?(Exception)

    result
  end
end
