# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A pool on a driver of the library, which opens, checks and closes connections in threads of its own.
  #
  #   pool = Libpool.open('jsonrpc://127.0.0.1:1234?pool.max_open=5', timeout: 2)
  #   pool.with { |lease| lease.call('Arith.Mul', { A: 7, B: 8 }) }
  class DriverPool
    include Steering

    SLICE_MS = 50 # for so long close is deaf to interrupts

    # A URL alone, or a driver and an address.  Settings are those of Pool that are no blocks, and openers and
    # call_timeout_ms; those of the URL go before them.
    def initialize(url_or_driver, *address, **settings)
      require 'json' unless defined?(::JSON) # for nobody else; in a Ractor nothing can be required
      if address.empty?
        create_by_url(settings, url_or_driver)
      else
        create_driver(settings, url_or_driver, *address)
      end
      @timeout = default_timeout
    end

    # Lends to the block, and returns what that returns.
    def with(timeout: @timeout)
      raise LocalJumpError, 'no block given (yield)' unless block_given?

      lease = DriverLease.__send__(:new, self)
      begin
        acquire(lease, timeout)
        yield lease
      ensure
        Thread.handle_interrupt(Object => :never) { lease.release }
      end
    end

    # Lends until the lease is checked in.
    def checkout(timeout: @timeout)
      lease = DriverLease.__send__(:new, self)
      acquire(lease, timeout)
      lease
    end

    def checkin(lease)
      own(lease).checkin
    end

    # Ends a lease, and its connection is closed.
    def discard(lease)
      own(lease).discard
    end

    # The same for one that broke: the others are under suspicion, and checked.
    def discard_broken(lease)
      own(lease).discard_broken
    end

    # Closes the pool: nobody gets a connection any more.  This many seconds are waited for those that are lent (nil: for
    # ever).  Returns how many are left.
    def close(timeout: 0)
      left_ms = milliseconds(timeout)
      loop do
        slice_ms = [SLICE_MS, left_ms].compact.min
        open = close_for(slice_ms)
        left_ms -= slice_ms if left_ms
        return open if open.zero? || left_ms&.zero?
      end
    end
    alias shutdown close

    private

    # What has arrived when this is interrupted goes back.
    def acquire(lease, timeout)
      return if begin_idle(lease)

      answer = lease.__send__(:arrival)
      begin
        ticket = begin_get(timeout, Letters.expect(answer))
        answer.wait
        Letters.fail(answer.result, answer.text) if answer.result.negative?
        succeeded = true
      ensure
        give_up(lease, answer, ticket) unless succeeded
      end
    end

    def give_up(lease, answer, ticket)
      Thread.handle_interrupt(Object => :never) do
        Letters.forget(answer)
        cancel(ticket) if ticket&.positive? && !answer.arrived?
        lease.release
      end
    end

    def own(lease)
      raise TypeError, "a Libpool::DriverLease is needed, not #{lease.class}" unless lease.is_a?(DriverLease)
      raise ArgumentError, 'this lease is of another pool' unless lease.pool.equal?(self)

      lease
    end

    # The library has its own, also in a child of fork.
    def begin_keeping; end

    def tidy; end
  end

  # The right to call over one connection until it is given back.
  class DriverLease
    attr_reader :pool

    # Notes a lease as soon as it comes.
    class Arrival < Letters::Answer
      def initialize(lease)
        @lease = lease
        super()
      end

      def arrive(result, text)
        @lease.instance_variable_set(:@number, result) if result.positive?
        super
      end
    end
    private_constant :Arrival
    private_class_method :new

    def initialize(pool)
      @pool = pool
    end

    # Calls a method of the server and waits for its answer, because this many seconds at most.  A call that is left goes on,
    # and its connection is lent to nobody before it is done.
    def call(method, arguments = nil, timeout: nil)
      go(method, arguments).value(timeout:)
    end

    # Begins a call.
    def go(method, arguments = nil)
      call = Call.__send__(:new)
      begin_call(method.to_s, JSON.generate(arguments), Letters.expect(call))
      call
    end

    def checkin
      put || raise(StaleError, 'lease is stale')
      nil
    end

    # Gives the connection back to be closed.
    def discard
      mark_unusable
      checkin
    end

    # The same, and the others are under suspicion.  A call that ends with a BrokenError has done it already.
    def discard_broken
      mark_broken
      checkin
    end

    # Gives the connection back, if it has not been done yet.
    def release
      put
      nil
    end

    def inspect
      "#<#{self.class}#{' (ended)' if ended?}>"
    end

    private

    def arrival
      Arrival.new(self)
    end
  end

  # A call under way.
  class Call < Letters::Answer
    private_class_method :new
    alias done? arrived?
    private :arrive, :arrived?, :wait, :result, :text

    # The answer; waits for it for this many seconds at most.
    def value(timeout: nil)
      wait(timeout) || raise(TimeoutError, "no answer within #{timeout} s; the call goes on")
      Letters.fail(result, text) if result.negative?
      JSON.parse(text) unless text.nil? || text.empty?
    end
  end

  # A pool on a driver of the library: of what a URL names, or by the driver's name and in its notation of addresses.
  #
  #   Libpool.open('jsonrpc://127.0.0.1:1234?pool.max_open=5')
  #   Libpool.open('jsonrpc', '127.0.0.1:1234', max_open: 5)
  def self.open(url_or_driver, *address, **settings)
    DriverPool.new(url_or_driver, *address, **settings)
  end
end
