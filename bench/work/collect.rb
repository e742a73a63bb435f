# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Makes figures of the lines that the programs print: a case for each language and server, and for each contender its rounds.
# Beside the time of a use they have percentiles, each the median of the rounds, and the longest use of all rounds.
# usage: ... | ruby collect.rb JSON_FILE, which may be empty
require 'json'

NAMES = { 'c' => 'C', 'go' => 'Go', 'java' => 'Java', 'ruby' => 'Ruby', 'python' => 'Python', 'rust' => 'Rust' }.freeze
ASKED = { 'PostgreSQL' => 'SELECT 1', 'Redis' => 'PING' }.freeze
LINE = '%-44<name>s %10<value>.0f  %-4<unit>s %10<p50>.2f %10<p99>.2f %10<p999>.2f %10<longest>.2f  ms'

def median(values)
  sorted = values.sort
  (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
end

def figure(language, server, contender, rounds)
  times, *percentiles, longest = rounds.transpose
  name = "#{ASKED.fetch(server)} on #{server}, #{NAMES.fetch(language)}"
  p50, p99, p999 = percentiles.map { |values| (median(values) / 1e6).round(3) }
  { name: "#{name}: #{contender}", value: median(times), unit: 'ns', bound: nil, met: nil, case: name, contender:, rounds: times,
    latency: { p50:, p99:, p999:, longest: (longest.max / 1e6).round(3) } }
end

said, lines = $stdin.each_line(chomp: true).partition { |line| line.start_with?('not ') }
$stdout.puts said
found = lines.map { |line| line.split("\t") }.group_by { |fields| fields.first(3) }
figures = found.map { |(language, server, contender), all| figure(language, server, contender, all.map { |each| each.drop(3).map(&:to_f) }) }
puts format(LINE.gsub(/\.\d?f/, 's'), name: 'name', value: 'time', unit: '', p50: 'p50', p99: 'p99', p999: 'p99.9', longest: 'longest')
figures.each { |each| puts format(LINE, **each.slice(:name, :value, :unit), **each[:latency]) }
File.write(ARGV[0], "#{JSON.pretty_generate(figures)}\n") unless ARGV.fetch(0, '').empty?
