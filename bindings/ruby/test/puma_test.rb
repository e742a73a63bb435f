# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require_relative 'postgres'
require 'socket'
begin
  require 'puma'
  require 'pg'
rescue LoadError => e
  puts "skipped: #{e.message}; Debian has it as puma or ruby-#{e.path}"
  exit
end

# A real Puma with two workers, whose application (puma_app.ru) queries a real PostgreSQL over the pool, asked all the
# time while its workers come and go.
#
# Which requests may fail: a worker that is killed answers nothing more, so those that were with it are cut off.  Each
# request is noted where it begins.  One that was cut off is excused if it began in a worker that this test has killed,
# or in none: then that worker had accepted it and not come to it.  A request that a worker answers, however badly, is
# never excused.
class PumaTest < Minitest::Test
  include Support

  SERVER = Postgres.new
  Minitest.after_run { SERVER.stop }

  Answer = Struct.new(:number, :status, :body) do
    def cut? = status.nil?
    def good? = status == '200'
    def worker = body.split[0].to_i
    def master_session = body.split[1].to_i
    def session = body.split[2].to_i
    def echo = body.split[3].to_i
  end

  def setup
    eventually(60) { SERVER.ready? }
    @observer = PG.connect(host: SERVER.folder, user: 'test', dbname: 'postgres')
    @folder = Dir.mktmpdir('libpool-puma')
    @answers = []
    @killed = []
  end

  def teardown
    @over = true
    @clients&.each(&:join)
    stop if @puma
    @observer.close
    FileUtils.remove_entry(@folder)
  end

  %w[pool connection_pool].each do |kind|
    define_method(:"test_workers_of_a_preloaded_application_with_a_#{kind}_come_and_go") do
      start('preload_app!', kind)
      come_and_go
    end
  end

  def come_and_go
    begin_asking
    until_workers(2)
    signal('TTIN', @puma)
    until_workers(3)
    signal('TTOU', @puma)
    until_workers(2)
    replace('TERM')
    replace('KILL')
    assert_includes sessions, newest.master_session, "a worker that ended has ended its master's session"
    signal('USR1', @puma) # a restart of all, for what is preloaded cannot change otherwise
    former = newest.master_session
    until_asked { newest.master_session != former }
    end_asking
    assert_empty answered.map(&:session) & answered.map(&:master_session), "a worker has used its master's session"
  end

  def test_a_phased_restart
    start('', 'connection_pool')
    begin_asking
    former = until_workers(2)
    signal('USR1', @puma)
    until_asked { (recent & former).empty? && recent.size == 2 }
    replace('KILL')
    end_asking
  end

  # Puma's fork_worker: the first worker, which serves requests, forks the others anew.
  def test_a_worker_forks_others
    start('fork_worker', 'connection_pool')
    begin_asking
    former = until_workers(2)
    signal('URG', @puma)
    until_asked { (recent - former).any? && (recent & former).any? && recent.size == 2 }
    end_asking
  end

  # ---- Puma ----

  def start(mode, kind)
    @socket = "#{@folder}/socket"
    File.write("#{@folder}/config.rb", <<~CONFIG)
      bind 'unix://#{@socket}'
      workers 2
      threads 4, 4
      environment 'development'
      worker_shutdown_timeout 60
      #{mode}
    CONFIG
    @puma = spawn(environment.merge('KIND' => kind), RbConfig.ruby, '-W0', '-S', 'puma', '-C', "#{@folder}/config.rb",
                  File.expand_path('puma_app.ru', __dir__), chdir: @folder, %i[out err] => log)
    eventually(60, -> { File.read(log) }) { File.socket?(@socket) }
  end

  def environment
    { 'RUBYLIB' => $LOAD_PATH.grep(%r{/bindings/ruby}).join(':'), 'BEGUN' => begun,
      'POSTGRES' => "host=#{SERVER.folder} user=test dbname=postgres application_name=puma" }
  end

  def log = "#{@folder}/log"
  def begun = "#{@folder}/begun"

  def signal(name, pid)
    Process.kill(name, pid)
  end

  def stop
    signal('TERM', @puma)
    Process.wait(@puma)
    @puma = nil
  end

  # ---- requests ----

  def begin_asking
    number = 0
    lock = Mutex.new
    @clients = Array.new(6) do
      Thread.new { @answers << ask(lock.synchronize { number += 1 }) until @over }
    end
  end

  def ask(number)
    UNIXSocket.open(@socket) do |socket|
      socket.write("GET /?#{number} HTTP/1.0\r\n\r\n")
      answer = socket.read
      head, body = answer.split("\r\n\r\n", 2)
      whole = body && body.bytesize == head[/^Content-Length: (\d+)/i, 1].to_i
      Answer.new(number, whole ? head[/\AHTTP\S* (\d+)/, 1] : nil, whole ? body : answer)
    end
  rescue SystemCallError => e
    Answer.new(number, nil, e.message)
  end

  # ---- what came of them ----

  def newest = answered.last
  def answered = @answers.select(&:good?)

  # The workers that answer at present.
  def recent = answered.last(60).map(&:worker).uniq

  def until_asked(&block)
    eventually(120, -> { "#{recent.size} workers; #{@answers.reject(&:good?).last}\n#{File.read(log)}" }, &block)
  end

  def until_workers(count)
    until_asked { recent.size == count && answered.size > 60 }
    recent
  end

  # Ends a worker, and another one takes its place.
  def replace(signal)
    former = recent
    @killed << former.first if signal == 'KILL'
    signal(signal, former.first)
    until_asked { (recent - former).any? && !recent.include?(former.first) }
  end

  def end_asking
    @over = true
    @clients.each(&:join)
    begun = File.readlines(self.begun).to_h { |line| line.split.map(&:to_i) }
    @answers.each { |answer| answer.cut? ? assert_excused(answer, begun[answer.number]) : assert_answered(answer) }
    assert_operator answered.size, :>, 100
    answered.group_by(&:session).each_value { |all| assert_equal 1, all.map(&:worker).uniq.size, 'a session is shared' }
    stop
    eventually { sessions.empty? }
  end

  def assert_answered(answer)
    assert_equal ['200', answer.number], [answer.status, answer.echo], answer.body
  end

  def assert_excused(answer, worker)
    assert worker.nil? || @killed.include?(worker), "request #{answer.number} in worker #{worker}: #{answer.body}"
  end

  def sessions
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'puma'"
    @observer.exec(query).column_values(0).map(&:to_i)
  end
end
