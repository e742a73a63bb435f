# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Runs the suites of tools/bench one after the other, and makes one table, one JSON file and one page of what they say.
require 'English'
require 'etc'
require 'json'
require 'optparse'
require 'tmpdir'
require_relative 'comparison'
require_relative 'machine'
require_relative 'page'

ROOT = File.expand_path('../..', __dir__)

# The options of each suite in a quick run.
QUICK = {
  'peers' => %w[--few --rounds 5 --round-ms 10],
  'core' => %w[--rounds 5 --round-ms 20 --seconds 0.6 memory get_put_1_thread get_put_2_threads 16_threads_8_connections
               2_threads_1_connection fairness allocations timeout_lateness spike failover],
  'foreign' => %w[--rounds 5],
  'postgres' => %w[--rounds 3 --round-ms 60],
  'budget' => [],
  'sizing' => %w[300],
  'work' => %w[--rounds 3 --round-ms 250],
  'go' => %w[--rounds 5 --round-ms 20 --long-rounds 5 --long-round-ms 1500],
  'java' => %w[--rounds 5 --round-ms 20],
  'ruby' => %w[--rounds 5 --turns 3],
  'rust' => %w[--rounds 5 --round-ms 20],
  'python' => %w[--rounds 5 --round-ms 20]
}.freeze

# Seconds, by whether the run is quick, after which a suite is ended and named as missing; its build is included.
LONGEST_S = { true => 1200, false => 3600 }.freeze

# Only for the test of this program: the core's figures in a second or two.
TINY = { 'core' => %w[--rounds 1 --round-ms 1 --seconds 0.1 memory get_put_1_thread 2_threads_1_connection],
         'peers' => %w[--few --rounds 2 --round-ms 1] }.freeze

# All suites, what they said, and what could not be had.
class Run
  def initialize(names, options)
    @names = names
    @options = options
    @suites = {}
    @missing = {}
    @commands = []
  end

  def go
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    date = Time.now.utc.strftime('%Y-%m-%d %H:%M UTC')
    machine = Machine.facts
    Dir.mktmpdir { |folder| @names.each_with_index { |name, at| measure(name, at, folder) } }
    bar('', @names.size)
    seconds = (Process.clock_gettime(Process::CLOCK_MONOTONIC) - began).round
    { date:, quick: @options[:quick] ? true : false, seconds:, machine:, versions: Machine.versions(ROOT), commands: @commands,
      missing: @missing, comparisons: comparisons.map(&:to_h), suites: @suites }
  end

  def comparisons
    @suites.flat_map { |name, figures| Comparison.all(name, figures) }
  end

  private

  def measure(name, at, folder)
    bar(name, at)
    file = File.join(folder, "#{name}.json")
    log = File.join(folder, "#{name}.log")
    arguments = @options[:tiny] ? TINY.fetch(name) : (@options[:quick] ? QUICK.fetch(name) : [])
    @commands << ['tools/bench', name, *arguments].join(' ')
    system('timeout', LONGEST_S[@options[:quick] ? true : false].to_s, File.join(ROOT, 'tools/bench'), name, *arguments,
           '--json', file, out: log, err: %i[child out], in: File::NULL)
    keep(name, file, File.readlines(log, chomp: true))
  end

  # A suite that missed a bound has figures all the same.
  def keep(name, file, said)
    said.grep(/^not (?:to be had|measured)[^:]*: /).each { |line| @missing[line.split(': ', 2)[1]] = line }
    @suites[name] = JSON.parse(File.read(file))
  rescue Errno::ENOENT, JSON::ParserError
    @missing[name] = reason(said)
  end

  def reason(said)
    plain = said.map { |line| line.gsub(/\e\[[\d;]*m/, '').strip }.reject(&:empty?)
    plain.find { |line| line =~ /error|cannot|could not|not there|no such/i } || plain.last ||
      "it said nothing, or took longer than #{LONGEST_S[@options[:quick] ? true : false]} s"
  end

  def bar(name, done)
    return unless $stderr.tty?

    $stderr.printf("\r[%-#{@names.size}s] %d of %d %-10s%s", '#' * done, done, @names.size, name, done == @names.size ? "\n" : '')
  end
end

# The table of a terminal.
module Table
  LINE = '%-9<suite>s %-48<name>s %-26<peer>s %11<ours>s %11<theirs>s  %-3<unit>s %<said>s'

  module_function

  def show(comparisons)
    puts format(LINE, suite: 'suite', name: 'case', peer: 'peer', ours: 'libpool', theirs: 'peer', unit: '', said: 'libpool / peer')
    comparisons.each do |each|
      puts format(LINE, suite: each.suite, name: each.name, peer: each.peer, ours: number(each.ours), theirs: number(each.theirs),
                        unit: each.unit, said: each.said)
    end
  end

  def number(value)
    Quoted.short(value)
  end
end

options = {}
parser = OptionParser.new do |flags|
  flags.banner = "usage: tools/bench [OPTION]...\nRuns all suites, or those that are named, one after the other."
  flags.on('--quick', 'few rounds: about three minutes, once everything is built') { options[:quick] = true }
  flags.on('--json FILE', 'writes everything to FILE, too') { |file| options[:json] = file }
  flags.on('--page', 'renews docs/benchmarks.md, its charts, and the figures of other pages from this run') { options[:page] = true }
  flags.on('--from FILE', 'shows an earlier run, which --json has written, and measures nothing') { |file| options[:from] = file }
  flags.on('--suites NAMES', Array, "only these, with commas between (#{QUICK.keys.join(',')})") { |names| options[:suites] = names }
  flags.on('--tiny', 'so few rounds that no figure means anything: shows that it runs') { options[:tiny] = true }
end
begin
  parser.parse!
  raise OptionParser::InvalidArgument, ARGV.join(' ') unless ARGV.empty?

  names = options[:suites] || (options[:tiny] ? TINY : QUICK).keys
  unknown = names - (options[:tiny] ? TINY : QUICK).keys
  raise OptionParser::InvalidArgument, "no such suite: #{unknown.join(', ')}" unless unknown.empty?
  raise OptionParser::InvalidArgument, "#{options[:json]} cannot be written" unless
    options[:json].nil? || File.writable?(File.dirname(options[:json]))
  raise OptionParser::InvalidArgument, "there is no file #{options[:from]}" unless options[:from].nil? || File.file?(options[:from])
rescue OptionParser::ParseError => e
  warn e.message, parser
  exit 2
end

results = options[:from] ? nil : Run.new(names, options).go
text = results ? JSON.pretty_generate(results) : File.read(options[:from])
File.write(options[:json], "#{text}\n") if options[:json]
results = JSON.parse(text)
Table.show(results['suites'].flat_map { |name, figures| Comparison.all(name, figures) })
results['missing'].each { |name, reason| puts "missing: #{name}: #{reason}" }
BenchmarkPage.new(ROOT, results).write if options[:page]
