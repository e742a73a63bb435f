# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Uses the gem as it is installed, from anywhere: gem_use.rb ARITH_SERVER.
require 'libpool/connection_pool'

installed = $LOADED_FEATURES.grep(%r{libpool/native}).all? { |file| file.start_with?(ENV.fetch('GEM_HOME')) }
raise 'that is not the gem that was installed' unless installed

pool = ConnectionPool.new(size: 2) { Object.new }
raise 'connection_pool' unless pool.with { |one| one } == pool.with { |other| other }

server = IO.popen(ARGV.fetch(0), 'r+')
product = Libpool.open('jsonrpc', server.gets.chomp, max_open: 1, timeout: 20).with do |lease|
  lease.call('Arith.Mul', { A: 7, B: 8 })
end
server.close
puts "the product is #{product}"
