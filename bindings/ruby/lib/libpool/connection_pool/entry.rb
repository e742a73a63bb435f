# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  # What libpool lends for a TimedStack: a place, and the connection in it.
  class Entry
    attr_accessor :connection, :count, :lease, :options, :since, :farewell, :failure, :generation, :left_behind

    def initialize(connection, since)
      @connection = connection
      @since = since # nobody has used it
      @count = 1 # how often the fiber that has it has checked it out
    end

    # Is lent anew.
    def begin(lease, options)
      @lease = lease
      @options = options
      @count = 1
      self
    end

    # Says goodbye to the connection.  An error is kept for the caller that caused this.
    def dispose(default)
      (@farewell || default)&.call(@connection)
    rescue StandardError => e
      @failure = e
    end

    def raise_failure
      return unless @failure

      failure = @failure
      @failure = nil
      raise failure
    end
  end
  private_constant :Entry

  # The pool of these.
  class Places < Libpool::Pool
    public :with_local, :checkout_idle, :detach, :watch
  end
  private_constant :Places
end
