# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # After which exceptions nobody knows the state of a connection: those that come from outside, at any moment, and the
  # kinds that somebody has chosen.
  module Spoiling
    # What discard_on says, as a list; false: none of it.
    def self.kinds(value)
      return value if value == false

      kinds = value == true ? [] : Array(value)
      kinds.each do |kind|
        next if kind.is_a?(Module) || kind.respond_to?(:call)

        raise TypeError, "discard_on has #{kind.inspect}; it must be an exception, a list of them, true or false"
      end
      kinds.freeze
    end

    def self.spoiled?(kinds, error)
      foreign?(error) || kinds.any? { |kind| kind.is_a?(Module) ? kind === error : kind.call(error) }
    end

    # A time that is over in the block, or a signal.  A wait for another pool is none of it.
    def self.foreign?(error)
      case error
      when TimeoutError then false
      when Timeout::Error then !(defined?(::ConnectionPool::TimeoutError) && error.is_a?(::ConnectionPool::TimeoutError))
      when StandardError then defined?(::Async::TimeoutError) && ::Async::TimeoutError === error
      else !error.is_a?(ScriptError) && !error.is_a?(SystemExit)
      end
    end
    private_class_method :foreign?
  end
  private_constant :Spoiling
end
