# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A thread that does for a pool what is due by time: it closes connections that are idle for too long or too old,
  # checks others, opens those that are to be kept idle, and tells events.  The library says until when it may sleep, and
  # a step that changes that rings the pool's alarm (ext/libpool/alarm.c).  It ends with its pool; that of a key's pool,
  # of which there may be thousands, also when nothing is due any more, and the next ring starts another.
  module Keeper
    AFTER_ERROR = 1.0 # seconds

    LINGER = 1.0

    # Where there is no thread to be had, the next ring tries again.
    def self.start(pool, rests: false)
      alarm = pool.__send__(:new_alarm)
      started = start_thread(Reference.new(pool), alarm, rests)
    ensure
      alarm&.leave unless started
    end

    # Apart, so that the thread's block does not hold the pool itself.
    def self.start_thread(reference, alarm, rests)
      Background.start('libpool keeper') do
        Thread.current.report_on_exception = false
        rests ? keep_until_rest(reference, alarm) : keep(reference, alarm)
      ensure
        alarm.leave
      end
    end

    def self.keep(reference, alarm)
      loop do
        open, due = look(reference)
        break unless open

        alarm.wait(due)
      end
    end

    # A ring that comes before it has left is heard by one look more.
    def self.keep_until_rest(reference, alarm)
      lingered = false
      loop do
        open, due = look(reference)
        break if !open || (due.nil? && lingered && alarm.leave_if_quiet)

        lingered = due.nil?
        alarm.wait(due || LINGER)
      end
    end

    # Whether to go on, and when.  A block that fails has been counted as such; the next look tries again.
    def self.look(reference)
      reference.use { |pool| pool ? [!pool.closed?, pool.maintain] : [false] }
    rescue *Background::ERRORS
      [true, AFTER_ERROR]
    end
    private_class_method :start_thread, :keep, :keep_until_rest, :look
  end
  private_constant :Keeper
end
