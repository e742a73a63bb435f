# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Fifty tenants share four connections to a server of this program's own: a group has a pool for each of them, and one
# budget for all: ruby tenants.rb
require 'libpool'
require 'socket'

server = TCPServer.new('127.0.0.1', 0)
Thread.new do
  loop do
    client = server.accept
    Thread.new do
      tenant = client.gets # a real server would look for the tenant's database
      client.puts "#{tenant.chomp}: #{client.gets}" until client.eof?
    end
  end
end

open = most = 0
counting = Mutex.new
count = ->(by) { counting.synchronize { most = [most, open += by].max } }
hang_up = ->(socket) { count.call(-1) if socket.close.nil? }

shop = Libpool::Group.new(name: 'shop', budget: 'process:shop?limit=4', key_idle_ms: 600_000, close: hang_up) do |tenant|
  count.call(1)
  TCPSocket.new('127.0.0.1', server.addr[1]).tap { |socket| socket.puts(tenant) }
end

threads = Array.new(5) do |i|
  Thread.new do
    20.times do |n|
      tenant = "tenant#{(10 * i + n) % 50}"
      answer = shop.with(tenant) do |socket|
        socket.puts 'hello'
        socket.gets
      end
      answer == "#{tenant}: hello\n" || raise("a wrong answer: #{answer}")
    end
  end
end
threads.each(&:join)
puts "tenants: #{shop.stats.keys} keys, at most #{most} connections"
shop.close(timeout: 5)
