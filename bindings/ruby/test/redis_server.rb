# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'fileutils'
require 'redis'
require 'socket'
require 'tmpdir'

# A Redis server of our own: on a free port, with a temporary folder.
class RedisServer
  attr_reader :port

  def initialize
    @folder = Dir.mktmpdir
    @port = TCPServer.open('127.0.0.1', 0) { |server| server.addr[1] }
    @server = spawn('redis-server', '--port', @port.to_s, '--bind', '127.0.0.1', '--save', '', '--dir', @folder,
                    out: File::NULL)
  end

  def ready?
    client = connect
    client.ping == 'PONG'
  rescue Redis::CannotConnectError
    false
  ensure
    client&.close
  end

  def connect
    Redis.new(host: '127.0.0.1', port:, reconnect_attempts: 0)
  end

  def stop
    Process.kill('TERM', @server)
    Process.wait(@server)
    FileUtils.remove_entry(@folder)
  end
end
