# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  module Native
    # What Stats and Times have in common.
    module Counts
      # The counts by name; those of times are hashes themselves.
      def to_h
        self.class.instance_methods(false).sort.to_h do |name|
          value = public_send(name)
          [name, value.is_a?(Counts) ? value.to_h : value]
        end
      end

      def inspect
        "#<#{self.class.name} #{to_h}>"
      end
    end

    Stats.include(Counts)
    Times.include(Counts)
  end

  # Counts of a pool at one moment: open, idle, leased, waiting, lent, ...; see pool_stats_t in pool/stats.h.
  Stats = Native::Stats

  # How long something took: count, sum_ns, p50_ns to p999_ns, max_ns.
  Times = Native::Times
end
