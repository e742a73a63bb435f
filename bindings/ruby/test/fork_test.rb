# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'openssl'
require 'net/http'
require 'socket'

# The child of a fork has an empty pool with its full capacity, and the parent notices nothing.
class ForkTest < Minitest::Test
  include Support

  def test_the_child_begins_anew
    pool = pool_of(2)
    lease = pool.checkout
    pool.with { |connection| connection }
    numbers, size, closed = in_child do
      before = [pool.size, pool.idle]
      leases = Array.new(2) { pool.checkout(timeout: 20) }
      [before + leases.map { |each| each.connection.number }, pool.size, @opened.map(&:closed)]
    end
    assert_equal [0, 0, 3, 4], numbers # not those of the parent
    assert_equal 2, size
    assert_equal [false] * 4, closed
    assert_equal [2, 1], [pool.size, pool.idle]
    refute @opened.any?(&:closed)
    lease.checkin
    assert_whole pool, 2
  end

  def test_leases_of_the_parent_are_stale_in_the_child
    pool = pool_of(1)
    lease = pool.checkout
    errors = in_child do
      %i[checkin discard connection].map do |name|
        lease.public_send(name)
        :nothing
      rescue Libpool::StaleError
        :stale
      end + [pool.with(timeout: 20, &:number), lease.ended?]
    end
    assert_equal [:stale, :stale, :stale, 2, true], errors
    assert_equal 1, lease.connection.number
    lease.checkin
    assert_whole pool, 1
  end

  def test_a_fork_inside_with
    pool = pool_of(1)
    reader, writer = IO.pipe
    pid = nil
    pool.with do |_|
      pid = fork # both go on from here, and leave the block
    end
    if pid.nil?
      writer.write(Marshal.dump([pool.size, pool.with(timeout: 20, &:number), pool.size]))
      exit!(0)
    end
    writer.close
    assert_equal [0, 2, 1], Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
    Process.wait(pid)
    assert_whole pool, 1
  end

  def test_a_fork_while_threads_hold_and_wait
    pool = pool_of(1)
    lease = pool.checkout
    waiters = Array.new(3) { Thread.new { pool.with(timeout: 20, &:number) } }
    waits pool, 3
    5.times do
      assert_equal([0, 2, 0], in_child do
        GC.start # what waited is no more
        [pool.stats.waiting, pool.with(timeout: 20, &:number), pool.stats.waiting]
      end)
    end
    lease.checkin
    assert_equal [1, 1, 1], waiters.map(&:value)
    assert_whole pool, 1
  end

  def test_a_fork_of_a_fork
    pool = pool_of(1)
    pool.with(&:number)
    answer = in_child do
      one = pool.with(&:number)
      [one, in_child { pool.with(&:number) }, pool.with(&:number)]
    end
    assert_equal [2, 3, 2], answer
    assert_whole pool, 1
  end

  def test_a_fork_inside_open
    parent = Process.pid
    pool = Libpool::Pool.new(max_open: 1) { (@pid = Process.pid == parent ? fork : -1) && Process.pid }
    answer = pool.with(timeout: 20) { |connection| connection }
    # In the child the get began anew, and opened once more.
    exit!(answer == Process.pid && [pool.size, pool.idle] == [1, 1] ? 7 : 1) if Process.pid != parent
    assert_equal parent, answer
    _, status = Process.wait2(@pid)
    assert_equal 7, status.exitstatus
    assert_whole pool, 1
  end

  def test_the_connections_of_the_parent_stay_open
    server = TCPServer.new('127.0.0.1', 0)
    pool = Libpool::Pool.new(max_open: 1) { TCPSocket.new('127.0.0.1', server.addr[1]) }
    pool.with { |socket| socket }
    peer = server.accept
    in_child do
      server.close
      pool.size
      GC.start
      pool.close
      GC.start
    end
    assert_equal :wait_readable, peer.read_nonblock(1, exception: false)
    pool.with { |socket| socket.write('still here') }
    assert_equal 'still here', peer.readpartial(100)
  end

  def test_abandon
    abandoned = []
    pool = Libpool::Pool.new(max_open: 3, abandon: ->(connection) { abandoned << connection.number }) do
      Connection.new((@count = @count.to_i + 1))
    end
    leases = Array.new(3) { pool.checkout }
    assert_equal([1, 2, 3], in_child { pool.size.then { abandoned.sort } })
    assert_empty abandoned
    leases.each(&:checkin)
    assert_whole pool, 3
  end

  # Pools whose blocks to abandon fail with the first connection.  They are told apart from those of other tests.
  def spoiled_pools(count, abandoned)
    Array.new(count) do
      numbers = [2, 1]
      spoil = ->(number) { number == 1 ? yield : abandoned << number }
      pool = Libpool::Pool.new(max_open: 2, abandon: spoil) { numbers.pop }
      Array.new(2) { pool.checkout }.each(&:checkin)
      pool
    end
  end

  def test_every_connection_is_abandoned_though_one_fails
    abandoned = []
    pools = spoiled_pools(2, abandoned) { raise NotImplementedError, 'no' }
    _, err = capture_subprocess_io { assert_equal([2, 2], in_child { abandoned }) }
    assert_equal ["libpool: a connection of the parent could not be abandoned: NotImplementedError: no\n"] * 2, err.lines
    pools.each(&:close)
  end

  # The fork is left, and has nevertheless done what is to be done.
  def test_every_connection_is_abandoned_though_one_throws
    abandoned = []
    pools = spoiled_pools(2, abandoned) { throw :out, 'no' }
    reader, writer = IO.pipe
    parent = Process.pid
    out = catch(:out) { fork }
    if Process.pid != parent
      writer.write(Marshal.dump([abandoned, out]))
      exit!(0)
    end
    writer.close
    assert_equal [[2, 2], 'no'], Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
    pools.each(&:close)
  end

  def pair
    server = TCPServer.new('127.0.0.1', 0)
    client = TCPSocket.new('127.0.0.1', server.addr[1])
    [client, server.accept]
  ensure
    server.close
  end

  # Calls a method of each connection in a child that has not used the pool.  What the server heard, and the child.
  def in_child_with(connection, *call)
    pool = Libpool::Pool.new(max_open: 1) { connection }
    pool.with { |same| same }
    in_child do
      connection.public_send(*call)
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError => e
      e.class
    end
  end

  Holder = Struct.new(:name) do
    attr_writer :socket

    def say(text)
      @socket.write(text)
    end
  end

  def test_nothing_is_heard_of_a_child
    client, server = pair
    assert_equal Errno::EPIPE, in_child_with(client, :write, 'goodbye')
    holder = Holder.new('one').tap { |made| made.socket = client }
    assert_equal Errno::EPIPE, in_child_with(holder, :say, 'goodbye')
    assert_equal Errno::EPIPE, in_child_with(SimpleDelegator.new(client), :write, 'goodbye')
    assert_equal :wait_readable, server.read_nonblock(1, exception: false)
    client.write('hello')
    assert_equal 'hello', server.readpartial(9)
  end

  def test_no_session_of_tls_is_ended_by_a_child
    client, server = pair
    context = tls
    serving = Thread.new { OpenSSL::SSL::SSLSocket.new(server, context).tap(&:accept) }
    secure = OpenSSL::SSL::SSLSocket.new(client).tap(&:connect)
    in_child_with(secure, :close) # which tells the other side, where it can
    assert_equal :wait_readable, serving.value.read_nonblock(1, exception: false)
    secure.write('hello')
    assert_equal 'hello', serving.value.readpartial(9)
  end

  def tls
    key = OpenSSL::PKey::RSA.new(2048)
    certificate = OpenSSL::X509::Certificate.new
    certificate.public_key = key.public_key
    certificate.subject = certificate.issuer = OpenSSL::X509::Name.parse('/CN=test')
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 3600
    certificate.sign(key, OpenSSL::Digest.new('SHA256'))
    OpenSSL::SSL::SSLContext.new.tap { |context| context.add_certificate(certificate, key) }
  end

  def test_a_connection_of_http
    server = TCPServer.new('127.0.0.1', 0)
    serving = Thread.new { server.accept }
    http = Net::HTTP.start('127.0.0.1', server.addr[1])
    assert_equal Errno::EPIPE, in_child_with(http, :instance_eval, '@socket.io.write("goodbye")')
    assert_equal :wait_readable, serving.value.read_nonblock(1, exception: false)
  end

  # What the gems for these offer for it, by objects that stand for theirs.
  def test_libraries_in_c_are_asked_in_their_own_way
    client, server = pair
    answers = in_child do
      modules = { 'PG::Connection' => [:socket_io, client], 'Mysql2::Client' => [:socket, client.fileno],
                  'Trilogy' => [:discard!, :gone] }
      modules.map do |name, (method, value)|
        stand_in(name) { define_method(method) { value.tap { @gone = true } } }.new.then { |one| Libpool.cut_off(one) }
      end
    end
    assert_equal [true, true, true], answers
    nested = in_child do
      stand_in('RedisClient')
      holder = stand_in('RedisClient::RubyConnection').new.tap { |one| one.instance_variable_set(:@io, [client]) }
      outer = RedisClient.new.tap { |one| one.instance_variable_set(:@raw_connection, holder) }
      Libpool.cut_off(outer) && client.write('goodbye')
    rescue SystemCallError => e
      e.class
    end
    assert_equal Errno::EPIPE, nested
    assert_equal :wait_readable, server.read_nonblock(1, exception: false)
  end

  # A class of this name, in a child.
  def stand_in(name, &block)
    *path, last = name.split('::')
    home = path.inject(Object) do |outer, part|
      outer.const_defined?(part, false) ? outer.const_get(part) : outer.const_set(part, Class.new)
    end
    home.const_set(last, Class.new(&block))
  end

  def test_what_is_no_connection_is_left_alone
    receiver = UDPSocket.new.tap { |socket| socket.bind('127.0.0.1', 0) }
    sender = UDPSocket.new.tap { |socket| socket.connect('127.0.0.1', receiver.addr[1]) }
    server = TCPServer.new('127.0.0.1', 0)
    reader, writer = IO.pipe
    assert_equal 4, in_child_with(sender, :write, 'here')
    assert_equal '127.0.0.1', in_child_with(server, :addr)[3]
    assert_equal 4, in_child_with(writer, :write, 'here')
    assert_equal %w[here here], [receiver.recv(9), reader.readpartial(9)]
    assert_equal 42, in_child_with(41, :+, 1)
  end

  def test_connections_that_are_not_to_be_abandoned
    client, server = pair
    pool = Libpool::Pool.new(max_open: 1, abandon: false) { client }
    pool.with { |same| same }
    in_child { client.write('hello') }
    assert_equal 'hello', server.readpartial(9)
    assert_raises(TypeError) { pool_of(1, abandon: true) }
  end

  def test_a_recipe_for_what_is_not_known
    client, server = pair
    unknown = Class.new { define_method(:number) { client.fileno } }.new
    pool = Libpool::Pool.new(max_open: 1, abandon: ->(each) { Libpool.cut_off(each.number) }) { unknown }
    pool.with { |same| same }
    assert_equal(Errno::EPIPE, in_child do
      client.write('goodbye')
    rescue SystemCallError => e
      e.class
    end)
    assert_equal :wait_readable, server.read_nonblock(1, exception: false)
  end

  # The child's new connections may have the slots of the parent's, of a pool that the child has not used yet.
  def test_pools_do_not_mix_up_their_connections_in_a_child
    pools = Array.new(4) { |i| Libpool::Pool.new(max_open: 1) { [i, Process.pid] } }
    pools.each { |pool| pool.with { |connection| connection } }
    assert_equal(true, in_child do
      pools.rotate(2).each { |pool| pool.with { |connection| connection } }
      GC.start
      pools.each_with_index.all? { |pool, i| pool.with { |connection| connection == [i, Process.pid] } && pool.size == 1 }
    end)
  end

  def test_a_daemon_goes_on_with_what_is_idle_and_has_room
    reader, writer = IO.pipe
    Process.wait(fork do
      pool = pool_of(3, check_after_ms: 0, check: ->(connection) { connection.number != 2 })
      kept = Array.new(3) { pool.checkout }
      kept.first(2).each(&:checkin)
      Process.daemon(true, true)
      numbers = Array.new(3) { pool.checkout(timeout: 20).connection.number }
      writer.write(Marshal.dump([numbers.sort, kept.all?(&:ended?), @opened.map(&:closed)]))
      exit!(0)
    end)
    writer.close
    numbers, ended, closed = Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
    assert_equal [1, 4, 5], numbers # 2 failed its check, and 3 was lent
    assert ended
    assert_equal [false, true, false, false, false], closed
  end

  def test_the_keeper_is_started_again
    pool = pool_of(2, idle_timeout_ms: 40)
    assert_equal([1, true, 0], in_child do
      size = pool.with { pool.size } # before the keeper could close it
      eventually { pool.size.zero? }
      [size, @opened.all?(&:closed), pool.size]
    end)
  end
end
