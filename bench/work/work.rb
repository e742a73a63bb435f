# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Real work in Ruby: many threads share few connections of PostgreSQL and of Redis, lent by libpool and by the gem
# connection_pool.  bench/work/run starts the servers and says what a line of the output is.
require 'connection_pool'
require 'libpool'
require 'pg'
require 'redis'

THREADS = 64
CONNECTIONS = 8

SERVERS = {
  'PostgreSQL' => [-> { PG.connect(dbname: 'postgres') }, ->(connection) { connection.exec('SELECT 1').clear }],
  'Redis' => [-> { Redis.new(host: '127.0.0.1', port: ENV.fetch('REDIS_PORT')) }, ->(connection) { connection.ping }]
}.freeze

CONTENDERS = {
  'libpool' => ->(open) { Libpool::Pool.new(max_open: CONNECTIONS, timeout: 60) { open.call } },
  'connection_pool' => ->(open) { ConnectionPool.new(size: CONNECTIONS, timeout: 60) { open.call } }
}.freeze

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

# One round: the time of each use, and that of all.
def work(pool, ask, seconds)
  over = false
  begun = now
  threads = Array.new(THREADS) do
    Thread.new do
      times = []
      until over
        asked = now
        pool.with { |connection| ask.call(connection) }
        times << (now - asked)
      end
      times
    end
  end
  sleep seconds
  over = true
  [threads.flat_map(&:value).sort, now - begun]
end

rounds, round_ms = ARGV.map { |text| Integer(text) }
SERVERS.each do |server, (open, ask)|
  pools = CONTENDERS.transform_values { |make| make.call(open) }
  (-1...rounds).each do |round| # the first warms up
    pools.each do |name, pool|
      times, took = work(pool, ask, round_ms / 1000.0)
      shown = [500, 990, 999, 1000].map { |thousandths| times[(times.size - 1) * thousandths / 1000] }
      puts [server, name, took / times.size, *shown].join("\t") unless round.negative?
    end
  end
end
