# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'json'

# Tables of other pages that quote the run of docs/benchmarks.md: what stands between <!-- figures: NAME --> and
# <!-- end of figures --> is made by the method NAME.
class Quoted
  REGION = /(<!-- figures: (\w+) -->\n\n)(.*?)(\n\n<!-- end of figures -->)/m

  def initialize(results)
    @figures = results['suites'].transform_values { |all| all.to_h { |figure| ["#{figure['name']} #{figure['unit']}", figure] } }
  end

  def self.pages(root)
    Dir.glob(['README.md', 'docs/**/*.md'], base: root).sort.select { |file| File.read(File.join(root, file)) =~ REGION }
  end

  def self.write(root, results)
    quoted = new(results)
    pages(root).each do |file|
      path = File.join(root, file)
      File.write(path, quoted.renew(File.read(path)))
    end
  end

  def renew(page)
    page.gsub(REGION) { "#{Regexp.last_match(1)}#{public_send(Regexp.last_match(2))}#{Regexp.last_match(4)}" }
  end

  # ---- README: what could not be measured has no row ----

  def readme
    rows = [
      ['C: get and put, 1 thread, 8 connections', link(peer('libpool'), 'benchmarks', 'c-a-get-and-a-put'),
       "a mutex and a stack #{peer('mutex and stack')}, apr_reslist #{peer('apr_reslist')}", 'peers'],
      ['C: 2 threads, 1 connection', "#{link(naive, 'internals', 'measured')} times the leases of a mutex and a stack", '', 'core'],
      ['C: 50 callers at once, opens of 150 ms', "#{link(spike_ms, 'sizing', 'bursts')}, #{spike_open} connections",
       "each opens its own: #{alone_ms}, #{alone_open} connections", 'core'],
      ['C: a server is back after an outage', "all 32 callers served after #{link(recovery, 'internals', 'measured')}", '', 'core'],
      ['Go: get and release, 1 goroutine', link(go('get_put_1_goroutine', 'libpool'), 'go', 'speed'),
       "puddle #{go('get_put_1_goroutine', 'puddle_v2')}, a channel #{go('get_put_1_goroutine', 'channel')}", 'go'],
      ['Java: get and close of a data source', link(java('1 thread', SOURCE), 'java', 'what-it-costs'),
       "HikariCP #{java('1 thread', 'HikariCP')}, Agroal #{java('1 thread', 'Agroal')}", 'java'],
      ['Ruby: longest wait, 16 threads share 2 connections', link(ruby_wait('libpool'), 'ruby', 'speed'),
       "connection_pool #{ruby_wait(gem)}", 'ruby'],
      ['Go: `SELECT 1` on PostgreSQL, 64 goroutines, 8 connections', link(work('Go', 'libpool'), 'benchmarks', 'real-work'),
       "pgxpool #{work('Go', 'pgxpool')}", 'work']
    ]
    table(['what', 'libpool', 'others in the same run', 'command'], rows.select { |row| @figures.key?(row[3]) }.map { |row| [*row[0, 3], "`tools/bench #{row[3]}`"] })
  end

  # ---- docs/internals.md ----

  def core
    table(['what', ''], [
            ['get and put by one thread, against two bare compare-and-swaps', "#{swaps} times as long"],
            ['two threads against one', "#{of('core', 'get_put_2_threads', 'times 1 thread')} times the throughput"],
            ['two threads over one connection, against a mutex and a stack', "#{naive} times the throughput"],
            ['turns of 20 threads over 2 connections, the fewest against the most', of('core', 'fairness.turns', 'least/most of a thread')],
            ['a server is back after an outage, until all 32 callers are served',
             "#{of('core', 'failover.recovery.median', 'ms')} ms, #{recovery} at most"],
            ['a get while the breaker is open',
             "#{of('core', 'failover.fail_fast.median', 'us')} us, 99 of 100 within #{of('core', 'failover.fail_fast', 'us, 99 of 100')} us"]
          ])
  end

  # ---- docs/fleet.md ----

  def budget
    rows = [['from a put to the get of another process that has the permit, ms', 'handover', 'ms from a put to a get elsewhere'],
            ['threads of a process', 'threads', 'of a process'], ['memory of a process, KiB', 'process_memory', 'KiB of a process'],
            ['get and put, of that without a budget', 'get_and_put', 'of that without a budget']]
    table(['', '`host:`', '`redis:`'], rows.map { |what, name, unit|
      [what, *%w[host redis].map { |engine| of('budget', "budget.#{engine}.#{name}", unit) }]
    })
  end

  # ---- docs/sizing.md ----

  def spike
    table(['', 'all served after', 'connections then'],
          [['`openers = 2`', spike_ms, spike_open], ['`openers = 0`: each caller opens its own', alone_ms, alone_open]])
  end

  def sizes
    rows = [1, 2, 4, 8, 16, 32, 64].map do |size|
      each = ->(what, unit) { of('sizing', "sizing.#{size}_connections.#{what}", unit) }
      rate = value('sizing', "sizing.#{size}_connections.throughput", 'uses/s')
      [size, each.call('throughput', 'uses/s'), rate ? Quoted.short(size * 1000 / rate) : '-', each.call('wait_p50', 'ms'), each.call('wait_p99', 'ms')]
    end
    table(['connections', 'uses/s', 'mean use, ms', 'wait p50, ms', 'wait p99, ms'], rows)
  end

  # ---- languages ----

  GO = { 'libpool' => 'libpool', 'puddle_v2' => 'puddle v2', 'fatih_v2' => 'fatih/pool v2', 'vitess' => 'vitess', 'channel' => 'channel' }.freeze
  GO_CASES = { 'get_put_1_goroutine' => '1 goroutine', 'get_put_2_goroutines' => '2 goroutines',
               'contended' => '4 goroutines, 1 connection, `Gosched` inside',
               '64_goroutines' => '64 goroutines, 8 connections',
               '64_goroutines_8_connections' => 'the same, `Gosched` inside',
               'open_and_close' => 'open and close' }.freeze

  def go_times
    rows = GO_CASES.map { |name, shown| [shown, *GO.keys.map { |peer| of('go', "#{name}.#{peer}", 'ns') }] }
    table(['nanoseconds', *GO.values], rows)
  end

  GO_LEASES = { '64_goroutines_1_ms' => 'leases of 1 ms', '64_goroutines_8_connections' => '`Gosched` inside' }.freeze

  def go_turns
    sides = GO.except('fatih_v2').merge('nothing' => 'nothing shared')
    rows = GO_LEASES.flat_map do |name, leases|
      [['turns: the fewest against the most', 'turns', 'least/most'], ['longest wait, ms', 'longest', 'ms']].map { |shown, what, unit|
        ["#{leases}: #{shown}", *sides.keys.map { |peer| of('go', "#{name}.#{peer}.#{what}", unit) }]
      }
    end
    table(['', *sides.values], rows)
  end

  SOURCE = 'libpool, data source'
  JAVA = { 'libpool' => '`Pool`', SOURCE => '`PooledDataSource`', 'HikariCP' => 'HikariCP', 'Agroal' => 'Agroal', 'stormpot' => 'stormpot',
           'commons-pool2' => 'commons-pool2', 'ArrayBlockingQueue' => '`ArrayBlockingQueue`' }.freeze
  JAVA_CONTENDED = '4 threads, 1 connection'
  JAVA_CASES = ['1 thread', '2 threads', '16 threads', JAVA_CONTENDED].freeze

  def java_times
    rows = JAVA.map do |peer, shown|
      [shown, *JAVA_CASES.map { |name| of('java', "#{name}: #{peer}", 'ns') }, of('java', "1 thread: #{peer}", 'bytes')]
    end
    table(['nanoseconds', '1 thread', '2 threads', '16 threads', "#{JAVA_CONTENDED}, a yield inside", 'bytes, 1 thread'], rows)
  end

  def java_rows
    cases = { '1 thread' => 'get and close', 'statement and row' => 'with a statement and a row', '1000 rows' => 'with 1,000 rows' }
    rows = cases.map do |name, shown|
      sides = [SOURCE, 'HikariCP', 'Agroal']
      [shown, *sides.map { |peer| of('java', "#{name}: #{peer}", 'ns') }, *sides.map { |peer| of('java', "#{name}: #{peer}", 'bytes') }]
    end
    table(['', '`PooledDataSource`, ns', 'HikariCP, ns', 'Agroal, ns', '`PooledDataSource`, bytes', 'HikariCP, bytes', 'Agroal, bytes'], rows)
  end

  RUBY_CASES = ['with, 1 thread', 'with, 2 threads', 'checkout and checkin, 1 thread', 'with, 4 threads, 1 connection'].freeze
  TURNS = '16 threads, 2 connections, 1 ms'

  def ruby_times
    sides = ['libpool', 'libpool/connection_pool', gem]
    rows = RUBY_CASES.map { |name| ["#{name}, ns", *sides.map { |side| of('ruby', "#{name}: #{side}", 'ns') }] }
    rows << ["#{TURNS}: turns, the fewest against the most", *sides.map { |side| of('ruby', "#{TURNS}, least turns / most: #{side}", 'times') }]
    rows << ["#{TURNS}: longest wait", *sides.map { |side| ruby_wait(side) }]
    table(['', '`Libpool::Pool`', '`libpool/connection_pool`', gem], rows)
  end

  # Three digits.
  def self.short(value)
    value >= 999.5 ? value.round.to_s : format('%.3g', value)
  end

  private

  def value(suite, name, unit)
    @figures.dig(suite, "#{name} #{unit}", 'value')
  end

  def of(suite, name, unit)
    found = value(suite, name, unit)
    found ? Quoted.short(found) : '-'
  end

  def table(head, rows)
    ["| #{head.join(' | ')} |", "|#{'---|' * head.size}", *rows.map { |row| "| #{row.join(' | ')} |" }].join("\n").gsub('|  |', '| |')
  end

  def link(shown, page, anchor)
    "[#{shown}](docs/#{page}.md##{anchor})"
  end

  def swaps = of('core', 'get_put_1_thread', 'times two bare swaps')
  def naive = of('core', '2_threads_1_connection', 'times mutex and stack')
  def spike_ms = "#{of('core', 'spike.makespan', 'ms, median; ideal 20')} ms"
  def spike_open = of('core', 'spike.open', 'at the last put')
  def alone_ms = "#{of('core', 'spike.makespan.without_openers', 'ms, median')} ms"
  def alone_open = of('core', 'spike.open.without_openers', 'at the last put')
  def recovery = "#{of('core', 'failover.recovery', 'ms, longest')} ms"
  def go(name, peer) = "#{of('go', "#{name}.#{peer}", 'ns')} ns"
  def java(name, peer) = "#{of('java', "#{name}: #{peer}", 'ns')} ns"

  # Names of peers end in their version.
  def peer(name)
    (@figures['peers'] || {}).each_value do |figure|
      mine = figure['case'] == '1 thread, 8 connections, no hold' && figure['contender'].start_with?(name)
      return "#{Quoted.short(figure['value'])} ns" if mine
    end
    '-'
  end

  def gem
    (@figures['ruby'] || {}).each_value { |figure| return figure['contender'] if figure['contender']&.start_with?('connection_pool') }
    'connection_pool'
  end

  def ruby_wait(side)
    "#{of('ruby', "#{TURNS}, longest wait: #{side}", 'ms')} ms"
  end

  def work(language, contender)
    figure = @figures.dig('work', "SELECT 1 on PostgreSQL, #{language}: #{contender} ns")
    return '-' unless figure

    p50, p99 = figure['latency'].values_at('p50', 'p99').map { |ms| Quoted.short(ms) }
    "#{(1e9 / figure['value']).round} uses/s, p50 #{p50} ms, p99 #{p99} ms"
  end
end
