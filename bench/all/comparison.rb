# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# libpool beside one peer in one case.  Round by round their times make a ratio, and what lies between the quartiles of all
# ratios is the spread.  A ratio says something only where it is further from 1 than its spread is wide.
class Comparison
  OURS = 'libpool'
  DATA_SOURCE = 'libpool, data source'
  DATA_SOURCES = %w[HikariCP Agroal].freeze # which are compared with ours
  FEWEST_ROUNDS = 3

  attr_reader :suite, :name, :own, :peer, :unit, :ours, :theirs, :ratio, :low, :high

  # Of the figures of a suite, those of one case belong together.  What is libpool's is no peer of it.  Where libpool took no
  # part, nothing is compared.
  def self.all(suite, figures)
    figures.select { |figure| figure['rounds'] }.group_by { |figure| figure['case'] }.flat_map do |name, entries|
      own, others = entries.partition { |entry| entry['contender'].start_with?(OURS) }
      next [] if own.empty?

      others.map { |entry| new(suite, name, like(own, entry['contender']), entry) }
    end
  end

  # Of libpool's, the one that does what the peer does.
  def self.like(own, peer)
    wanted = DATA_SOURCES.include?(peer) ? [DATA_SOURCE, OURS] : [OURS]
    wanted.filter_map { |name| own.find { |entry| entry['contender'] == name } }.first || own.fetch(0)
  end

  def self.quantile(values, part)
    sorted = values.sort
    at = part * (sorted.size - 1)
    sorted[at.floor] + ((sorted[at.ceil] - sorted[at.floor]) * (at - at.floor))
  end

  def initialize(suite, name, ours, theirs)
    @suite = suite
    @name = name
    @own = ours['contender']
    @peer = theirs['contender']
    @unit = theirs['unit']
    @ours = ours['value']
    @theirs = theirs['value']
    ratios = ours['rounds'].zip(theirs['rounds']).map { |one, other| one.fdiv(other) }
    @rounds = ratios.size
    @low, @ratio, @high = [0.25, 0.5, 0.75].map { |part| Comparison.quantile(ratios, part) }
  end

  def verdict
    return 'too few rounds' if @rounds < FEWEST_ROUNDS
    return 'about the same' if high - low > (ratio - 1).abs

    ratio < 1 ? 'less' : 'more'
  end

  # What a person reads of the ratio.
  def said
    return verdict unless %w[less more].include?(verdict)

    format('%<ratio>.3g (%<low>.3g to %<high>.3g)', ratio:, low:, high:)
  end

  def to_h
    { suite:, case: name, peer:, unit:, libpool: ours, of_peer: theirs, ratio:, low:, high:, verdict: }
  end
end
