# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'io/wait'

module Libpool
  # A thread that hears what the program poolctl does to a pool of blocks, where that is exposed, and what a budget
  # allows it.  It does not do itself what follows: all that wait look at the pool, and the keeper does the rest.  It ends
  # with its pool.
  module Listener
    AFTER_ERROR = 1.0 # seconds

    # The bell is a descriptor (bindings/bell.h).  A Group listens for all of its pools, and keeps the time of its keys.
    def self.start(pool, bell)
      start_thread(Reference.new(pool), IO.for_fd(bell, 'rb'))
    end

    # Apart, so that the thread's block does not hold the pool itself.
    def self.start_thread(reference, bell)
      Background.start('libpool listener') do
        Thread.current.report_on_exception = false
        listen(reference, bell)
      ensure
        bell.close
      end
    end

    def self.listen(reference, bell)
      due = nil
      loop do
        bell.wait_readable(due)
        bell.read_nonblock(8, exception: false)
        open, due = reference.use { |pool| attend(pool) }
        break unless open
      end
    end

    # Whether to go on, and in how many seconds at the latest; nil: when the bell rings.
    def self.attend(pool)
      return [false] if pool.nil? || pool.closed?

      [true, pool.__send__(:attend)]
    rescue StandardError => e # of a scheduler of fibers, say
      warn "libpool: not all that wait could be told to look: #{e.class}: #{e.message}"
      [true, AFTER_ERROR]
    end
    private_class_method :start_thread, :listen, :attend
  end
  private_constant :Listener
end
