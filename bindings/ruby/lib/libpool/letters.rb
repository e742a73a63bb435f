# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # What threads of the library answer.  They cannot call Ruby, so one thread of Ruby's takes their letters and hands
  # them to a waiter; each Ractor has one.  A lease that nobody waits for any more is put back.
  #
  # Letters.take, put, fail and forks are in C (ext/libpool/driver_pool.c).
  module Letters
    Desk = Struct.new(:expected, :thread, :forks)

    # The number to ask with.
    def self.expect(answer)
      desk = here
      start(desk) unless desk.thread&.alive? && desk.forks == forks
      number = answer.object_id
      desk.expected[number] = answer
      number
    end

    def self.forget(answer)
      here.expected.delete(answer.object_id)
    end

    def self.here
      Ractor.current[:libpool_letters] ||= Desk.new({})
    end

    # Also in a child of fork, where nobody waits for what its parent asked.
    def self.start(desk)
      desk.expected.clear unless desk.forks == forks
      desk.forks = forks
      desk.thread = Background.start('libpool letters') { loop { deliver(desk, take) } }
    end

    def self.deliver(desk, letter)
      number, result, text = letter
      return unless number

      answer = desk.expected.delete(number)
      answer ? answer.__send__(:arrive, result, text) : (put(result) if result.positive?)
    end
    private_class_method :here, :start, :deliver

    # One answer, for one thread or fiber that waits for it.
    class Answer
      attr_reader :result, :text

      def initialize
        @lock = Thread::Mutex.new
        @arrival = Thread::ConditionVariable.new
      end

      def arrive(result, text)
        @lock.synchronize do
          @result = result
          @text = text
          @arrival.broadcast
        end
      end

      def arrived?
        !@result.nil?
      end

      # Whether it has arrived after this many seconds; nil: waits for ever.
      def wait(timeout = nil)
        deadline = timeout && (now + timeout)
        @lock.synchronize do
          until arrived?
            left = deadline && (deadline - now)
            break if left && left <= 0

            @arrival.wait(@lock, left)
          end
        end
        arrived?
      end

      private

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
  private_constant :Letters
end
