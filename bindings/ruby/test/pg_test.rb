# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require_relative 'postgres'
require_relative 'offspring'
require 'libpool/connection_pool'
require 'pg'

# A real server, and the gem that people use.
class PgTest < Minitest::Test
  include Support

  SERVER = Postgres.new
  Minitest.after_run { SERVER.stop }

  def setup
    eventually(60) { SERVER.ready? }
  end

  def connect
    PG.connect(host: SERVER.folder, user: 'test', dbname: 'postgres', application_name: 'libpool')
  end

  def pool(max_open, **settings)
    Libpool::Pool.new(max_open:, timeout: 20, check: ->(pg) { pg.exec('SELECT 1') }, **settings) { connect }
  end

  def value(connection, query)
    connection.exec(query).getvalue(0, 0)
  end

  def sessions
    @observer ||= PG.connect(host: SERVER.folder, user: 'test', dbname: 'postgres')
    value(@observer, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'libpool'").to_i
  end

  def teardown
    @observer&.close
  end

  def test_threads_share_few_connections
    lent = pool(3)
    lent.with { |pg| pg.exec('CREATE TABLE visits (id serial)') }
    visit = -> { lent.with { |pg| pg.exec('INSERT INTO visits DEFAULT VALUES') } }
    threads = Array.new(12) { Thread.new { 20.times { visit.call } } }
    threads.each(&:join)
    assert_equal('240', lent.with { |pg| value(pg, 'SELECT count(*) FROM visits') })
    eventually(60, -> { "#{sessions} sessions for #{lent.size}" }) { sessions == lent.size }
    assert_operator lent.size, :<=, 3
    lent.close
    eventually { sessions.zero? }
  end

  def test_a_session_that_the_server_has_ended
    lent = pool(1, check_after_ms: 0)
    first = lent.with(&:backend_pid)
    connect.then { |other| other.exec("SELECT pg_terminate_backend(#{first})").then { other.close } }
    refute_equal first, lent.with(&:backend_pid)
    assert_equal 1, lent.stats.check_failures
    lent.close
  end

  def test_a_failed_query_and_a_transaction
    lent = pool(1)
    assert_raises(PG::UndefinedTable) { lent.with { |pg| pg.exec('SELECT * FROM nothing') } }
    assert_raises(PG::DivisionByZero) { lent.with { |pg| pg.transaction { pg.exec('SELECT 1 / 0') } } }
    assert_equal('1', lent.with { |pg| value(pg, 'SELECT 1') })
    assert_equal 1, lent.size
    lent.close
  end

  # Timeout in the middle of a query: the connection is discarded, and nobody gets the answer that is still to come.
  def test_a_query_that_takes_too_long
    lent = pool(1)
    assert_raises(Timeout::Error) do
      lent.with do |pg|
        Timeout.timeout(0.05) { pg.exec('SELECT pg_sleep(20)') }
      rescue Timeout::Error
        pg.cancel # or the server would go on
        lent.discard(pg)
        raise
      end
    end
    assert_equal('2', lent.with { |pg| value(pg, 'SELECT 2') })
    lent.close
  end

  def finish(lent)
    lent.is_a?(ConnectionPool) ? lent.shutdown(&:close) : lent.close
  end

  # The child has a session of its own.
  def test_a_fork
    [pool(1), ConnectionPool.new(size: 1) { connect }].each do |lent|
      session = lent.with(&:backend_pid)
      own = in_child { lent.with(&:backend_pid).tap { GC.start } }
      refute_equal session, own
      assert_equal session, lent.with(&:backend_pid)
      assert_equal('3', lent.with { |pg| value(pg, 'SELECT 3') })
      finish(lent)
    end
  end

  # The child does not end the session of its parent, however it ends itself, and whatever is collected there.
  def test_no_child_ends_the_session_of_its_parent
    [pool(1), ConnectionPool.new(size: 1) { connect }].each do |lent|
      session = lent.with(&:backend_pid)
      Offspring::ALL.each do |name, child|
        child.call(lent)
        assert_equal [session, '3'], lent.with { |pg| [pg.backend_pid, value(pg, 'SELECT 3')] }, "a child #{name}"
      end
      Offspring.workers(lent, 3)
      assert_equal session, lent.with(&:backend_pid)
      finish(lent)
    end
    eventually { sessions.zero? } # those of the children have ended with them
  end

  def test_a_pool_that_is_collected_in_the_child
    lent = [pool(1), ConnectionPool.new(size: 1) { connect }]
    ids = lent.map { |each| each.with(&:backend_pid) }
    in_child do
      lent.clear
      5.times { GC.start }
    end
    assert_equal(ids, lent.map { |each| each.with(&:backend_pid) })
    lent.each { |each| finish(each) }
  end

  # Whose parent is no more.
  def test_a_daemon_goes_on_with_its_connections
    [-> { pool(2) }, -> { ConnectionPool.new(size: 2) { connect } }].each do |make|
      before, after, used = in_daemon(make.call) { |lent| lent.with { |pg| [pg.backend_pid, value(pg, 'SELECT 3')] } }
      assert_equal before, after
      assert_equal 1, used
    end
    eventually { sessions.zero? }
  end

  # What the block says before and after, and how many connections there are then.
  def in_daemon(lent)
    reader, writer = IO.pipe
    Process.wait(fork do
      before = yield lent
      Process.daemon(false, true)
      size = lent.is_a?(ConnectionPool) ? lent.idle : lent.size
      writer.write(Marshal.dump([before, yield(lent), size]))
      writer.close
      finish(lent)
      exit!(0)
    end)
    writer.close
    Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad
  end
end
