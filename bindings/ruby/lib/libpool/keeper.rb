# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A thread that does for a pool what is due by time: it closes connections that are idle for too long or too old,
  # checks others, opens those that are to be kept idle, and tells events.  The library says until when it may sleep, and
  # a step that changes that rings the pool's alarm (ext/libpool/alarm.c).  It ends with its pool.
  module Keeper
    AFTER_ERROR = 1.0 # seconds

    def self.start(pool)
      start_thread(Reference.new(pool), pool.__send__(:new_alarm))
    end

    # Apart, so that the thread's block does not hold the pool itself.
    def self.start_thread(reference, alarm)
      Background.start('libpool keeper') do
        Thread.current.report_on_exception = false
        keep(reference, alarm)
      end
    end

    def self.keep(reference, alarm)
      loop do
        open, due = reference.use { |pool| look(pool) }
        break unless open

        alarm.wait(due)
      end
    ensure
      alarm.leave
    end

    # Whether to go on, and when.  A block that fails has been counted as such; the next look tries again.
    def self.look(pool)
      pool ? [!pool.closed?, pool.maintain] : [false]
    rescue StandardError
      [true, AFTER_ERROR]
    end
    private_class_method :start_thread, :keep, :look
  end
  private_constant :Keeper
end
