# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Calls what the signatures in sig/ declare, while rbs/test/setup compares.
require 'libpool'
require 'libpool/connection_pool'

def use_leases(pool)
  lease = pool.checkout(timeout: 1)
  lease.tag = 'report'
  lease.tag = nil
  pool.leases.each { |info| [info.lease, info.held, info.tag] }
  lease.connection.upcase unless lease.ended?
  pool.tag(lease, 'sales')
  lease.pool.checkin(lease)
  pool.discard(pool.checkout)
  pool.checkout.discard
  pool.checkout.checkin
  pool.discard_broken(pool.checkout)
  pool.checkout.discard_broken
end

def use_pool
  told = []
  pool = Libpool::Pool.new(max_open: 2, timeout: 1.5, check: ->(_) { true }, check_after_ms: 0, close: nil,
                           keeper: :manual, events: ->(event) { told << event }, queue: :fifo) { +'one' }
  pool.with(timeout: 1, &:upcase)
  pool.with { |one| pool.discard(one) }
  use_leases(pool)
  [pool.size, pool.idle, pool.report, pool.report(:json), pool.inspect, pool.flush, pool.pause, pool.resume,
   pool.evict, pool.resize(3), pool.expose, pool.event_fd, pool.maintain, pool.closed?]
  pool.stats.wait.to_h.merge(pool.stats.to_h, { a: pool.stats.lent + pool.stats.wait.count })
  told.map { |event| [event.name, event.reason, event.code, event.duration, event.message, event.lost] }
  pool.close(timeout: 1)
  pool.shutdown
end

def use_group
  group = Libpool::Group.new(name: 'shop', max_keys: 5, key_idle_ms: -1, prepare: ->(_) { { max_open: 1 } }) { |key| +key }
  group.with('one', timeout: 1, &:upcase)
  group.checkout('one').checkin
  [group.pool('one').size, group.keys, group.stats.keys, group.stats.let_go, group.closed?, group.inspect]
  group.close(timeout: 1)
  group.shutdown
end

def use_driver
  pool = Libpool.open('jsonrpc://127.0.0.1:1?pool.max_open=1', timeout: 5)
  pool.with { |lease| lease.call('Arith.Mul', {}) }
rescue Libpool::Error, Libpool::TimeoutError
  pool&.close(timeout: 1)
end

def use_connection_pool
  pool = ConnectionPool.new(size: 2, timeout: 1, name: 'shop') { +'one' }
  pool.with(timeout: 1, &:upcase)
  pool.with({ timeout: 1 }, &:upcase)
  pool.checkout.upcase
  pool.tag = 'report'
  pool.leases.map(&:tag)
  pool.discard_current_connection { |one| one }
  pool.checkin
  pool.checkin(force: true)
  [pool.size, pool.available, pool.idle, pool.auto_reload_after_fork, pool.inspect]
  pool.reap(idle_seconds: 0) { |one| one }
  pool.reload { |one| one }
  ConnectionPool::Wrapper.new(pool:).wrapped_pool.shutdown { |one| one }
end

def use_stack
  stack = ConnectionPool::TimedStack.new(size: 1) { +'one' }
  stack.push(stack.pop(timeout: 0.5))
  stack << stack.pop(1)
  [stack.max, stack.length, stack.idle, stack.empty?, stack.inspect]
  stack.pop
  stack.decrement_created
  stack.reap(idle_seconds: 60) { |one| one }
  stack.shutdown { |one| one }
end

use_pool
use_group
use_driver
use_connection_pool
use_stack
puts "all of it: #{Libpool.library_version}"
