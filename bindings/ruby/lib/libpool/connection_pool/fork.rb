# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  # After a fork the child's pools begin anew, with their full size.  The parent's connections are not closed there, because
  # that might end the parent's session: libpool cuts them off.
  module Fork
    def self.watch(pool)
      pools[pool] = pool if Libpool.const_get(:Reference).weak?
    end

    # Of this Ractor: a child has no other.
    def self.pools
      Ractor.current[:libpool_connection_pools] ||= ObjectSpace::WeakMap.new
    end

    # In a child.
    def self.begin_anew
      Libpool::Fork.each(pools.values, 'a pool could not begin anew') { |pool| renew(pool) }
    end

    def self.renew(pool)
      stack = pool.instance_variable_get(:@available)
      stack.leave_to_parent
      pool.checkin(force: true)
      pool.reload { |connection| stack.leave(connection) }
    end
    private_class_method :pools, :renew

    def self.close_all
      pools.each_value do |pool|
        pool.checkin(force: true)
        pool.reload { |connection| connection.close if connection.respond_to?(:close) }
      end
    end

    # Put before Process._fork.
    module Hook
      def _fork
        super.tap { |pid| Fork.begin_anew if pid.zero? }
      end
    end
    Process.singleton_class.prepend(Hook)
  end
  private_constant :Fork

  # Closes the connections of all pools, as far as these have a method for that; those of this fiber are checked in.
  # After a fork that happens by itself, without closing.
  def self.after_fork
    Fork.close_all
    nil
  end
end
