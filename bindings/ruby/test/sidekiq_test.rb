# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require_relative 'redis_server'

REDIS = RedisServer.new
Minitest.after_run { REDIS.stop }
ENV['REDIS'] = "redis://127.0.0.1:#{REDIS.port}"
begin
  require_relative 'sidekiq_jobs'
  require 'sidekiq/api'
rescue LoadError => e
  puts "skipped: #{e.message}; Debian has it as ruby-sidekiq"
  exit
end

# A real Sidekiq on a real Redis, with what stands for connection_pool in place of that.
class SidekiqTest < Minitest::Test
  include Support

  JOBS = (1..300).to_a

  def setup
    eventually(60) { REDIS.ready? }
    @redis = REDIS.connect
    @folder = Dir.mktmpdir('libpool-sidekiq')
  end

  def teardown
    @redis.close
    Process.kill('KILL', @sidekiq) && Process.wait(@sidekiq) if @sidekiq
    FileUtils.remove_entry(@folder)
  end

  # In the first process two jobs keep both connections and six wait for one when it is told to end.  When their time is
  # over, Sidekiq interrupts all eight by Thread#raise and leaves them to the next process.
  def test_all_jobs_are_done_also_those_that_were_interrupted
    ask_for_jobs
    start
    eventually(120, -> { log }) { set('kept').size == 2 && (set('begun') - set('done')).size == 6 }
    stop
    assert_operator set('done').size, :<, JOBS.size
    @redis.set('next', 'yes')
    start
    eventually(120, -> { missing }) { set('done') == JOBS && set('followed') == JOBS.select(&:odd?) }
    stop
    assert_equal [0, 0, 0], [Sidekiq::Queue.new, Sidekiq::RetrySet.new, Sidekiq::DeadSet.new].map(&:size), log
    assert_all_came_back
    refute_match(/Waited|PoolShutting|Libpool|ERROR/, log)
  end

  def ask_for_jobs
    Sidekiq::Client.push_bulk('class' => Note, 'args' => JOBS.first(50).zip)
    2.times { |i| Keep.perform_async(i) }
    Sidekiq::Client.push_bulk('class' => Note, 'args' => JOBS.drop(50).zip)
  end

  def assert_all_came_back
    ends = @redis.lrange('ends', 0, -1)
    assert_equal %w[2 2], ends.map { |line| line.split.first }
    ends.each { |line| assert_includes line, 'libpool/connection_pool' }
  end

  def start
    @sidekiq = spawn({ 'RUBYLIB' => $LOAD_PATH.grep(%r{/bindings/ruby}).join(':') }, RbConfig.ruby, '-W0',
                     '-r', 'libpool/connection_pool', '-S', 'sidekiq', '-r', "#{__dir__}/sidekiq_jobs.rb",
                     '-c', '8', '-t', '1', chdir: @folder, %i[out err] => ["#{@folder}/log", 'a'])
  end

  def stop
    Process.kill('TERM', @sidekiq)
    Process.wait(@sidekiq)
    @sidekiq = nil
    assert_equal 0, $?.exitstatus, log # rubocop:disable Style/SpecialGlobalVars
  end

  def log
    File.read("#{@folder}/log")
  end

  def set(name)
    @redis.smembers(name).map(&:to_i).sort
  end

  def missing
    "missing: #{JOBS - set('done')} and #{JOBS.select(&:odd?) - set('followed')}\n#{log}"
  end
end
