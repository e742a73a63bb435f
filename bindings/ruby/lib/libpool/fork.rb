# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'libpool/sockets'

module Libpool
  # What becomes of the pools of blocks in a child of fork, as soon as it is born: the parent's connections are cut off
  # from their servers, for what says goodbye when it is collected, or when the child ends, would end the parent's
  # session.  A child of Process.daemon, whose parent is no more, goes on with those that were idle.
  #
  # Fork.cut is in C (ext/libpool/fork.c).
  module Fork
    class << self
      # Where no Ractor may refer to pools weakly a child cuts its pools off when it uses them first.
      def watch(pool)
        pools[pool] = pool if Reference.weak?
      end

      # In a child.
      def begin_anew
        each(pools.values, 'a pool could not be left to the parent') { |pool| pool.__send__(:leave_to_parent) }
      end

      # Lets go of the parent's connections: by the block that the pool was given, or by cutting them off.  One about
      # which nothing is known is never garbage.
      def leave(connections, abandon)
        each(connections.compact, 'a connection of the parent could not be abandoned') do |connection|
          if abandon
            abandon.call(connection)
          elsif abandon == false || !Sockets.cut(connection)
            kept << connection
          end
        end
      end

      # Calls the block with each, whatever it does with the others; that one failed is reported.
      def each(list, message, &block)
        list = list.dup
        attempt(message, list.shift, &block) until list.empty?
      ensure
        each(list, message, &block) unless list.empty?
      end

      # The pools of this process, with leases of their connections that are idle.
      def take_idle
        pools.values.reject(&:closed?).to_h { |pool| [pool, pool.__send__(:take_idle)] }
      end

      # In a child of daemon the leases are stale, and the pool gets the connections anew; else there was none.
      def give_back(idle, daemon)
        each(idle.to_a, 'a pool could not be kept') do |pool, taken|
          pool.__send__(:forget_parent) if daemon
          taken.each { |lease, connection| daemon ? pool.__send__(:adopt, connection) : lease.checkin }
        end
      end

      private

      def attempt(message, object)
        yield object
      rescue StandardError, ScriptError => e
        report("#{message}: #{e.class}: #{e.message}")
      end

      # Where nobody can hear it, it is not said.
      def report(text)
        warn "libpool: #{text}"
      rescue StandardError
        nil
      end

      def pools
        Ractor.current[:libpool_pools] ||= ObjectSpace::WeakMap.new
      end

      def kept
        Ractor.current[:libpool_kept] ||= []
      end
    end

    # Put before Process._fork and Process.daemon, which does not call that.
    module Hook
      def _fork
        super.tap { |pid| Fork.begin_anew if pid.zero? }
      end

      def daemon(*)
        parent = Process.pid
        idle = Fork.take_idle
        super
      ensure
        Fork.give_back(idle, Process.pid != parent) if idle
      end
    end
    Process.singleton_class.prepend(Hook)
  end

  # For an `abandon` of one's own, in a child of fork: the child is cut off from the parent's connection, of which the
  # descriptor is given, or an object whose socket is found; nothing is sent.  Whether there was one.
  def self.cut_off(connection)
    Integer === connection ? Fork.cut(connection) : Sockets.cut(connection)
  end
end
