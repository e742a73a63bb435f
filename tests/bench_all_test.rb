# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# tools/bench without a suite: its options, the keys of its JSON, and which ratios it prints.  With one: what is wrong with
# the command line is said before anything is built.
# usage: ruby bench_all_test.rb SOURCE_FOLDER BENCH_CORE
require 'json'
require 'minitest/autorun'
require 'open3'
require 'tmpdir'

SOURCE, CORE = ARGV.shift(2)
require File.join(SOURCE, 'bench/all/comparison')
require File.join(SOURCE, 'bench/all/quoted')

# One suite, of which nothing is built.
class OneSuite < Minitest::Test
  TOOL = File.join(SOURCE, 'tools/bench')
  SUITES = File.read(TOOL)[/^suites='(.*?)'/m, 1].lines(chomp: true).to_h { |row| row.split('|').first(2) }

  # Where a suite reads its options.
  PROGRAMS = { 'core' => 'core.c', 'peers' => 'peers.c', 'compare' => 'compare', 'postgres' => 'postgres.c', 'sizing' => 'sizing/run',
               'foreign' => 'foreign.c', 'budget' => 'budget_redis.c', 'work' => 'work/run', 'go' => 'go/main.go',
               'ruby' => 'ruby/lending.rb', 'java' => 'java/run', 'rust' => 'rust/src/main.rs', 'python' => 'python/lending.py' }.freeze
  OPTION = /\{"([a-z-]+)", (?:required|no)_argument|^ *(?:-h \| )?--([a-z-]+)\)|\.on\('--([a-z-]+)|flag\.\w+\("([a-z-]+)"|"--([a-z-]+)"(?: =>|,|\))/

  def suite(*arguments)
    Open3.capture3({ 'POOL_BENCH_BUILD' => '/nowhere' }, TOOL, *arguments)
  end

  def refused(says, *arguments)
    _, said, status = suite(*arguments)
    assert_equal 2, status.exitstatus, arguments
    assert_includes said, says
    assert_includes said, 'usage: tools/bench'
  end

  def test_the_help_of_each_suite_needs_no_build
    SUITES.each do |name, usage|
      said, complaint, status = suite(name, '--help')
      assert status.success?, complaint
      assert_includes said, "usage: tools/bench #{name} #{usage}"
    end
    said, = suite('--help')
    SUITES.each_key { |name| assert_match(/^  #{name} +\S/, said) }
  end

  def test_what_no_suite_understands_is_refused_before_anything_is_built
    SUITES.each_key { |name| refused('there is no option --fast', name, '--fast') }
    refused('there is no suite c.re', 'c.re')
    refused("--rounds is 'x'; it must be a number", 'go', '--rounds', 'x')
    refused("--rounds is '0'; it must be a number", 'go', '--rounds=0')
    refused('--rounds needs a number', 'ruby', '--rounds')
    refused("it takes no argument 'fast'", 'budget', 'fast')
    refused("'/nowhere/out.json' cannot be written", 'core', '--json', '/nowhere/out.json')
    refused('it needs a COMMIT', 'compare')
  end

  def test_the_options_are_those_of_the_programs
    assert_equal SUITES.keys, PROGRAMS.keys
    PROGRAMS.each do |name, file|
      read = File.read(File.join(SOURCE, 'bench', file)).scan(OPTION).flatten.compact.uniq - %w[help library]
      assert_equal read.sort, SUITES[name].scan(/--([a-z-]+)/).flatten.sort, name
    end
  end
end

class AllSuites < Minitest::Test
  def bench(*arguments)
    environment = { 'POOL_BENCH_BUILD' => File.expand_path('..', File.dirname(CORE)) }
    Open3.capture3(environment, 'ruby', File.join(SOURCE, 'bench/all/run.rb'), *arguments)
  end

  def in_folder(&block)
    Dir.mktmpdir(&block)
  end

  def test_an_option_that_is_not_there_is_refused_with_the_usage
    [%w[--fast], %w[--suites fortran], %w[core], %w[--json], %w[--json /nowhere/out.json], %w[--from /nowhere/out.json]].each do |arguments|
      _, said, status = bench(*arguments)
      assert_equal 2, status.exitstatus, arguments
      assert_match(/usage: tools\/bench/, said)
    end
  end

  def test_the_help_names_all_options
    said, = bench('--help')
    %w[--quick --json --page --from --suites].each { |option| assert_includes said, option }
  end

  def test_the_json_of_the_core_has_all_that_is_promised
    in_folder do |folder|
      file = File.join(folder, 'out.json')
      said, complaint, status = bench('--quick', '--tiny', '--suites', 'core', '--json', file)
      assert status.success?, said + complaint
      results = JSON.parse(File.read(file))
      assert_equal %w[date quick seconds machine versions commands missing comparisons suites], results.keys
      assert_equal %w[cpu cores kernel load], results['machine'].keys
      assert_match(/^\d+\.\d+\.\d+$/, results['versions']['libpool'])
      assert_match(/^tools\/bench core /, results['commands'].fetch(0))
      assert_empty results['missing']
      figures = results['suites'].fetch('core') # which of them there are depends on their spread
      assert_operator figures.size, :>, 5
      figures.each { |figure| assert_equal %w[bound met name unit value], figure.keys.sort }
    end
  end

  def test_a_suite_that_cannot_be_had_is_named_with_the_reason_and_the_others_go_on
    in_folder do |folder|
      file = File.join(folder, 'out.json')
      said, _, status = Open3.capture3({ 'POOL_BENCH_BUILD' => folder }, 'ruby', File.join(SOURCE, 'bench/all/run.rb'), '--tiny',
                                       '--suites', 'core,peers', '--json', file)
      assert status.success?
      assert_equal %w[core peers], JSON.parse(File.read(file))['missing'].keys
      assert_match(/^missing: core: .*No such file/, said)
    end
  end

  def compared(ours, theirs)
    figures = [{ 'contender' => 'libpool', 'rounds' => ours }, { 'contender' => 'peer', 'rounds' => theirs }]
    figures.each { |figure| figure.merge!('case' => 'a case', 'unit' => 'ns', 'value' => figure['rounds'].max) }
    Comparison.all('core', figures).fetch(0)
  end

  def test_a_ratio_whose_spread_is_wider_than_its_distance_from_1_is_not_printed
    near = compared([80, 90, 100, 110, 130], [100, 100, 100, 100, 100])
    assert_equal 'about the same', near.said
    refute_match(/\d/, near.said)
  end

  def test_where_there_is_no_plain_pool_the_first_of_libpool_is_compared_and_none_is_a_peer_of_another
    figures = ['peer', 'libpool, data source', 'libpool, other'].map do |name|
      { 'case' => 'a query', 'contender' => name, 'unit' => 'ns', 'value' => 1, 'rounds' => [1, 1, 1] }
    end
    assert_equal ['peer'], Comparison.all('java', figures).map(&:peer)
  end

  def test_a_pool_that_lends_jdbc_connections_is_compared_with_the_data_source
    figures = [['libpool', 1], ['libpool, data source', 2], ['Agroal', 4], ['stormpot', 4]].map do |name, value|
      { 'case' => '1 thread', 'contender' => name, 'unit' => 'ns', 'value' => value, 'rounds' => [value] * 3 }
    end
    assert_equal({ 'Agroal' => 0.5, 'stormpot' => 0.25 }, Comparison.all('java', figures).to_h { |one| [one.peer, one.ratio] })
  end

  def test_where_libpool_takes_no_part_nothing_is_compared
    assert_empty Comparison.all('work', [{ 'case' => 'SELECT 1', 'contender' => 'deadpool', 'unit' => 'ns', 'value' => 1, 'rounds' => [1, 1, 1] }])
  end

  LINES = <<~LINES
    go\tPostgreSQL\tlibpool\t100\t1000000\t3000000\t5000000\t9000000
    go\tPostgreSQL\tlibpool\t300\t2000000\t4000000\t6000000\t7000000
    not measured: work in rust: error: no cargo
    go\tPostgreSQL\tpgxpool\t400\t1000000\t1000000\t1000000\t1000000
  LINES

  def test_real_work_has_the_median_of_each_percentile_and_the_longest_use_of_all_rounds
    in_folder do |folder|
      file = File.join(folder, 'work.json')
      said, = Open3.capture2e('ruby', '-w', File.join(SOURCE, 'bench/work/collect.rb'), file, stdin_data: LINES)
      assert_includes said, 'not measured: work in rust: error: no cargo'
      libpool, other = JSON.parse(File.read(file))
      assert_equal [200, [100, 300], 'SELECT 1 on PostgreSQL, Go'], libpool.values_at('value', 'rounds', 'case')
      assert_equal({ 'p50' => 1.5, 'p99' => 3.5, 'p999' => 5.5, 'longest' => 9 }, libpool['latency'])
      assert_equal 'pgxpool', other['contender']
    end
  end

  def test_a_table_of_a_page_that_quotes_a_figure_which_was_not_measured_says_so
    page = "<!-- figures: spike -->\n\nold\n\n<!-- end of figures -->"
    figure = { 'name' => 'spike.makespan', 'unit' => 'ms, median; ideal 20', 'value' => 20.94 }
    renewed = Quoted.new({ 'suites' => { 'core' => [figure] } }).renew(page)
    assert_includes renewed, '| `openers = 2` | 20.9 ms | - |'
    refute_includes renewed, 'old'
  end

  def test_one_round_makes_no_ratio
    assert_equal 'too few rounds', compared([50, 50], [100, 100]).said
  end

  def test_a_ratio_that_is_clear_is_printed_with_its_spread
    less = compared([50, 51, 50, 49, 500], [100, 100, 100, 100, 100])
    assert_equal ['less', '0.5 (0.5 to 0.51)'], [less.verdict, less.said]
    assert_equal 'more', compared([200, 210, 190, 200, 200], [100, 100, 100, 100, 100]).verdict
  end
end
