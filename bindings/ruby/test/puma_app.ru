# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# The application of puma_test.rb.  It answers with the worker, its master's session, the session that the query ran
# in and the number of the request.  A request is noted before it asks for a connection.
require 'libpool/connection_pool'
require 'pg'

CONNECT = -> { PG.connect(ENV.fetch('POSTGRES')) }
POOL = if ENV['KIND'] == 'pool'
         Libpool::Pool.new(max_open: 2, timeout: 60, &CONNECT)
       else
         ConnectionPool.new(size: 2, timeout: 60, &CONNECT)
       end
BOOTED = POOL.with(&:backend_pid)
BEGUN = File.open(ENV.fetch('BEGUN'), 'a').tap { |file| file.sync = true }

run(lambda do |env|
  number = env['QUERY_STRING']
  BEGUN.syswrite("#{number} #{Process.pid}\n")
  session, echo = POOL.with do |pg|
    pg.exec_params('SELECT pg_backend_pid(), $1::text, pg_sleep(0.01)', [number]).values.first
  end
  [200, {}, [[Process.pid, BOOTED, session, echo].join(' ')]]
end)
