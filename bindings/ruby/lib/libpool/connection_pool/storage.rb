# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  class TimedStack
    # What a subclass of TimedStack gets, and an object that overrides one of the methods below (private, called with a
    # mutex locked): connections are kept by them, and libpool lends the places.  So the gem net-http-persistent keeps
    # them by host.  A block that opens is called under the mutex by try_create only where try_create is overridden.
    module Storage
      EXTENSION_POINTS = %i[try_fetch_connection connection_stored? fetch_connection shutdown_connections
                            store_connection try_create reserve_idle_connection idle_connections?].freeze

      def self.extended(stack)
        stack.instance_eval do
          prepare
          clear
          store_connection(@leaving.shift) until @leaving.empty?
        end
      end

      def initialize(*arguments, **options, &block)
        prepare
        super
      end

      def direct?
        false
      end

      def push(connection, former = nil, **options)
        options = former.merge(options) if former
        entry = forget(connection) || forget(@popped.keys.first)
        if entry
          entry.connection = connection
          put_back(entry, options)
        else
          resize(@capacity + 1) if length >= @capacity
          keep_connection(connection, @generation, options)
        end
        nil
      end
      alias << push

      def take(timeout, exception, options)
        deadline = current_time + Float(timeout)
        entry = super or return
        begin
          entry.generation = @generation
          entry.connection = obtain(options, deadline)
        rescue Exception # rubocop:disable Lint/RescueException
          entry.lease.checkin
          raise
        end
        return entry if entry.connection

        entry.lease.checkin
        raise exception, "Waited #{timeout} sec, #{length}/#{@max} available" if exception
      end

      def put_back(entry, options = {})
        connection = entry.connection
        discard(entry, @settings.close) unless entry.farewell || @settings.clean?(connection)
        if entry.farewell
          @mutex.synchronize { lower_created }
          entry.dispose(nil)
          entry.farewell = nil
        else
          keep_connection(connection, entry.generation, entry.options.merge(options))
        end
      ensure
        entry.connection = nil
        entry.lease.checkin unless entry.lease.ended?
      end

      def discard(entry, block)
        entry.farewell = lambda do |connection|
          block&.call(connection)
        rescue StandardError
          nil
        end
      end

      def shutdown(reload: false, &block)
        raise ArgumentError, 'shutdown must receive a block' unless block

        @goodbye = block
        @generation += 1
        @mutex.synchronize do
          @shutdown_block = block
          shutdown_connections
        ensure
          @shutdown_block = nil if reload # also where the block has raised
          @changed.broadcast
        end
        @pool.close unless reload
      end

      def reap(former = nil, idle_seconds: former)
        raise ArgumentError, 'reap must receive a block' unless block_given?
        raise ArgumentError, 'idle_seconds must be a number' unless idle_seconds.is_a?(Numeric)

        idle.times do
          raise PoolShuttingDownError if @shutdown_block

          connection = @mutex.synchronize { reserve_idle_connection(idle_seconds) } or break
          yield connection
        end
      end

      def empty?
        (@created - @que.length) >= @max
      end

      def length
        @max - @created + @que.length
      end

      def idle
        @que.length
      end

      def leave_to_parent
        super
        @created = [@created, idle].min
      end

      private

      def prepare
        @mutex = Thread::Mutex.new
        @changed = Thread::ConditionVariable.new
        @que = []
        @created = 0
        @generation = 0
      end

      # A place is all that libpool opens here.
      def open_entry
        Entry.new(nil, nil)
      end

      # A place that is closed holds a connection only where nobody can give it back any more.
      def dispose(entry)
        return if nil.equal?(entry.connection)

        @mutex.synchronize { lower_created }
        entry.dispose(@settings.close)
      end

      # There is one for a thread that has a place, unless a subclass thinks otherwise.
      def obtain(options, deadline)
        @mutex.synchronize do
          loop do
            raise PoolShuttingDownError if @shutdown_block

            connection = try_fetch_connection(**options) || try_create(**options)
            return connection if connection

            left = deadline - current_time
            return nil unless left.positive?

            @changed.wait(@mutex, left)
          end
        end
      end

      def keep_connection(connection, generation, options)
        @mutex.synchronize do
          if @shutdown_block || generation != @generation
            lower_created
            @goodbye.call(connection)
          else
            store_connection(connection, **options)
          end
        ensure
          @changed.broadcast
        end
      end

      def lower_created
        @created -= 1 unless @created.zero?
      end

      # ---- what may be overridden, and is called as connection_pool 2 called it by some ----

      def try_fetch_connection(former = nil, **options)
        options = former.merge(options) if former
        connection_stored?(**options) && fetch_connection(**options)
      end

      def connection_stored?(*, **)
        !@que.empty?
      end

      def fetch_connection(*, **)
        @que.pop&.first
      end

      def store_connection(connection, *, **)
        @que.push([connection, current_time])
      end

      def shutdown_connections(former = nil, **options)
        options = former.merge(options) if former
        while (connection = try_fetch_connection(**options))
          lower_created
          @goodbye.call(connection)
        end
      end

      def reserve_idle_connection(idle_seconds)
        return unless idle_connections?(idle_seconds)

        lower_created
        @que.shift.first
      end

      def idle_connections?(idle_seconds)
        connection_stored? && current_time - @que.first.last > idle_seconds
      end

      # Counted before it is made, for others go on meanwhile.
      def try_create(*, **)
        return if @created >= @max

        @created += 1
        made = false
        @mutex.unlock
        begin
          @create_block.call.tap { made = true }
        ensure
          @mutex.lock
          lower_created unless made
        end
      end
    end

    private

    def singleton_method_added(name)
      extend(Storage) if Storage::EXTENSION_POINTS.include?(name) && direct?
      super
    end
  end
end
