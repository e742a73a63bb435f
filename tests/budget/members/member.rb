# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# A process of a fleet in Ruby: member.rb HOST PORT USER BUDGET.  It obeys as member.c does, with one pool, and no forks.
require 'libpool'
require 'pg'

# So many threads use a pool as its test wants.
class Users
  def initialize(pool)
    @pool = pool
    @lock = Mutex.new
    @changed = ConditionVariable.new
    @wanted = @started = 0
  end

  def wanted=(count)
    @lock.synchronize do
      @wanted = count
      @started.upto(count - 1) { |index| Thread.new { run(index) } }
      @started = [@started, count].max
      @changed.broadcast
    end
  end

  private

  def run(index)
    loop do
      @lock.synchronize { @changed.wait(@lock) while index >= @wanted }
      @pool.with(timeout: 60) { |pg| pg.exec('select pg_sleep(0.1)') }
    rescue Libpool::Error, PG::Error
      next
    end
  end
end

host, port, user, budget = ARGV
pool = Libpool::Pool.new(max_open: 48, budget:) { PG.connect(host:, port:, user:, dbname: 'postgres') }
users = Users.new(pool)
$stdout.sync = true
puts 'ready'
$stdin.each_line do |line|
  command, _, count = line.split
  if command == 'stats'
    stats = pool.stats
    puts [stats.open, stats.budget_granted, stats.budget_share, stats.budget_cut_off, stats.budget_limit].join(' ')
  else
    users.wanted = count.to_i
    puts 'done'
  end
end
users.wanted = 0
pool.close(timeout: 5)
exit!
