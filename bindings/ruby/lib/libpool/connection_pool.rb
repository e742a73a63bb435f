# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'libpool'
require 'timeout'
require 'libpool/connection_pool/guard'

module Libpool
  Guard.make_room
end

# The interface of the gem connection_pool 3.0, on libpool.
#
#   pool = ConnectionPool.new(size: 5, timeout: 5) { Redis.new }
#   pool.with { |redis| redis.incr('visits') }
class ConnectionPool
  VERSION = '3.0.2' # whose interface this is

  class Error < ::RuntimeError; end
  class PoolShuttingDownError < Error; end
  class TimeoutError < ::Timeout::Error; end

  # Every method takes the arguments of connection_pool 2 by position as well: they are called former here.
  def self.wrap(former = nil, **options, &block)
    Wrapper.new(former, **options, &block)
  end

  # How many connections there may be.
  attr_reader :size

  # Whether a child of fork begins with no connections.
  attr_reader :auto_reload_after_fork

  def initialize(former = nil, **options, &block)
    raise ArgumentError, 'Connection pool requires a block' unless block

    begin_with(**former.to_h.slice(:timeout, :size, :auto_reload_after_fork, :name), **options, &block)
  end

  # Lends a connection to the block: the one that this fiber has already, if it has one.
  def with(former = nil, timeout: @timeout, exception: TimeoutError, **options, &block)
    raise LocalJumpError, 'no block given (yield)' unless block_given?
    if former || !@direct || Thread.current[@key] || !@available.direct?
      return with_checkout({ timeout:, exception: }.merge!(options, former&.compact || {}), &block)
    end

    # The fiber's variable is set around this, and the lease ends after it, whatever happens here (Pool#with_local).
    @available.use(@key, timeout, exception) do |entry|
      yield entry&.connection
    ensure
      leave(entry) if entry
    end
  end
  alias then with

  def checkout(former = nil, timeout: @timeout, exception: TimeoutError, **options)
    entry = Thread.current[@key]
    if entry
      entry.count += 1
    else
      timeout, exception, options = with_former(former, timeout, exception, options) if former
      entry = @available.take(timeout, exception, options) or return
      Thread.current[@key] = entry
    end
    entry.connection
  end

  def checkin(force: false)
    entry = Thread.current[@key]
    if entry.nil?
      raise Error, 'no connections are checked out' unless force
    elsif entry.count > 1 && !force
      entry.count -= 1
    else
      Thread.current[@key] = nil
      @available.put_back(entry)
    end
    nil
  end

  # The connection that this fiber has will not be lent again.  The block, if there is one, gets it when it comes back.
  def discard_current_connection(&block)
    entry = Thread.current[@key]
    @available.discard(entry, block) if entry
    nil
  end

  # Gives each connection to the block, those that are lent when they come back.  Nothing is lent any more.
  def shutdown(&block)
    @available.shutdown(&block)
  end

  # Gives each connection to the block, those that are lent when they come back.  New ones are made as needed.
  def reload(&block)
    @available.shutdown(reload: true, &block)
  end

  # Gives to the block the connections that nobody has used for this long.
  def reap(former = 60, idle_seconds: former, &block)
    @available.reap(idle_seconds:, &block)
  end

  # The leases, and for how long: see Libpool::Steering#leases.
  def leases
    @available.leases
  end

  # Notes what the connection that this fiber has is used for; leases and events say so.
  def tag=(text)
    entry = Thread.current[@key] or raise Error, 'no connections are checked out'
    @available.tag(entry, text)
  end

  # How many connections can be had at this moment.
  def available
    @available.length
  end

  # How many of them are there already.
  def idle
    @available.idle
  end

  def inspect
    "#<#{self.class}#{" #{@name.inspect}" if @name} size=#{size} available=#{available} idle=#{idle}>"
  end

  private

  # Other settings are libpool's: see TimedStack::Settings.
  def begin_with(timeout: 5, size: 5, auto_reload_after_fork: true, name: nil, **settings, &block)
    @size = Integer(size)
    raise ArgumentError, 'Connection pool size cannot be negative' if @size.negative?

    @timeout = Float(timeout)
    @name = name
    settings[:name] = name.to_s if name
    @available = TimedStack.new(size: @size, **settings, &block)
    @key = :"pool-#{@available.object_id}"
    @direct = %i[checkout checkin].all? { |way| method(way).owner == ConnectionPool }
    @auto_reload_after_fork = auto_reload_after_fork
    auto_reload_after_fork ? Fork.watch(self) : @available.keep_after_fork
  end

  def with_former(former, timeout, exception, options)
    options = options.merge(former)
    [options.delete(:timeout) || timeout, options.delete(:exception) { exception }, options]
  end

  # The end of with, where the block may have checked the connection in, or out once more.
  def leave(entry)
    if !Thread.current[@key].equal?(entry)
      raise Error, 'no connections are checked out' unless entry.left_behind
    elsif entry.count > 1
      entry.count -= 1
      @available.keep(entry)
    elsif entry.lease
      checkin # what was checked out in the block
    else
      @available.touch(entry)
    end
  end

  # Around methods that are not those above.  What waits in C lets go of nothing that an interrupt could lose.
  def with_checkout(options)
    Thread.handle_interrupt(Object => :never) do
      connection = checkout(**options)
      begin
        @available.watch(@key) { Thread.handle_interrupt(Object => :immediate) { yield connection } }
      ensure
        checkin unless nil.equal?(connection) && Thread.current[@key].nil?
      end
    end
  end

  # Also of a pool that a subclass has put another stack in.
  def singleton_method_added(name)
    @direct = false if %i[checkout checkin].include?(name)
    super
  end
end

require 'libpool/connection_pool/entry'
require 'libpool/connection_pool/fork'
require 'libpool/connection_pool/settings'
require 'libpool/connection_pool/timed_stack'
require 'libpool/connection_pool/storage'
require 'libpool/connection_pool/wrapper'

module Libpool
  [ConnectionPool, ConnectionPool::TimedStack, ConnectionPool::Wrapper].each { |taken| Guard.watch(taken) }
  Guard.stand_before_gem
end
