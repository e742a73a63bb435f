# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Ten threads share three connections to a server of this program's own: ruby ruby.rb
require 'libpool'
require 'socket'

server = TCPServer.new('127.0.0.1', 0)
accepted = 0
Thread.new do
  loop do
    client = server.accept
    accepted += 1
    Thread.new { client.puts(client.gets.to_i * 2) until client.eof? }
  end
end

pool = Libpool::Pool.new(max_open: 3, timeout: 5, name: 'doubler') do
  TCPSocket.new('127.0.0.1', server.addr[1])
end

visits = Thread::Queue.new
threads = Array.new(10) do |i|
  Thread.new do
    20.times do
      visits << pool.with do |socket|
        socket.puts(i)
        socket.gets.to_i == i * 2 || raise('a wrong answer')
      end
    end
  end
end
threads.each(&:join)
pool.close(timeout: 5)

raise "#{accepted} connections" if accepted > 3

puts "#{visits.size} visits over at most 3 connections"
