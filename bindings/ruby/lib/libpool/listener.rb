# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'io/wait'

module Libpool
  # A thread that hears what the program poolctl does to a pool of blocks, where that is exposed, and what a budget
  # allows it.  It does not do itself what follows: all that wait look at the pool, and the keeper does the rest.  It ends
  # with its pool.
  module Listener
    AFTER_ERROR = 1.0 # seconds
    DEAF = 0.1 # seconds; then it is tried again to get a descriptor

    # The bell is a descriptor (bindings/bell.h); false: none could be had.  A Group listens for all of its pools, and keeps
    # the time of its keys.
    # Where there is no thread to be had, the pool tries again.
    def self.start(pool, bell)
      bell &&= IO.for_fd(bell, 'rb')
      started = start_thread(Reference.new(pool), bell)
    ensure
      unless started
        bell&.close
        pool.__send__(:is_deaf)
      end
    end

    # Apart, so that the thread's block does not hold the pool itself.
    def self.start_thread(reference, bell)
      Background.start('libpool listener') do
        Thread.current.report_on_exception = false
        bell ||= bell_of(reference)
        listen(reference, bell) if bell
      ensure
        bell&.close
      end
    end

    # nil: the pool is closed.
    def self.bell_of(reference)
      bell = nil
      while bell.nil?
        sleep DEAF
        open, descriptor = use(reference, nil) { |pool| attend_deaf(pool) }
        break unless open

        bell = descriptor && IO.for_fd(descriptor, 'rb')
      end
      bell
    end

    def self.attend_deaf(pool)
      open, = attend(pool)
      open ? [true, pool.__send__(:bell_again)] : [false]
    end

    # Looks before it waits: what was told before there was a bell, nobody has heard.
    def self.listen(reference, bell)
      loop do
        open, due = use(reference, AFTER_ERROR) { |pool| attend(pool) }
        break sweep(open) unless open

        bell.wait_readable(due)
        bell.read_nonblock(8, exception: false)
      end
    end

    # A pool that is garbage may still have what others wait for, a permit of their budget, and a thread that waits sweeps
    # nothing.
    def self.sweep(open)
      GC.start(full_mark: false) if open.nil?
    end

    # Whether to go on, and in how many seconds at the latest; nil: when the bell rings.
    def self.attend(pool)
      return [nil] if pool.nil?

      pool.closed? ? [false] : [true, pool.__send__(:attend)]
    end

    def self.use(reference, otherwise, &block)
      reference.use(&block)
    rescue *Background::ERRORS => e # of a scheduler of fibers, or of a block that closes, say
      warn "libpool: not all that wait could be told to look: #{e.class}: #{e.message}"
      [true, otherwise]
    end
    private_class_method :start_thread, :bell_of, :attend_deaf, :listen, :attend, :use, :sweep
  end
  private_constant :Listener
end
