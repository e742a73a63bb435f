# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# A program that was written for the gem connection_pool: docs/migrate/connection_pool.md shows what changed:
# ruby connection_pool.rb
require 'libpool/connection_pool' # was: 'connection_pool'
require 'socket'

server = TCPServer.new('127.0.0.1', 0)
Thread.new do
  loop { Thread.new(server.accept) { |client| client.puts(client.gets.to_i * 2) until client.eof? } }
end

pool = ConnectionPool.new(size: 3, timeout: 5) { TCPSocket.new('127.0.0.1', server.addr[1]) }
pool.with do |socket|
  socket.puts(21)
  puts "the answer is #{socket.gets}"
end
pool.shutdown(&:close)
