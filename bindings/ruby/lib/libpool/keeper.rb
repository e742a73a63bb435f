# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'weakref'

module Libpool
  # A thread that does for a pool what is due by time: it closes connections that are idle for too long or too old,
  # checks others, and opens those that are to be kept idle.  It ends with its pool.
  module Keeper
    SETTINGS = %i[idle_timeout_ms max_lifetime_ms keepalive_ms check_after_ms leak_after_ms retry_min_ms].freeze
    LONGEST = 1.0 # a pool that is forgotten is noticed after so many seconds

    # How often to look at least, in seconds; nil: nothing has to do with time.
    def self.interval(settings)
      times = settings.values_at(*SETTINGS).compact.select(&:positive?)
      return nil if times.empty? && settings.values_at(:min_idle, :min_open).none? { |least| least.to_i.positive? }

      [LONGEST, *times.map { |time| time / 4000.0 }].min.clamp(0.001, LONGEST)
    end

    def self.start(pool, interval)
      start_thread(WeakRef.new(pool), interval)
    end

    # Apart, so that the thread's block does not hold the pool itself.
    def self.start_thread(reference, interval)
      thread = Thread.new { keep(reference, interval) }
      thread.name = 'libpool keeper'
      thread.report_on_exception = false
      thread
    end

    def self.keep(reference, interval)
      loop do
        # In a fiber, whose stack goes with it: on this thread's an old pointer might keep the pool alive.
        open, due = Fiber.new { look(reference) }.resume
        break unless open

        sleep([due || interval, interval].min.clamp(0.001, interval))
      end
    end

    # Whether to go on, and when.  A block that fails has been counted as such; the next look tries again.
    def self.look(reference)
      [!reference.closed?, reference.maintain]
    rescue WeakRef::RefError
      [false]
    rescue StandardError
      [true]
    end
    private_class_method :start_thread, :keep, :look
  end
end
