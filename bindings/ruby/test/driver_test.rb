# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'json'
require 'socket'

# A pool on the driver jsonrpc, and a real server: POOL_ARITH_SERVER is its program.
class DriverTest < Minitest::Test
  include Support

  class Interruption < Exception; end # rubocop:disable Lint/InheritException

  def setup
    @server = IO.popen(ENV.fetch('POOL_ARITH_SERVER'), 'r+')
    @address = @server.gets.chomp
  end

  def teardown
    @server.close
  end

  def open_pool(max_open = 2, address: @address, **settings)
    Libpool.open('jsonrpc', address, max_open:, timeout: 20, **settings)
  end

  # One that takes requests and answers with what the block makes of them: nil, and it never does.
  def answering(&answer)
    listener = TCPServer.new('127.0.0.1', 0)
    asked = Queue.new
    Thread.new do
      loop { Thread.new(listener.accept) { |client| serve(client, asked, &answer) } }
    end.report_on_exception = false
    [open_pool(address: "127.0.0.1:#{listener.addr[1]}"), asked, listener]
  end

  def serve(client, asked)
    while (line = client.gets)
      asked << line
      text = yield JSON.parse(line)
      client.write(text) if text
      client.close if text == ''
    end
  rescue IOError, SystemCallError
    nil
  end

  def test_an_error_of_the_server_is_told_as_it_is
    text = "ung\u00fcltig\0e Eingabe"
    pool, = answering { |request| JSON.generate(id: request['id'], result: nil, error: text) }
    error = assert_raises(Libpool::RemoteError) { pool.with { |lease| lease.call('Anything') } }
    assert_equal text, error.message
  end

  def multiply(lease, one = 7, other = 8)
    lease.call('Arith.Mul', { A: one, B: other })
  end

  def assert_all_there(pool, max_open)
    eventually { pool.stats.leased.zero? && pool.stats.waiting.zero? }
    leases = Array.new(max_open) { pool.checkout }
    assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0) }
    leases.each(&:checkin)
    eventually { pool.idle == max_open }
  end

  def test_calls
    pool = open_pool
    assert_equal 56, pool.with { |lease| multiply(lease) }
    lease = pool.checkout
    assert_equal [6, 42], [multiply(lease, 2, 3), lease.go('Arith.Mul', { 'A' => 6, 'B' => 7 }).value]
    pool.checkin(lease)
    assert_equal [1, 1], [pool.size, pool.idle]
    assert_match(/"open":1/, pool.report(:json).delete(" \n"))
    assert_all_there pool, 2
    assert_equal 0, pool.close(timeout: 20)
    assert_predicate pool, :closed?
    assert_raises(Libpool::ClosedError) { pool.with { flunk } }
  end

  def test_errors_of_the_server
    pool = open_pool
    error = assert_raises(Libpool::RemoteError) { pool.with { |lease| lease.call('Arith.Div', { A: 1, B: 0 }) } }
    assert_equal 'divide by zero', error.message
    assert_kind_of Libpool::Error, error
    assert_equal 1, pool.idle # the connection is good
    assert_raises(JSON::GeneratorError) { pool.with { |lease| multiply(lease, Float::NAN) } }
    assert_raises(ArgumentError) { pool.with { |lease| lease.call("nul\0") } }
    assert_all_there pool, 2
  end

  def test_any_json_comes_back_as_it_is
    value = [nil, true, 1.5, 2**70, 'ü', { 'a' => [] }]
    pool, = answering { |request| JSON.generate(id: request['id'], result: request['params'][0], error: nil) }
    assert_equal value, pool.with { |lease| lease.call('Echo', value) }
    assert_nil pool.with { |lease| lease.call('Echo') }
  end

  def test_a_server_that_answers_garbage_or_dies
    ['no json', ''].each do |answer|
      pool, = answering { answer.dup }
      pool.with do |lease|
        assert_raises(Libpool::BrokenError) { multiply(lease) }
      end
      eventually { pool.size.zero? }
    end
    pool = open_pool
    pool.with { |lease| multiply(lease) }
    @server.close
    assert_raises(Libpool::BrokenError, Libpool::OpenError, Libpool::TimeoutError) do
      pool.with(timeout: 1) { |lease| multiply(lease) }
    end
    @server = IO.popen('true')
  end

  def test_a_call_that_takes_too_long
    pool, asked, = answering { nil }
    pool.with do |lease|
      call = lease.go('Hang')
      error = assert_raises(Libpool::TimeoutError) { call.value(timeout: 0.01) }
      assert_equal 'no answer within 0.01 s; the call goes on', error.message
      refute_predicate call, :done?
      asked.pop
    end
    pool = open_pool(address: "127.0.0.1:#{hanging.addr[1]}", call_timeout_ms: 20)
    assert_raises(Libpool::TimeoutError) { pool.with { |lease| lease.call('Hang') } }
  end

  # It accepts, by the system, and no more.
  def hanging
    @hanging ||= TCPServer.new('127.0.0.1', 0)
  end

  def interrupt(thread, way)
    way == :kill ? thread.kill : thread.raise(Interruption)
    assert thread.join(60)
  rescue Interruption
    nil
  end

  def test_who_waits_for_an_answer_is_interrupted
    pool, asked, = answering { nil }
    %i[raise kill].each do |way|
      thread = Thread.new { pool.with { |lease| lease.call('Hang') } }
      thread.report_on_exception = false
      asked.pop
      interrupt(thread, way)
    end
    assert_raises(Timeout::Error) { Timeout.timeout(0.02) { pool.with { |lease| lease.call('Hang') } } }
    eventually { pool.stats.leased.zero? }
  end

  def test_who_waits_for_a_connection_is_interrupted
    pool = open_pool(1)
    lease = pool.checkout
    %i[raise kill].each do |way|
      thread = Thread.new { pool.with { flunk } }
      thread.report_on_exception = false
      waits pool
      interrupt(thread, way)
      eventually { pool.stats.waiting.zero? }
    end
    assert_raises(Libpool::TimeoutError) { pool.checkout(timeout: 0.01) }
    lease.checkin
    assert_all_there pool, 1
  end

  def test_interrupts_at_any_moment
    pool = open_pool(2)
    300.times do |i|
      thread = Thread.new { loop { pool.with { |lease| multiply(lease) } } }
      thread.report_on_exception = false
      rand(20).times { Thread.pass }
      interrupt(thread, i.even? ? :kill : :raise)
    end
    assert_all_there pool, 2
  end

  # Two at once, each with its own pool; the answers of one Ractor reach no other.
  def test_ractors
    Warning[:experimental] = false
    ractors = Array.new(2) do |number|
      Ractor.new(@address, number) do |address, mine|
        pool = Libpool.open('jsonrpc', address, max_open: 2, timeout: 20)
        products = Array.new(4) do |i|
          Thread.new { pool.with { |lease| lease.call('Arith.Mul', { A: i, B: mine + 1 }, timeout: 20) } }
        end
        [products.map(&:value), pool.close(timeout: 20)]
      end
    end
    assert_equal [[[0, 1, 2, 3], 0], [[0, 2, 4, 6], 0]], ractors.map(&:take)
    assert_equal 56, (open_pool.with { |lease| multiply(lease) })
  end

  def test_leases_that_have_ended_or_are_of_others
    pool = open_pool
    lease = pool.checkout
    lease.checkin
    assert_predicate lease, :ended?
    assert_raises(Libpool::StaleError) { lease.checkin }
    assert_raises(Libpool::StaleError) { lease.discard }
    assert_raises(Libpool::StaleError) { multiply(lease) }
    assert_nil lease.release
    other = open_pool
    assert_raises(ArgumentError) { other.checkin(pool.checkout) }
    assert_raises(TypeError) { other.checkin(nil) }
    assert_raises(ArgumentError) { Libpool::DriverPool.allocate.checkout(timeout: 1) }
    kept = nil
    pool.with { |each| kept = each }
    assert_raises(Libpool::StaleError) { multiply(kept) }
    assert_raises(Libpool::StaleError) { Libpool::DriverLease.__send__(:new, pool).checkin }
    pool.checkout.then { |each| pool.discard(each) }
    assert_equal 1, pool.stats.closed_unusable
  end

  def test_close_while_a_call_is_under_way
    go_on = Queue.new
    pool, asked, = answering do |request|
      go_on.pop
      JSON.generate(id: request['id'], result: 'late', error: nil)
    end
    caller = Thread.new { pool.with { |lease| lease.call('Slow') } }
    asked.pop
    assert_equal 1, pool.close
    go_on << true
    assert_equal 'late', caller.value
    assert_equal 0, pool.close(timeout: 20)
  end

  def test_a_hundred_calls_at_one_time
    pool = open_pool(3)
    calls = pool.with { |lease| Array.new(100) { |i| lease.go('Arith.Mul', { A: i, B: 2 }) } }
    assert_equal((0...100).map { |i| i * 2 }, calls.map { |call| call.value(timeout: 20) })
    threads = Array.new(10) { |i| Thread.new { Array.new(10) { |j| pool.with { |lease| multiply(lease, i, j) } } } }
    assert_equal((0...10).map { |i| (0...10).map { |j| i * j } }, threads.map(&:value))
    assert_operator pool.size, :<=, 3
  end

  def test_what_cannot_be_opened
    assert_match(/no driver 'nothing'/, assert_raises(Libpool::Error) { Libpool.open('nothing', '') }.message)
    assert_match(/port is missing/, assert_raises(ArgumentError) { open_pool(address: 'nowhere') }.message)
    assert_raises(TypeError) { Libpool.open(nil, '') }
    assert_raises(ArgumentError) { open_pool(max_open: -1) }
    assert_raises(ArgumentError) { open_pool(close: -> {}) }
    assert_raises(ArgumentError) { open_pool(openers: 0) }
    assert_raises(ArgumentError) { open_pool(speed: 1) }
    closed = TCPServer.open('127.0.0.1', 0) { |server| server.addr[1] }
    pool = open_pool(address: "127.0.0.1:#{closed}")
    assert_raises(Libpool::OpenError, Libpool::TimeoutError) { pool.with(timeout: 0.05) { flunk } }
    [-1, Float::INFINITY, Float::NAN, 1e9].each do |wrong|
      assert_match(/timeout is .*; it must be 0 to a year/, assert_raises(ArgumentError) { pool.close(timeout: wrong) }.message)
    end
    assert_raises(TypeError) { pool.checkout(timeout: 'soon') }
  end

  def test_a_url
    pool = Libpool.open("jsonrpc://#{@address}?pool.max_open=1&pool.get_timeout_ms=10&max_reply_bytes=1000", max_open: 7)
    pool.with(timeout: 20) do |lease|
      assert_equal 56, multiply(lease)
      assert_raises(Libpool::TimeoutError) { pool.checkout }
    end
    assert_match(/\Apool "jsonrpc"/, pool.report(:text))
    assert_equal 0, pool.close(timeout: 20)
    assert_match(/\Apool "mine"/, Libpool.open("JSONRPC://#{@address}", name: 'mine').report(:text))
    assert_match(/\Apool "the url"/, Libpool.open("jsonrpc://#{@address}?pool.name=the%20url", name: 'x').report(:text))
  end

  # The library's messages, and nothing of a password.
  def test_what_is_wrong_with_a_url
    { 'nowhere' => /SCHEME:/, 'jsonrpc://a:99999' => /65535/, 'jsonrpc://a' => /port is missing/,
      'jsonrpc://a:1?pool.max_opne=1' => /"max_opne"; did you mean max_open\?/, 'jsonrpc://a:1?x=1' => /unknown option/,
      'jsonrpc://a:1?pool.keeper=manual' => /keeper is manual/, 'jsonrpc://a:1?pool.openers=0' => /openers is 0/,
      'jsonrpc://u:zq@a:1' => /jsonrpc:/, 'jsonrpc://u:zq@a:1?pool.queue=x' => /queue is "x"/ }.each do |url, message|
      error = assert_raises(ArgumentError, url) { Libpool.open(url) }
      assert_match(message, error.message)
      refute_match(/zq/, error.message)
    end
    error = assert_raises(Libpool::Error) { Libpool.open('jsonrcp://u:zq@a:1') }
    assert_match(/no driver for the scheme 'jsonrcp' \(did you mean 'jsonrpc'\?\)/, error.message)
    refute_match(/zq/, error.message)
    assert_raises(ArgumentError) { Libpool.open("jsonrpc://a:1\0") }
    assert_raises(ArgumentError) { Libpool.open('jsonrpc', 'a:1', 'more') }
    assert_raises(ArgumentError) { Libpool.open('jsonrpc://a:1', close: -> {}) }
    assert_raises(TypeError) { Libpool.open(7) }
    assert_raises(ArgumentError) { Libpool.open }
  end

  def test_a_fork
    pool = open_pool
    lease = pool.checkout
    assert_equal([56, true, 1], in_child { [pool.with { |own| multiply(own) }, lease.ended?, pool.size] })
    assert_equal 56, multiply(lease)
    lease.checkin
    assert_equal 1, pool.idle
  end

  def test_pools_that_are_forgotten
    20.times { open_pool.with { |lease| multiply(lease) } }
    forgotten = Array.new(20) { open_pool.checkout }.map { |lease| lease.go('Arith.Mul', { A: 1, B: 2 }) }
    GC.start
    assert_equal [2], forgotten.map { |call| call.value(timeout: 20) }.uniq
    GC.stress = true
    assert_equal 56, open_pool.with { |lease| multiply(lease) }
  ensure
    GC.stress = false
  end
end
