# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'json'
require 'rbconfig'
require 'socket'
require 'tmpdir'

# What poolctl sees of a program in Ruby, asked for as poolctl does.  What is exposed remains so while a process runs, so
# each test has a child of its own for it.  POOL_ARITH_SERVER is the program of a real server.
class ExposeTest < Minitest::Test
  include Support

  PROGRAM = <<~RUBY
    require 'libpool'
    mine = Libpool::Pool.new(name: 'mine', max_open: 2) { Object.new }
    served = Libpool.open('jsonrpc', ARGV.first, name: 'served', max_open: 2)
    leases = [mine, served].flat_map { |pool| Array.new(2) { pool.checkout } }
    leases.values_at(0, 2).each(&:checkin)
    puts 'ready'
    $stdout.flush
    $stdin.read
  RUBY

  def setup
    @server = IO.popen(ENV.fetch('POOL_ARITH_SERVER'), 'r+')
    @address = @server.gets.chomp
    @runtime = Dir.mktmpdir('libpool-ruby')
    @before = ENV.fetch('XDG_RUNTIME_DIR', nil)
    ENV['XDG_RUNTIME_DIR'] = @runtime
  end

  def teardown
    ENV['XDG_RUNTIME_DIR'] = @before
    FileUtils.remove_entry(@runtime)
    @server.close
  end

  def path(pid = Process.pid)
    "#{@runtime}/libpool/#{pid}"
  end

  def ask(request, pid = Process.pid)
    UNIXSocket.open(path(pid)) do |socket|
      socket.puts(request)
      JSON.parse(socket.gets)
    end
  end

  # By their names; of each how many connections are lent and idle, and whether it can be steered.
  def seen(pid = Process.pid)
    ask('report', pid)['pools'].to_h { |pool| [pool['name'], pool.values_at('leased', 'idle', 'steerable')] }
  end

  def number_of(name)
    ask('report')['pools'].find { |pool| pool['name'] == name }.fetch('id')
  end

  # With one connection lent, and one idle.
  def mine(name)
    lend_one(pool_of(2, name:))
  end

  def served(name)
    lend_one(Libpool.open("jsonrpc://#{@address}?pool.name=#{name}&pool.max_open=2", timeout: 20))
  end

  def lend_one(pool)
    leases = Array.new(2) { pool.checkout }
    leases.pop.checkin
    (@kept ||= []).concat(leases)
    pool
  end

  def test_one_pool_is_seen_and_no_other
    pools = in_child do
      mine('hidden')
      pool = mine('mine')
      same = pool.expose.equal?(pool.expose)
      served('served').expose
      [same, seen]
    end
    assert_equal [true, { 'mine' => [1, 1, false], 'served' => [1, 1, true] }], pools
  end

  def test_all_pools_are_seen_those_that_are_made_later_too
    before, after = in_child do
      mine('first')
      served('second')
      Libpool.expose
      before = seen
      mine('third')
      [before, seen]
    end
    assert_equal({ 'first' => [1, 1, false], 'second' => [1, 1, true] }, before)
    assert_equal before.merge('third' => [1, 1, false]), after
  end

  def test_a_pool_of_blocks_can_be_looked_at_only_and_one_of_a_driver_steered
    refused, done, pauses = in_child do
      mine('mine').expose
      served('served').expose
      [ask("pause #{number_of('mine')}"), ask("pause #{number_of('served')}"),
       ask('report')['pools'].to_h { |pool| pool.values_at('name', 'pauses') }]
    end
    assert_equal [false, Libpool::Native::POOL_E_UNSUPPORTED], refused.values_at('ok', 'code')
    assert_equal true, done['ok']
    assert_equal({ 'mine' => 0, 'served' => 1 }, pauses)
  end

  def test_a_child_of_fork_answers_for_itself
    silent, child, parent = in_child do
      pool = mine('mine').expose
      pid = Process.pid
      in_child do
        silent = !File.exist?(path)
        pool.with(timeout: 20) { [silent, seen, seen(pid)] }
      end
    end
    assert silent, 'the child has a socket before it has opened a connection'
    assert_equal({ 'mine' => [1, 0, false] }, child)
    assert_equal({ 'mine' => [1, 1, false] }, parent)
  end

  def test_a_failure_says_what_the_library_says
    [-> { pool_of(1).expose }, -> { Libpool.expose }].each do |expose|
      message = in_child do
        number = File.open(File::NULL, &:fileno)
        Process.setrlimit(:NOFILE, number + 1) # for the folder, and for no socket
        assert_raises(Libpool::Error, &expose).message
      end
      assert_equal 'no socket for poolctl: Too many open files', message
    end
  end

  def test_what_is_no_pool_is_not_exposed
    assert_raises(ArgumentError) { Libpool::Pool.allocate.expose }
    assert_raises(TypeError) { Libpool::Native.pool_expose(nil) }
    refute_path_exists path
  end

  def run_program(**environment)
    variables = { 'RUBYLIB' => $LOAD_PATH.join(':') }.merge(environment.transform_keys(&:to_s))
    IO.popen([variables, RbConfig.ruby, '-e', PROGRAM, @address], 'r+') do |program|
      assert_equal "ready\n", program.gets
      yield program.pid
    end
  end

  def test_pool_expose_in_the_environment
    run_program(POOL_EXPOSE: '1') do |pid|
      assert_equal({ 'mine' => [1, 1, false], 'served' => [1, 1, true] }, seen(pid))
    end
    run_program(POOL_EXPOSE: nil) { |pid| refute_path_exists path(pid) }
  end
end
