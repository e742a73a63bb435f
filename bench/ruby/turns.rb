# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Many threads take turns on few connections, each for a millisecond: how many leases there are in a second, how long
# the longest wait is, and how even the turns are.  The sides alternate in one run, and medians are compared.
class Turns
  THREADS = 16
  PLACES = 2
  HOLD = 0.001
  SECONDS = 2
  NAME = "#{THREADS} threads, #{PLACES} connections, 1 ms".freeze

  Round = Struct.new(:rate, :longest, :evenness)

  # sides: a name and what makes a pool, of the peer as well.
  def self.compare(report, sides, peer, count)
    pools = sides.transform_values { |make| make.call(PLACES) }
    rounds = pools.transform_values { [] }
    count.times { pools.each { |side, pool| rounds[side] << new(pool).run } }
    medians = rounds.transform_values do |all|
      Round.new(*Round.members.map { |member| all.map(&member).sort[count / 2] })
    end
    medians.each { |side, median| describe(report, side, median, rounds[side]) }
    medians.except(peer).each { |side, median| judge(report, side, median, medians[peer]) }
  end

  def self.describe(report, side, median, rounds)
    report.add("#{NAME}: #{side}", median.rate, 'leases/s')
    report.rounds("#{NAME}, longest wait", side, rounds.map { |round| round.longest * 1000 }, 'ms')
    report.add("#{NAME}, least turns / most: #{side}", median.evenness, 'times')
  end

  def self.judge(report, side, median, peer)
    report.add("#{NAME}: #{side} / gem", median.rate / peer.rate, 'times', at_least: 0.97)
    report.add("#{NAME}, longest wait: #{side} / gem", median.longest / peer.longest, 'times', at_most: 0.9)
  end
  private_class_method :describe, :judge

  def initialize(pool)
    @pool = pool
    @turns = Array.new(THREADS, 0)
    @longest = Array.new(THREADS, 0)
  end

  def run
    begun = now
    threads = Array.new(THREADS) { |number| Thread.new { take_turns(number) } }
    sleep SECONDS
    @over = true
    threads.each(&:join)
    Round.new(@turns.sum / (now - begun), @longest.max, @turns.min.fdiv(@turns.max))
  end

  private

  def take_turns(number)
    until @over
      asked = now
      @pool.with do
        @longest[number] = [@longest[number], now - asked].max
        sleep HOLD
      end
      @turns[number] += 1
    end
  end
end
