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
    include Telling

    MOMENTS_OF_CHECK = %i[check_after_ms keepalive_ms].freeze
    private_constant :MOMENTS_OF_CHECK

    # Settings are named as in C (pool_config_t in pool/config.h); timeout is get_timeout_ms in seconds, nil: for ever.
    #
    # close:: is called with a connection that is to be closed; without it its own method `close` is, if it has one.
    # check:: is called with a connection and tells whether it is still good: see check_after_ms and keepalive_ms.
    # reset:: is called with a connection that comes back; if it raises, the connection is closed.
    # abandon:: is called in a child of fork with each connection of the parent: closes descriptors, sends nothing.
    #           Without it their sockets are cut off in the child; false: they are left as they are.
    # discard_on:: an exception, or several, after which a connection is closed instead of lent again.  Classes, or what
    #              has `call` and says so.  It is also closed after a Timeout::Error, an exception that is no
    #              StandardError, a throw and a kill.  false: it is closed after none of these.
    # log:: a Logger, or is called with :error, :warn or :info and a line of text about what is rare.
    # events:: ActiveSupport::Notifications, or is called with an Event; event_mask chooses which.  Where neither log nor
    #          events is set, leaks are told by warn.
    # budget:: the URL of a limit that pools share, as 'host:orders?limit=100'; docs/fleet.md has more.
    # keeper:: :thread, or :manual: then the program calls maintain.
    def initialize(**settings, &open)
      raise ArgumentError, 'a pool needs a block that opens a connection' unless open

      settings = complete(settings)
      initial = create(settings, open)
      warn_of_check if settings[:check] && MOMENTS_OF_CHECK.none? { |moment| settings.key?(moment) }
      Fork.watch(self)
      listen
      fill_or_close(initial)
      begin_keeping
    end

    # Ends a lease, and its connection is closed.  Given a connection, as `with` lends it: it is closed when it comes
    # back.
    def discard(lease_or_connection)
      if Lease === lease_or_connection
        raise ArgumentError, 'this lease is of another pool' unless lease_or_connection.pool.equal?(self)

        lease_or_connection.discard
      else
        mark_unusable(lease_or_connection)
      end
    end

    # The same for one that broke: the others may have lost the same server, so those that are idle are checked, and
    # until then not lent, where the pool has a check.
    def discard_broken(lease_or_connection)
      if Lease === lease_or_connection
        raise ArgumentError, 'this lease is of another pool' unless lease_or_connection.pool.equal?(self)

        lease_or_connection.discard_broken
      else
        mark_broken(lease_or_connection)
      end
    end

    # Notes what a connection is used for, given as `with` lends it, or its lease: see leases.
    def tag(lease_or_connection, text)
      return lease_or_connection.tag = text if Lease === lease_or_connection

      tag_connection(lease_or_connection, text)
    end

    # As in Steering.  With keeper: :manual poolctl can steer it once the program has asked for event_fd, and maintain
    # does what follows.
    def expose
      super
      listen
      self
    end

    # Closes the pool: nobody gets a connection any more, and each waiter gets a ClosedError.  Idle connections are closed
    # now, others when they come back; this many seconds are waited for them (nil: for ever).  Returns how many are left.
    def close(timeout: 0)
      take_back
      close_within(timeout).tap { deliver }
    end
    alias shutdown close

    # Does what is due.  Returns in how many seconds to call again, nil if nothing is to come.
    def maintain
      take_back
      look.tap { deliver }
    end

    private

    # As initialize, for the pool of a key, whose name is made by the library.  Returns by which number its group knows
    # it; a number that the group knows already is that of an object that is there, and this one is for nothing.
    def initialize_of(group, key, settings, &open)
      @group = group
      settings = complete(settings.merge(name: "#{settings.fetch(:name, 'group')}/#{key}"))
      attach(group, key, settings.except(:name), open)
    end

    def begin_of_group
      Fork.watch(self)
      begin_keeping
    end

    def complete(settings)
      settings = { close: method(:close_connection) }.merge(settings)
      settings[:discard_on] = Spoiling.kinds(settings.fetch(:discard_on, true))
      listen_with(settings)
      settings
    end

    def close_connection(connection)
      connection.close if connection.respond_to?(:close)
    end

    # It is there for discard_broken; but a program that gives one mostly means more.
    def warn_of_check
      warn 'libpool: check: is called after discard_broken alone; check_after_ms: says for how many milliseconds a ' \
           'connection is idle before it is checked when it is lent (0: each time, -1: never), keepalive_ms: checks ' \
           'idle ones', uplevel: 3
    end

    # In a child of fork.
    def leave_to_parent
      Fork.leave(take_inherited, abandon)
    end

    # In a child whose parent is no more: what was lent there is nobody's.
    def forget_parent
      take_inherited
    end

    # Leases of the connections that are idle, each with its connection.
    def take_idle
      taken = []
      while (lease = checkout_idle)
        taken << [lease, lease.connection]
      end
      taken
    end

    # Also called in a child of fork, where no thread of the parent is.
    def begin_keeping
      start_keeper if needs_keeper?
      listen
    end

    # Where poolctl can steer the pool, or a budget allows more or less, somebody has to hear of it.
    def listen
      return @group.__send__(:listen) if @group

      descriptor = bell
      Listener.start(self, descriptor) unless descriptor.nil?
    end

    # Called in the middle of a step, as restart_keeper.
    def listen_again
      Thread.handle_interrupt(Object => :never) do
        listen
      rescue StandardError
        nil
      end
    end

    def start_keeper
      Keeper.start(self, rests: !@group.nil?)
    end

    # Called in the middle of a step, of which nothing fails if there is no thread to be had.  An interrupt comes
    # afterwards, also one that is a StandardError.
    def restart_keeper
      Thread.handle_interrupt(Object => :never) do
        start_keeper
      rescue StandardError
        nil
      end
    end

    # Whether the exception may have come in the middle of an answer.
    def spoiled?(kinds, error)
      Spoiling.spoiled?(kinds, error)
    end

    def fill_or_close(initial)
      fill(initial)
      filled = true
    ensure
      close unless filled
    end
  end
end
