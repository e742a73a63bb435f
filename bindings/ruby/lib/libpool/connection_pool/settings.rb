# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  # What libpool can do beyond the gem: its settings, but for those that the gem has.  Blocks are given connections, and
  # libpool lends entries.
  class Settings
    OTHERS = { max_open: :size, timeout: :timeout, max_idle: :size, initial: :size }.freeze # and what the gem has
    private_constant :OTHERS

    # Called with a connection that comes back, or nil.
    attr_reader :reset
    # How a child of fork lets go of a connection.
    attr_reader :abandon
    # Called with a connection that is closed for a reason that the gem does not have.
    attr_reader :close

    def initialize(settings)
      settings.each_key do |name|
        raise ArgumentError, "there is no setting #{name} here; set #{OTHERS[name]}" if OTHERS.key?(name)
      end
      @given = { discard_on: false }.merge(settings)
      @close = @given.delete(:close) || ->(connection) { connection.close if connection.respond_to?(:close) }
      @abandon = @given.delete(:abandon)
      @reset = @given[:reset]
      %i[reset check].each { |name| @given[name] = for_entries(@given[name]) if @given[name] }
    end

    # For Libpool::Pool.
    def to_h
      @given
    end

    # Whether a block that is left may spoil its connection.
    def watched?
      @given[:discard_on] != false
    end

    # Whether a connection that comes back may be lent again.
    def clean?(connection)
      @reset&.call(connection)
      true
    rescue StandardError
      false
    end

    private

    # Where connections are stored by a subclass a place is empty that is not lent.
    def for_entries(block)
      ->(entry) { nil.equal?(entry.connection) || block.call(entry.connection) }
    end
  end
  private_constant :Settings
end
