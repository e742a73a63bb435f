# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # Something that happened in a pool, as pool_event_t in pool/event.h says it: its name (:opened, :timed_out, ...), why a
  # connection was closed (:idle, :lifetime, ..., or nil), and the code of what failed.  The numbers of the lease, connection
  # and thread are 0 where there is none; the duration is in seconds, nil where it is not known.  lost: how many events
  # before this one were dropped because nobody fetched them.
  Event = Struct.new(:name, :reason, :code, :lease, :connection, :thread, :duration, :tag, :message, :lost)

  class Event
    # The names of the constants of C with this beginning, by their numbers.
    def self.names(prefix)
      Native.constants.grep(/\A#{prefix}/).to_h do |constant|
        [Native.const_get(constant), constant.to_s.delete_prefix(prefix).downcase.to_sym]
      end
    end

    NAMES = names('POOL_EVENT_').freeze
    REASONS = names('POOL_REASON_').except(0).freeze
    LEVELS = names('POOL_LOG_').freeze

    # From the numbers that the library has.
    def self.of(event, reason, code, lease, connection, thread, duration_ns, tag, message, lost)
      duration = duration_ns.negative? ? nil : duration_ns / 1e9
      new(NAMES.fetch(event, :unknown), REASONS[reason], code, lease, connection, thread, duration, tag, message, lost)
    end
  end
end
