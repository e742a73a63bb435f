# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  # Connections that are made as they are needed, up to a number, and lent in the order in which they are asked for.
  #
  #   stack = ConnectionPool::TimedStack.new(size: 1) { Redis.new }
  #   redis = stack.pop(timeout: 5)
  #   stack.push(redis)
  #
  # What is pushed and was not popped is adopted, beyond that number if need be.  A subclass may store its connections
  # in its own way: see Storage.
  class TimedStack
    include Libpool.const_get(:Confined)

    YEAR = 31_622_400 # the longest that libpool waits with an end

    # An error of the block that looks like one of libpool's.
    class Refused < StandardError; end
    private_constant :Refused

    attr_reader :max

    def self.inherited(subclass)
      super
      subclass.include(Storage)
    end

    def initialize(former = 0, size: former, **settings, &block)
      @create_block = block
      @settings = Settings.new(settings)
      @max = @capacity = size
      @adopted = [] # entries that libpool does not know yet
      @leaving = [] # connections that wait for a block that shutdown was given
      @popped = {}.compare_by_identity # the entries that a connection was popped with
      @shutdown_block = @goodbye = nil
      @pool = new_pool
    end

    def push(connection, former = nil, **options)
      options = former.merge(options) if former
      if (entry = forget(connection))
        put_back(entry, options)
      elsif @shutdown_block
        @shutdown_block.call(connection)
      elsif (entry = forget(@popped.keys.first))
        entry.connection = connection # instead of the other
        put_back(entry, options)
      else
        adopt(Entry.new(connection, current_time))
      end
      nil
    end
    alias << push

    # Waits for this many seconds.  Then it raises what `exception` says, or returns nil where that is false.
    def pop(former = 0.5, others = nil, timeout: former, exception: TimeoutError, **options)
      others = former if former.is_a?(Hash)
      timeout, exception, options = with_former(others, timeout, exception, options) if others
      entry = take(timeout, exception, options) or return
      entry.lease.hand_over # any thread may push it
      (@popped[entry.connection] ||= []) << entry
      entry.connection
    end

    # Gives each connection to the block, those that are lent when they come back.  Unless they are to be made anew,
    # nothing is lent any more.
    def shutdown(reload: false, &block)
      raise ArgumentError, 'shutdown must receive a block' unless block

      @goodbye = block
      @shutdown_block = reload ? nil : block
      clear
      @pool = new_pool if reload && @pool.closed?
      resize(@max)
      reload ? @pool.flush : @pool.close
      block.call(@leaving.shift) until @leaving.empty?
    end

    # Gives to the block the connections that were pushed more than this many seconds ago, the oldest first.
    def reap(former = nil, idle_seconds: former)
      raise ArgumentError, 'reap must receive a block' unless block_given?
      raise ArgumentError, 'idle_seconds must be a number' unless idle_seconds.is_a?(Numeric)
      raise PoolShuttingDownError if @shutdown_block

      old = reserve_idle(current_time - idle_seconds)
      yield old.shift.connection until old.empty?
    ensure
      old&.each { |entry| adopt(entry) } # the block has raised
    end

    # Whether none can be had at this moment.
    def empty?
      length <= 0
    end

    # How many can be had at this moment.
    def length
      counts = @pool.stats
      @capacity - counts.leased - counts.opening
    end

    # How many of them are there already.
    def idle
      @pool.idle + @adopted.size + @leaving.size
    end

    # Makes room for another, in place of one that will not be pushed any more.
    def decrement_created
      entry = forget(@popped.keys.first) or return
      discard(entry, nil)
      put_back(entry)
    end

    # ---- for ConnectionPool ----

    # Whether nothing of it is overridden.
    def direct?
      true
    end

    # Lends an entry to the block, and the fiber-local variable holds it meanwhile.
    def use(key, timeout, exception)
      lent = nil
      result = @pool.with_local(key, seconds(timeout)) do |entry|
        lent = entry.begin(nil, nil)
        yield entry
      end
      lent.failure ? lent.raise_failure : result
    rescue Libpool::TimeoutError, Libpool::ClosedError, Refused => e
      raise if lent

      refuse(e, timeout, exception)
      yield nil
    end

    # An entry, or nil where there is none in time and that is no exception.
    def take(timeout, exception, options)
      raise PoolShuttingDownError if @shutdown_block

      lease = @pool.checkout(timeout: seconds(timeout))
      lease.connection.begin(lease, options)
    rescue Libpool::TimeoutError, Libpool::ClosedError, Refused => e
      refuse(e, timeout, exception)
    end

    def put_back(entry, _options = nil)
      touch(entry)
      keep(entry).checkin
      entry.raise_failure
    rescue Libpool::StaleError
      entry.left_behind = true # of the parent, in a child
      adopt(entry)
    end

    def touch(entry)
      entry.since = current_time
    end

    # Makes what `use` has lent outlast it.
    def keep(entry)
      entry.lease ||= @pool.detach(entry)
    end

    # The block, or nobody, is given the connection when it comes back; what it raises is nobody's business.
    def discard(entry, block)
      entry.farewell = lambda do |connection|
        block&.call(connection)
      rescue StandardError
        nil
      end
      @pool.discard(entry)
    end

    # Runs the block.  Where it is left so that discard_on says it, the connection that this fiber has is closed.
    def watch(key, &block)
      return yield unless @settings.watched?

      @pool.watch(-> { Thread.current[key]&.then { |entry| discard(entry, @settings.close) } }, &block)
    end

    def leases
      @pool.leases
    end

    def tag(entry, text)
      @pool.tag(entry, text)
    end

    # What a child of fork finds of its parent is lent there as well, instead of made anew.
    def keep_after_fork
      @keeps = true
    end

    # In a child: the connection is the parent's.
    def leave(connection)
      Libpool::Fork.leave([connection], @settings.abandon)
    end

    # In a child: all that is lent is the parent's.
    def leave_to_parent
      @popped.each_value { |entries| entries.each { |entry| entry.left_behind = true } }
      @popped.clear
    end

    # Ractor.make_shareable would freeze it before it finds that it cannot share it.
    def freeze
      raise TypeError, "#{self.class} cannot be frozen, and not be shared between Ractors; make a pool in each"
    end

    def inspect
      "#<#{self.class} max=#{max} length=#{length} idle=#{idle}>"
    end

    private

    def with_former(others, timeout, exception, options)
      options = options.merge(others)
      timeout = options.delete(:timeout) { timeout.is_a?(Hash) ? 0.5 : timeout }
      [timeout, options.delete(:exception) { exception }, options]
    end

    def current_time
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # As libpool wants it, which knows neither negative times nor more than a year.
    def seconds(timeout)
      timeout = Float(timeout)
      return 0 unless timeout.positive?

      timeout if timeout <= YEAR
    end

    def refuse(error, timeout, exception)
      case error
      when Refused then raise error.cause
      when Libpool::ClosedError then raise PoolShuttingDownError
      end
      raise exception, "Waited #{timeout} sec, #{length}/#{@max} available#{reason(error, timeout)}" if exception
    end

    # What the library says of a wait, behind the gem's words.
    def reason(error, timeout)
      "; #{error.message}" if Float(timeout).positive?
    end

    def new_pool
      own = { max_open: [@capacity, 1].max, close: method(:dispose), abandon: method(:inherit) }
      pool = Places.new(**@settings.to_h, **own) { open_entry }
      pool.pause unless @capacity.positive?
      pool
    end

    def open_entry
      @adopted.pop || Entry.new(@create_block.call, current_time)
    rescue Libpool::TimeoutError, Libpool::ClosedError
      raise Refused # of another pool: its own may not be taken for that
    end

    # Called by libpool with what it closes.
    def dispose(entry)
      give_up_room
      entry.dispose(@goodbye || @settings.close)
    end

    # What was beyond the size is no longer.
    def give_up_room
      resize(@capacity - 1) if @capacity > @max
    end

    # Called in a child with what the parent had open.
    def inherit(entry)
      entry.left_behind = true
      if @keeps
        adopt(entry) unless entry.lease
      else
        leave(entry.connection)
      end
    end

    def adopt(entry)
      @adopted << entry
      resize(@capacity + 1) if @pool.size + @adopted.size > @capacity
    end

    # libpool has no pools of size 0: there one is paused.
    def resize(capacity)
      lent = @capacity.positive?
      @capacity = capacity
      return if @pool.closed?

      @pool.resize([capacity, 1].max)
      return if lent == capacity.positive?

      lent ? @pool.pause : @pool.resume
    end

    # The entry that the connection was popped with, and it is no longer.
    def forget(connection)
      entries = @popped[connection] or return
      entry = entries.pop
      @popped.delete(connection) if entries.empty?
      entry
    end

    # Takes all idle ones away from libpool, to give them to a block that may raise.
    def clear
      Thread.handle_interrupt(Object => :never) do
        @leaving.concat(take_idle.map { |lease| withdraw(lease) }, @adopted.map(&:connection))
        @adopted.clear
      end
    end

    def take_idle
      leases = []
      while (lease = @pool.checkout_idle)
        leases << lease
      end
      leases
    end

    def withdraw(lease)
      entry = lease.connection
      entry.farewell = ->(connection) { connection }
      lease.discard
      entry.connection
    end

    # The entries that are idle since before that time, the oldest first, and they are no longer.
    def reserve_idle(time)
      Thread.handle_interrupt(Object => :never) do
        leases = take_idle.sort_by { |lease| lease.connection.since }
        old, young = leases.partition { |lease| lease.connection.since < time }
        entries = old.map { |lease| lease.connection.tap { withdraw(lease) } }
        young.each(&:checkin)
        adopted, @adopted = @adopted.partition { |entry| entry.since < time }
        adopted.each { give_up_room }
        (entries + adopted).sort_by(&:since)
      end
    end
  end
end
