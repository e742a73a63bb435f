# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # Pools by key, for tenants, endpoints, or the databases of a server, which share one limit.
  #
  #   group = Libpool::Group.new(name: 'visits', budget: 'process:visits?limit=50') { |number| Redis.new(db: number) }
  #   group.with(7) { |redis| redis.incr('visits') }
  #
  # The pool of a key is made when the key is asked for first, and let go of when it has had no connection for a while.
  # Which key has which pool, and when it goes, the library says (ext/libpool/group.c).
  class Group
    include Confined

    # keys: that have a pool now; made: pools, since the group began; let_go: of these; refused: gets that max_keys
    # refused.  The others are sums over all pools.
    Stats = Struct.new(:keys, :made, :let_go, :refused, :open, :idle, :leased, :waiting)

    Entry = Struct.new(:name, :pool)
    private_constant :Entry

    # The block opens a connection of a key, which it is given.  Settings are those of Pool, for the pool of each key; its
    # name is that of the group, "/" and the key.  And:
    #
    # key_idle_ms:: a key that has had no connection for this long is let go of (60000); -1: never.
    # max_keys:: at most this many keys at one time (10000).
    # prepare:: is called with a key before its pool is made, and returns settings that are special to it, or nil.
    def initialize(prepare: nil, **settings, &open)
      raise ArgumentError, 'a group needs a block that opens a connection of a key' unless open

      @open = open
      @prepare = prepare
      @settings = settings.except(:key_idle_ms, :max_keys)
      @pools = {}   # by key
      @entries = {} # by the number of the library
      @lock = Mutex.new
      create(Pool.allocate.__send__(:complete, { name: 'group' }.merge(settings)))
      listen
    end

    # Lends a connection of the key to the block, as Pool#with.
    def with(key, **options)
      raise LocalJumpError, 'no block given (yield)' unless block_given?

      entered = false
      find(key, -> { entered }) do |pool|
        pool.with(**options) do |connection|
          entered = true
          yield connection
        end
      end
    end

    # Lends a connection of the key until its lease is checked in, as Pool#checkout.
    def checkout(key, **options)
      find(key) { |pool| pool.checkout(**options) }
    end

    # The pool of a key: to look at it, to steer it, or to discard a connection.  It is closed when its key is let go of,
    # and the group then has another; to close it ends the key.
    def pool(key)
      name = name_of(key)
      found = @pools[name]
      found && !found.closed? ? found : make(key, name, found)
    end

    # The keys that have a pool, as texts.
    def keys
      attend
      @pools.keys
    end

    def stats
      Stats.new(*counts)
    end

    # Closes the pools of all keys, and makes no other.  This many seconds are waited for leases (nil: for ever).  Returns
    # how many connections are left.
    def close(timeout: 0)
      close_all
      pools = @lock.synchronize { @entries.values.map(&:pool) }
      pools.each(&:close) # none waits for another
      deadline = timeout && (now + timeout)
      pools.sum { |pool| pool.close(timeout: deadline && [deadline - now, 0].max) }
    end
    alias shutdown close

    def inspect
      "#<#{self.class} #{stats.to_h.slice(:keys, :open, :idle, :leased, :waiting)}>"
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # The same bytes are the same key.
    def name_of(key)
      name = key.to_s
      name.ascii_only? ? name : name.b
    end

    # A pool that is closed when the block comes to it was let go of meanwhile: then the key has another.
    def find(key, entered = nil)
      pool = pool(key)
      begin
        yield pool
      rescue ClosedError
        raise if entered&.call

        another = make(key, name_of(key), pool)
        raise if another.equal?(pool)

        pool = another
        retry
      end
    end

    # The pool of a key, where `stale` is none or closed.
    def make(key, name, stale)
      special = @prepare&.call(key) || {}
      @lock.synchronize do
        Thread.handle_interrupt(Object => :never) do
          found = @pools[name]
          found && !found.equal?(stale) && !found.closed? ? found : make_locked(opener(key), -name, special)
        end
      end
    ensure
      attend
    end

    # The text of a key may be changed by its owner, or by the block that is given it.
    def opener(key)
      open = @open
      return -> { open.call(key) } unless key.is_a?(String)

      kept = key.dup.freeze
      -> { open.call(kept.dup) }
    end

    def make_locked(open, name, special)
      fresh = Pool.allocate
      number = fresh.__send__(:initialize_of, self, name, @settings.merge(special), &open)
      pool = (@entries[number] ||= Entry.new(name, fresh)).pool
      @pools[name] = pool
      pool.__send__(:begin_of_group) if pool.equal?(fresh)
      pool
    end

    # Does what the library tells: for keys that it let go of, and for pools that poolctl or the budget has steered.
    # Returns in how many seconds to ask again, or nil.
    def attend
      loop do
        gone = nil
        news = Thread.handle_interrupt(Object => :never) do
          next_news.tap { |each| gone = follow(*each) if each.is_a?(Array) }
        end
        return news unless news.is_a?(Array)

        gone&.close
      end
    end

    # No interrupt comes between hearing it and this.  The pool of a key that was let go of, which is to be closed.
    def follow(gone, number)
      return forget(number) if gone

      @entries[number]&.pool&.__send__(:attend)
      nil
    end

    def forget(number)
      @lock.synchronize do
        entry = @entries.delete(number)
        @pools.delete(entry.name) if entry && @pools[entry.name].equal?(entry.pool)
        entry&.pool
      end
    end

    # A thread hears of all that, one in each process.
    def listen
      descriptor = bell
      Listener.start(self, descriptor) unless descriptor.nil?
    end
  end
end
