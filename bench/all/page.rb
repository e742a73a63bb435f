# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'English'
require 'fileutils'
require_relative 'chart'
require_relative 'comparison'
require_relative 'quoted'

# Why libpool is slower, for the rows where it is: the first that fits the suite, the peer and the case.
REASONS = [
  [/./, /^(?:no pool|nothing)$/, /./, 'There is no pool: this is the least that any pool could take.'],
  [/peers/, /./, /^(?:(?:2|4|8|16|32|64) threads, 1 connection|(?:16|32|64) threads, 8 connections),/,
   'Threads wait here, and libpool hands a connection to the first of them, which costs a switch of threads. The peer lets any ' \
   'thread take it, in no order.'],
  [/go/, /^channel$/, /contended|64_/,
   'A channel is part of the runtime: its goroutines change places without a call of another library. It does not check, count or close anything.'],
  [/go/, /fatih|silenceper/, /./, 'It is a channel and a lock, and does not check, count or limit what is open.'],
  [/go/, /./, /open_and_close/, 'Each open runs in a goroutine of its own, so that a deadline ends a get whose open hangs.'],
  [/java/, /Agroal/, /thread|statement/,
   'Agroal reads no clock for a lease and does not tell the driver where a request begins and ends. libpool does both, and ' \
   "changes the library's word of the connection, which threads of all languages share."],
  [/java/, /stormpot/, /4 threads/,
   'A thread keeps the connection that it had last, so one of the four does nearly all the work: see the turns in the JSON of the suite.'],
  [/java/, /stormpot/, /thread/,
   'A thread keeps the connection that it had last in its thread-local storage, and takes it again by a change of its own object. ' \
   "libpool changes the library's word of the connection, which threads of all languages share."],
  [/java/, /Queue/, /./, 'The queue only stores: it opens, checks and counts nothing.'],
  [/work/, /./, /, Go$/,
   'The goroutines wait in order with both. At each change of hands the library is called twice, and a call of C costs more than one of Go.'],
  [/work/, /./, /./, 'Many threads wait for few connections, and libpool hands each to the first that waits, which costs a switch of threads. ' \
                     'Compare the longest waits: they are what this buys.'],
  [/ruby/, /./, /4 threads/, 'Each wait goes through the queue in order of arrival, and the gem lets a running thread take the connection again.']
].freeze

# docs/benchmarks.md and its charts, made of one run, which is kept beside them; other pages quote it (Quoted).
class BenchmarkPage
  TITLES = {
    'peers' => 'C: a get and a put', 'go' => 'Go: a get and a release', 'java' => 'Java: a get and a close', 'ruby' => 'Ruby: with',
    'work' => 'Real work',
    'rust' => "Rust's pools beside the core in C", 'python' => "Python's pools"
  }.freeze
  NOTES = {
    'work' => '64 threads, goroutines or tasks ask a server on the same machine, over 8 connections: PostgreSQL for `SELECT 1`, Redis for ' \
              '`PING`. Percentiles are those of a whole use: get, request and put. Each is the median of the rounds; the longest is that of all ' \
              'rounds. libpool has no package for Python or Rust: there the native pools stand alone.',
    'peers' => 'libzdb has no connections of nothing: its connections are those of SQLite in memory, and each get asks the database. ' \
               'It fails where no connection is free, so it takes part only where there are enough. "No pool" is the floor.',
    'java' => 'HikariCP and Agroal lend connections of JDBC, so the data source stands beside them. Beside the others it is `Pool`.',
    'rust' => 'libpool has no package for Rust. Its figures here are those of the core, called by the same program.',
    'python' => 'libpool has no package for Python. Its core is called through `ctypes`, which takes most of the time.'
  }.freeze

  CLEARLY = 1.25 # times: less between two p99 says nothing
  RUN = 'docs/benchmarks/run.json'

  # The run of which the page was made.
  def self.last_run(root)
    JSON.parse(File.read(File.join(root, RUN)))
  end

  def initialize(root, results)
    @root = root
    @docs = File.join(root, 'docs')
    @results = results
    @compared = results['suites'].to_h { |name, figures| [name, Comparison.all(name, figures)] }
  end

  def write
    FileUtils.mkdir_p(File.join(@docs, 'benchmarks'))
    File.write(File.join(@root, RUN), kept)
    @compared.each { |name, rows| draw(name, rows) }
    File.write(File.join(@docs, 'benchmarks.md'), text)
    Quoted.write(@root, @results)
  end

  def text
    parts = [head, machine, *@compared.keys.map { |name| section(name) }, losses, bounds, others, missing]
    "#{parts.compact.join("\n\n")}\n"
  end

  private

  def head
    <<~TEXT.chomp
      # Benchmarks

      [All pages](README.md). This page shows libpool beside other pools, on one machine and in one run. It is made by
      `tools/bench#{' --quick' if @results['quick']} --page`: do not edit it, run the command again.

      In each case the pools take turns in short rounds, and the tables show medians. A ratio is libpool's time divided by the
      peer's, so less than 1 means that libpool is faster. It is taken from each pair of rounds. In brackets is the spread: half of all
      rounds lie between these two. Where the spread is wider than the distance of the ratio from 1, the table says "about the same".
    TEXT
  end

  def machine
    facts, versions = @results.values_at('machine', 'versions')
    busy = '**The machine was busy with other work**: times are longer than alone, and spreads are wide. '
    <<~TEXT.chomp
      ## Machine and versions

      #{busy if facts['load'] > facts['cores'] / 2.0}The load was #{facts['load']} when the run began.

      | | |
      |---|---|
      | date | #{@results['date']}; the run took #{@results['seconds']} s |
      | processor | #{facts['cpu']}, #{facts['cores']} cores |
      | kernel | Linux #{facts['kernel']} |
      #{versions.except('peers').map { |name, version| "| #{name} | `#{version}` |" }.join("\n")}
      | peers | #{versions['peers'].map { |peer| "`#{peer}`" }.join(', ')} |
      | commands | #{@results['commands'].map { |command| "`#{command}`" }.join(', ')} |
    TEXT
  end

  # The run as JSON, with a figure on each line.
  def kept
    suites = @results['suites'].map do |name, figures|
      lines = figures.map { |figure| "    #{JSON.generate(figure)}" }
      "  #{name.to_json}: [\n#{lines.join(",\n")}\n  ]"
    end
    rest = @results.except('suites', 'comparisons').map { |name, value| "#{name.to_json}: #{JSON.generate(value)}" }
    "{#{rest.join(",\n")},\n\"suites\": {\n#{suites.join(",\n")}\n}}\n"
  end

  def section(name)
    rows = @compared.fetch(name)
    return if rows.empty? && name != 'work'

    title = TITLES.fetch(name, name)
    body = name == 'work' ? uses : table(rows)
    picture = charted(name, rows).empty? ? nil : "![#{title}: #{name == 'work' ? 'p99 in ms' : 'nanoseconds'}, less is better](benchmarks/#{name}.svg)"
    ["## #{title}", picture, NOTES[name], body].compact.join("\n\n")
  end

  def charted(name, rows)
    return @results['suites'].fetch(name) if name == 'work'

    rows.select { |row| row.unit == 'ns' && row.name !~ /held/ }
  end

  def draw(name, rows)
    figures = charted(name, rows)
    return if figures.empty?

    (name == 'work' ? LatencyChart : Chart).new(figures).write(File.join(@docs, 'benchmarks', "#{name}.svg"))
  end

  # Real work: throughput and percentiles of each contender, and the ratio where there is one.
  def uses
    lines = @results['suites']['work'].map do |figure|
      said = @compared['work'].find { |row| row.name == figure['case'] && row.peer == figure['contender'] }&.said
      times = figure['latency'].values.map { |ms| number(ms) }
      "| #{[figure['case'], figure['contender'], number(1e9 / figure['value']), *times, said].join(' | ')} |".gsub('|  |', '| |')
    end
    ['| work | pool | uses/s | p50, ms | p99, ms | p99.9, ms | longest, ms | time of libpool / of this pool |', '|---|---|---|---|---|---|---|---|',
     *lines].join("\n")
  end

  def table(rows)
    lines = rows.map do |row|
      data_source = row.own == Comparison::DATA_SOURCE ? ', data source' : ''
      "| #{shown(row.name)} | #{row.peer} | #{number(row.ours)} #{row.unit}#{data_source} | #{number(row.theirs)} #{row.unit} | #{row.said} |"
    end
    ['| case | peer | libpool | peer | libpool / peer |', '|---|---|---|---|---|', *lines].join("\n")
  end

  def losses
    rows = @compared.values.flatten.select { |row| row.verdict == 'more' }
    return ['## Where libpool takes longer', '', 'No case takes longer in this run.', *late].join("\n") if rows.empty?

    groups = rows.group_by { |row| [row.suite, row.peer, reason(row)] }
    lines = groups.map do |(suite, peer, why), all|
      cases = all.map { |row| "#{shown(row.name)}: #{format('%.3g', row.ratio)}" }
      "| #{suite} | #{peer} | #{cases.join('; ')} | #{why} |"
    end
    ['## Where libpool takes longer', '', '| suite | peer | case: times as long | reason |', '|---|---|---|---|', *lines, *late].join("\n")
  end

  # Real work in which the slowest uses are slower than the peer's, though a use as such may be faster.
  def late
    found = (@results['suites']['work'] || []).group_by { |figure| figure['case'] }.flat_map do |name, figures|
      own, others = figures.partition { |figure| figure['contender'] == Comparison::OURS }
      own.empty? ? [] : others.filter_map { |other| later(name, own.first['latency']['p99'], other) }
    end
    return [] if found.empty?

    ['', 'The slowest uses, p99, of libpool and of the peer:', '', *found.map { |line| "- #{line}" }, '',
     'A thread that runs may use its connection again for a while though others wait (`fairness_us`). So most uses are short, see p50, ' \
     'and those that wait are longer. With `fairness_us = 0` the order is strict.']
  end

  def later(name, ours, other)
    theirs = other['latency']['p99']
    "#{name}, #{other['contender']}: #{number(ours)} ms and #{number(theirs)} ms" if ours > CLEARLY * theirs
  end

  # A case as a person calls it.
  def shown(name)
    Quoted::GO_CASES.fetch(name, name)
  end

  def reason(row)
    REASONS.each { |suite, peer, name, why| return why if row.suite =~ suite && row.peer =~ peer && row.name =~ name }
    'No reason is known; see the spread, and the load of the machine.'
  end

  def bounds
    lines = @results['suites'].flat_map do |suite, figures|
      figures.select { |figure| figure['bound'] }.map do |figure|
        bound = figure['bound'].sub('<=', 'at most').sub('>=', 'at least')
        "| #{suite} | #{figure['name']} | #{number(figure['value'])} #{figure['unit']} | #{bound} | #{figure['met'] ? 'yes' : '**no**'} |"
      end
    end
    ['## Bounds', '', 'These figures have a bound that the project set itself. A busy machine misses some.', '', '| suite | figure | value | bound | met |',
     '|---|---|---|---|---|', *lines].join("\n")
  end

  # What has neither a bound nor a peer in its own suite.
  def others
    lines = @results['suites'].slice('core', 'postgres', 'sizing', 'foreign', 'budget').flat_map do |suite, figures|
      figures.reject { |figure| figure['bound'] || figure['rounds'] }
             .map { |figure| "| #{suite} | #{figure['name']} | #{number(figure['value'])} #{figure['unit']} |" }
    end
    ['## Other figures', '', '| suite | figure | value |', '|---|---|---|', *lines].join("\n") unless lines.empty?
  end

  def missing
    lines = @results['missing'].map { |name, why| "- `#{name}`: `#{why.delete('`')}`" }
    ['## Missing', '', lines.empty? ? 'Every suite and every peer could be had.' : 'These could not be had, and this is why:', '', *lines].join("\n").strip
  end

  def number(value)
    Quoted.short(value)
  end
end
