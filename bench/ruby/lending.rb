# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What lending costs beside the gem connection_pool: all sides take turns in one run, and medians are compared.
require 'libpool'
require 'optparse'
require_relative 'report'
require_relative 'turns'

require 'connection_pool'
GEM = ConnectionPool # as ConnectionPool in libpool/connection_pool is another
Object.send(:remove_const, :ConnectionPool)
require 'libpool/connection_pool'

# Whatever is lent costs nothing itself.
SIDES = {
  'libpool' => ->(size) { Libpool::Pool.new(max_open: size, timeout: 60) { Object.new } },
  "connection_pool #{GEM::VERSION}" => ->(size) { GEM.new(size:, timeout: 60) { Object.new } },
  'libpool/connection_pool' => ->(size) { ConnectionPool.new(size:, timeout: 60) { Object.new } }
}.freeze
LIBPOOL, PEER, = SIDES.keys

# A way to use a pool, the threads that do so at one time, and how many connections there are for them.
Figure = Struct.new(:name, :threads, :places, :uses, :body, :bound)

WITH = lambda do |pool, count|
  i = 0
  while i < count
    pool.with { nil }
    i += 1
  end
end

CONTENDED = lambda do |pool, count|
  i = 0
  while i < count
    pool.with { Thread.pass }
    i += 1
  end
end

CHECKOUT = lambda do |pool, count|
  i = 0
  if pool.is_a?(Libpool::Pool)
    while i < count
      pool.checkin(pool.checkout)
      i += 1
    end
  else
    while i < count
      pool.checkout
      pool.checkin
      i += 1
    end
  end
end

FIGURES = [
  Figure.new('with, 1 thread', 1, 8, 20_000, WITH, 0.1),
  Figure.new('with, 2 threads', 2, 8, 20_000, WITH, 0.1),
  Figure.new('checkout and checkin, 1 thread', 1, 8, 20_000, CHECKOUT),
  Figure.new('checkout and checkin, 2 threads', 2, 8, 20_000, CHECKOUT),
  Figure.new('with, 4 threads, 1 connection', 4, 1, 2_000, CONTENDED, 1)
].freeze

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Nanoseconds for one use, by all threads together.
def measure(figure, pool)
  each = figure.uses / figure.threads
  begun = now
  if figure.threads == 1
    figure.body.call(pool, each)
  else
    Array.new(figure.threads) { Thread.new { figure.body.call(pool, each) } }.each(&:join)
  end
  (now - begun) * 1e9 / (each * figure.threads)
end

def median(values)
  values.sort[values.size / 2]
end

def compare(report, figure, rounds)
  pools = SIDES.transform_values { |make| make.call(figure.places) }
  pools.each_value { |pool| measure(figure, pool) } # the first connections, and caches
  GC.start
  times = Hash.new { |hash, side| hash[side] = [] }
  rounds.times { pools.each { |side, pool| times[side] << measure(figure, pool) } }
  medians = times.transform_values { |values| median(values) }
  SIDES.each_key { |side| report.rounds(figure.name, side, times[side], 'ns') }
  report.add("#{figure.name}: libpool / gem", medians[LIBPOOL] / medians[PEER], 'times', at_most: figure.bound)
end

rounds = 21
turns = 5
file = nil
OptionParser.new do |options|
  options.banner = 'usage: tools/bench ruby [OPTION]...'
  options.on('--json FILE', 'writes the figures to FILE, too') { |name| file = name }
  options.on('--rounds N', Integer, "rounds of each side (#{rounds})") { |count| rounds = count }
  options.on('--turns N', Integer, "rounds of two seconds in which turns and waits are noted (#{turns})") { |count| turns = count }
end.parse!
abort 'no such argument' unless ARGV.empty?
abort 'at least 1 round' unless rounds.positive? && turns.positive?

puts "#{RUBY_DESCRIPTION}\nthe gem connection_pool: #{GEM::VERSION}, libpool: #{Libpool::VERSION}"
report = Report.new
FIGURES.each { |figure| compare(report, figure, rounds) }
Turns.compare(report, SIDES, PEER, turns)
report.write(file) if file
exit(report.met? ? 0 : 1)
