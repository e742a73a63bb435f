# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# The jobs of sidekiq_test.rb, for the test that asks for them and the processes that do them.
require 'libpool/connection_pool'
require 'sidekiq'
Redis.sadd_returns_boolean = false if Redis.respond_to?(:sadd_returns_boolean=) # or it warns

[Sidekiq.method(:configure_server), Sidekiq.method(:configure_client)].each do |configure|
  configure.call { |config| config.redis = { url: ENV.fetch('REDIS') } }
end

# Beside Sidekiq's own pool one that has less connections than there are threads.
FEW = ConnectionPool.new(size: 2, timeout: 60) { Redis.new(url: ENV.fetch('REDIS')) }

# Notes that it was done; an odd one asks for another job.
class Note
  include Sidekiq::Worker

  def perform(number)
    Sidekiq.redis { |redis| redis.sadd('begun', number) }
    FEW.with do |redis|
      sleep 0.002
      redis.sadd('done', number)
    end
    Follow.perform_async(number) if number.odd?
  end
end

class Follow
  include Sidekiq::Worker

  def perform(number)
    Sidekiq.redis { |redis| redis.sadd('followed', number) }
  end
end

# Keeps a connection until it is interrupted, and is done in the next process.
class Keep
  include Sidekiq::Worker

  def perform(number)
    FEW.with do |redis|
      redis.sadd('kept', number)
      sleep unless redis.get('next')
    end
  end
end

# Whether what was lent has come back at the end, also from threads that were interrupted.
if Sidekiq.server?
  at_exit do
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
    sleep 0.01 until FEW.available == 2 || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    Redis.new(url: ENV.fetch('REDIS')).rpush('ends', "#{FEW.available} #{FEW.method(:with).source_location.first}")
  end
end
