# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require_relative 'offspring'
require_relative 'redis_server'
require 'libpool/connection_pool'

# A real server, and the gem that people use.
class RedisTest < Minitest::Test
  include Support

  def setup
    @server = RedisServer.new
    eventually(60) { @server.ready? }
  end

  def teardown
    @server.stop
  end

  def connect
    @server.connect
  end

  def clients
    connect.then { |client| client.info['connected_clients'].to_i.tap { client.close } } - 1
  end

  def test_threads_share_few_connections
    pool = Libpool::Pool.new(max_open: 3, timeout: 20) { connect }
    threads = Array.new(12) { Thread.new { 100.times { pool.with { |redis| redis.incr('visits') } } } }
    threads.each(&:join)
    assert_equal '1200', pool.with { |redis| redis.get('visits') }
    assert_operator pool.size, :<=, 3
    assert_equal pool.size, clients
    pool.close
    eventually { clients.zero? }
  end

  def test_a_broken_connection_is_discarded
    pool = Libpool::Pool.new(max_open: 1, check_after_ms: 0, check: ->(redis) { redis.ping == 'PONG' }) { connect }
    id = pool.with { |redis| redis.client(:id) }
    connect.then { |other| other.client(:kill, 'id', id) && other.close }
    refute_equal id, pool.with { |redis| redis.client(:id) }
    assert_equal 1, pool.stats.check_failures
    pool.close
  end

  # What a time-out leaves unread must not be the next one's answer: who is interrupted says so.
  def test_an_interrupted_command_is_discarded
    pool = Libpool::Pool.new(max_open: 1) { connect }
    assert_raises(Timeout::Error) do
      pool.with do |redis|
        Timeout.timeout(0.05) { redis.blpop('nothing', timeout: 5) }
      rescue Timeout::Error
        pool.discard(redis)
        raise
      end
    end
    assert_equal 'PONG', pool.with(&:ping)
    assert_equal 1, pool.stats.closed_unusable
    pool.close
  end

  def test_workers_after_a_fork
    pool = Libpool::Pool.new(max_open: 2) { connect }
    mine = pool.with { |redis| redis.client(:id) }
    answers = Array.new(2) do
      in_child do
        [pool.with { |redis| redis.client(:id) }, pool.with { |redis| redis.incr('forks') }].tap { pool.close }
      end
    end
    ids = answers.map(&:first)
    assert_equal 3, [mine, *ids].uniq.size
    assert_equal [1, 2], answers.map(&:last)
    assert_equal mine, pool.with { |redis| redis.client(:id) } # still the same connection
    pool.close
  end
  def test_no_child_ends_the_session_of_its_parent
    [Libpool::Pool.new(max_open: 1, timeout: 20) { connect }, ConnectionPool.new(size: 1) { connect }].each do |pool|
      mine = pool.with { |redis| redis.client(:id) }
      Offspring::ALL.each do |name, child|
        child.call(pool)
        assert_equal [mine, 'PONG'], pool.with { |redis| [redis.client(:id), redis.ping] }, "a child #{name}"
      end
    end
  end

  # Also where the child says goodbye on purpose.
  def test_a_child_that_still_has_the_connection_cannot_reach_the_server
    pool = Libpool::Pool.new(max_open: 1) { connect }
    redis = pool.with { |connection| connection }
    mine = redis.client(:id)
    in_child do
      redis.without_reconnect { redis.quit }
    rescue Redis::BaseError
      nil
    end
    assert_equal mine, pool.with { |connection| connection.client(:id) }
    pool.close
  end
end
