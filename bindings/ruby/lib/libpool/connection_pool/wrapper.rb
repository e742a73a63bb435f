# SPDX-License-Identifier: MIT
# frozen_string_literal: true

class ConnectionPool
  # Looks like a connection; each call checks one out.
  class Wrapper < ::BasicObject
    METHODS = %i[with pool_shutdown wrapped_pool].freeze

    def initialize(former = nil, **options, &block)
      options = former.merge(options) if former
      @pool = options.fetch(:pool) { ::ConnectionPool.new(**options, &block) }
    end

    def wrapped_pool
      @pool
    end

    def with(*former, **options, &block)
      @pool.with(*former, **options, &block)
    end

    def pool_shutdown(&block)
      @pool.shutdown(&block)
    end

    def pool_size
      @pool.size
    end

    def pool_available
      @pool.available
    end

    def respond_to?(name, *arguments)
      METHODS.include?(name) || with { |connection| connection.respond_to?(name, *arguments) }
    end

    # respond_to? is defined above, and a BasicObject has no respond_to_missing?.
    def method_missing(name, *arguments, **options, &block) # rubocop:disable Style/MissingRespondToMissing
      with { |connection| connection.send(name, *arguments, **options, &block) }
    end
  end
end
