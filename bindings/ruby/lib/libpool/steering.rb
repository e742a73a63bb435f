# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A pool is used by the Ractor that made it alone.  Ruby copies what another Ractor is given.
  module Confined
    def initialize_copy(_other)
      raise TypeError, "#{self.class} cannot be copied, and not be given to another Ractor; make a pool in each"
    end
  end
  private_constant :Confined

  # A lease that is out.
  LeaseInfo = Struct.new(:lease, :connection, :thread, :held, :tag)

  # Looking at a pool and steering it, however its connections are opened.
  module Steering
    include Confined

    # How many connections are open, being opened or being closed.
    def size
      Native.pool_statistics(self).open
    end

    # How many connections are idle.
    def idle
      Native.pool_len(self)
    end

    # The counts of this moment: stats.lent, stats.waiting, stats.wait.p99_ns, ..., or all of them with to_h.
    def stats
      Native.pool_statistics(self)
    end

    # The same as text: :text for people, :json or :prometheus.
    def report(format = :text)
      formats = { text: Native::POOL_FORMAT_TEXT, json: Native::POOL_FORMAT_JSON,
                  prometheus: Native::POOL_FORMAT_PROMETHEUS }
      Native.pool_report_text(self, formats.fetch(format) { raise ArgumentError, "no such format: #{format.inspect}" })
    end

    # :healthy, :busy, :stuck or :down, without taking a connection: for the probes of orchestrators.  A pool is stuck when
    # gets want a connection and nothing came back for stuck_after seconds; nil: as long as a get waits at most.
    def health(stuck_after: nil)
      health_and_reason(stuck_after).first
    end

    # The same as a line for people: the word, the cause, how many connections there are, and the oldest lease.
    def health_reason(stuck_after: nil)
      health_and_reason(stuck_after).last
    end

    # The leases that are out: of each its number, that of its connection and of the thread that got it, and its tag.
    # Also for how many seconds it has been out, as far as is known.
    def leases
      lease_list.map { |values| LeaseInfo.new(*values) }
    end

    # Replaces all connections: none that is open now is lent again.  Returns how many are concerned.
    def flush
      Native.pool_flush(self).tap { tidy }
    end

    # Lends nothing until resume; returns how many connections are in use.
    def pause
      Native.pool_pause(self)
    end

    def resume
      Native.pool_resume(self).tap { tidy }
    end

    # Ends the waits of all waiters, with an EvictedError; a get that comes later waits as ever.  Returns how many.
    def evict
      Native.pool_evict(self).tap { tidy }
    end

    # Changes the hard cap; 0: none.  Returns how many connections are still too many.
    def resize(max_open)
      raise TypeError, named("max_open is a #{max_open.class}; it must be a whole number") unless max_open.is_a?(Integer)

      Native.pool_resize(self, max_open.clamp(INT32)).tap { tidy }
    end

    # Shows the pool to the program poolctl until it is collected, and returns it.  poolctl can also pause, resume, flush,
    # resize and evict it.
    def expose
      Native.pool_expose(self)
      self
    end

    HEALTH = %i[healthy busy stuck down].freeze
    INT32 = -0x8000_0000..0x7fff_ffff # what is beyond the library refuses as well
    YEAR = 31_622_400 # seconds
    private_constant :HEALTH, :INT32, :YEAR

    def health_and_reason(stuck_after)
      text = Native.pool_health_text(self, stuck_after.nil? ? -1 : stuck_after_ms(stuck_after))
      [HEALTH.fetch(text[0].to_i), text[1..]]
    end

    def stuck_after_ms(seconds)
      unless seconds.is_a?(Numeric) && seconds.real?
        raise TypeError, named("stuck_after is a #{seconds.class}; it must be a number of seconds, or nil")
      end
      return (seconds * 1000).ceil if seconds.positive? && seconds <= YEAR

      raise ArgumentError, named("stuck_after is #{seconds}; it must be above 0 and at most a year in seconds, or nil")
    end

    # With the name that the pool has in reports, which may be from a URL.
    def named(text)
      "#{report[/"(.*)"/, 1]}: #{text}"
    end
    private :health_and_reason, :stuck_after_ms, :named

    def inspect
      "#<#{self.class} #{stats.to_h.slice(:open, :idle, :leased, :waiting)}>"
    end
  end
end
