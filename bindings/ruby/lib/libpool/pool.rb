# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A pool of connections of any kind.
  #
  #   pool = Libpool::Pool.new(max_open: 5, timeout: 2) { Redis.new }
  #   pool.with { |redis| redis.incr('visits') }
  #
  # with, checkout and checkin are in C (ext/libpool/object.c).
  class Pool
    include Steering

    # Settings are named as in C (pool_config_t in pool/config.h); timeout is get_timeout_ms in seconds, nil: for ever.
    #
    # close:: is called with a connection that is to be closed; without it its own method `close` is, if it has one.
    # check:: is called with a connection and tells whether it is still good: see check_after_ms and keepalive_ms.
    # abandon:: is called in a child of fork with each connection of the parent: closes descriptors, sends nothing.
    # initial:: so many are opened at once.
    # paused:: true: the pool begins as after pause, and one resume starts it.
    # keeper:: :thread, or :manual: then the program calls maintain.
    def initialize(**settings, &open)
      raise ArgumentError, 'a pool needs a block that opens a connection' unless open

      initial, paused, keeps_time = create({ close: method(:close_connection) }.merge(settings), open)
      @interval = keeps_time ? Keeper.interval(settings) : nil
      start_keeper
      open_initial(initial)
      pause if paused # not before, for the first connections are opened by checkouts
    end

    # Ends a lease, and its connection is closed.  Given a connection, as `with` lends it: it is closed when it comes
    # back.
    def discard(lease_or_connection)
      if lease_or_connection.is_a?(Lease)
        raise ArgumentError, 'this lease is of another pool' unless lease_or_connection.pool.equal?(self)

        lease_or_connection.discard
      else
        mark_unusable(lease_or_connection)
      end
    end

    # The same for one that broke: the others may have lost the same server, so those that are idle are checked, and
    # until then not lent, where the pool has a check.
    def discard_broken(lease_or_connection)
      if lease_or_connection.is_a?(Lease)
        raise ArgumentError, 'this lease is of another pool' unless lease_or_connection.pool.equal?(self)

        lease_or_connection.discard_broken
      else
        mark_broken(lease_or_connection)
      end
    end

    # Closes the pool: nobody gets a connection any more, and who waits gets a ClosedError.  Idle connections are closed
    # now, others when they come back; so many seconds are waited for them (nil: for ever).  Returns how many are left.
    def close(timeout: 0)
      close_within(timeout)
    end
    alias shutdown close

    # Does what is due.  Returns in how many seconds to call again, nil if nothing is to come.
    def maintain
      due = Native.pool_maintain(self)
      tidy
      due / 1e9 if due < Native::FOREVER
    end

    private

    def close_connection(connection)
      connection.close if connection.respond_to?(:close)
    end

    # Also called in a child of fork, where no thread of the parent is.
    def start_keeper
      @keeper = Keeper.start(self, @interval) if @interval
    end

    # Something is due at once.
    def keep_soon
      @keeper ? @keeper.wakeup : tidy
    rescue ThreadError
      tidy # the keeper has ended
    end

    def open_initial(count)
      leases = []
      take_initial(leases, count)
      leases.each(&:checkin)
    rescue StandardError
      leases&.each(&:checkin)
      close
      raise
    end

    # Without waiting, for what could come is held here.  There is no room where the keeper has opened some already.
    def take_initial(leases, count)
      leases << checkout(timeout: 0) while leases.size < count
    rescue TimeoutError
      raise if size < count
    end
  end
end
