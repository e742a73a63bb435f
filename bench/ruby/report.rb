# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'json'

# Figures, shown as a table while they come in and written as JSON at the end.
class Report
  LINE = '%-78<name>s %12<value>s  %-18<unit>s %10<bound>s  %<met>s'

  def initialize
    @figures = []
    puts format(LINE, name: 'name', value: 'value', unit: 'unit', bound: 'bound', met: 'met').rstrip
  end

  def add(name, value, unit, at_most: nil, at_least: nil)
    met = (at_most || at_least) && value.between?(at_least || value, at_most || value)
    bound = (at_most && format('<= %.6g', at_most)) || (at_least && format('>= %.6g', at_least))
    shown = { nil => '', true => 'yes', false => 'no' }[met]
    puts format(LINE, name:, value: show(value), unit:, bound:, met: shown).rstrip
    $stdout.flush
    @figures << { name:, value:, unit:, bound:, met: }
  end

  # The median of a contender's rounds.
  def rounds(name, contender, rounds, unit)
    add("#{name}: #{contender}", rounds.sort[rounds.size / 2], unit)
    @figures.last.merge!(case: name, contender:, rounds:)
  end

  def met?
    @figures.none? { |figure| figure[:met] == false }
  end

  def write(file)
    File.write(file, "#{JSON.pretty_generate(@figures)}\n")
  end

  private

  def show(value)
    format(value >= 1000 ? '%.0f' : value >= 10 ? '%.1f' : '%.3f', value) # rubocop:disable Style/NestedTernaryOperator
  end
end
