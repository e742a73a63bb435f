# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# One case of the list: a pool, its leases by name, and the steps in order.
class Scenario
  class Refused < StandardError; end
  class Panic < Exception; end # rubocop:disable Lint/InheritException
  class Cancelled < StandardError; end

  FAILURES = { 'stale' => Libpool::StaleError, 'timeout' => Libpool::TimeoutError, 'closed' => Libpool::ClosedError,
               'overload' => Libpool::OverloadError, 'open' => Refused, 'panic' => Panic,
               'cancelled' => Cancelled }.freeze
  FACTORIES = %w[work fail panic hang hang_then_fail].freeze
  # Which words may stand beside the first of a step.
  WORDS = { 'get' => %w[timeout_ms gives fails], 'try_get' => %w[gives fails], 'begin' => %w[timeout_ms],
            'end' => %w[gives fails], 'cancel' => [], 'release' => %w[fails], 'discard' => %w[fails],
            'use' => %w[gives fails], 'factory' => [], 'let_go' => [], 'close' => %w[left], 'expect' => [],
            'flush' => [], 'pause' => [], 'resume' => [], 'resize' => %w[left] }.freeze

  # A pool with settings named as in C.
  def self.pool(settings, **more, &open)
    Libpool::Pool.new(**settings.transform_keys(&:to_sym), **more, &open)
  end

  def self.seconds(milliseconds)
    milliseconds / 1000.0 unless milliseconds.negative?
  end

  def initialize(test, settings)
    @test = test
    @factory = 'work'
    @opened = @destroyed = 0
    @gate = Queue.new # closed: those who hang go on
    @hanging = 0
    @leases = {}
    @begun = {}
    @pool = self.class.pool(settings, close: ->(_) { @destroyed += 1 }) { open }
  end

  def run(steps)
    steps.each_with_index { |step, i| take(step, i) }
  ensure
    @gate.close
    @begun.each_value { |thread| thread.kill.join }
  end

  private

  def take(step, index)
    verb, object = step.first
    @where = "step #{index}: #{step}"
    @test.assert_includes WORDS, verb, @where
    @test.assert_empty step.keys.drop(1) - WORDS[verb], @where
    send("step_#{verb}", object, step)
  end

  def open
    factory = @factory
    hang if factory.start_with?('hang')
    raise Refused, 'the server refuses' if factory.end_with?('fail')
    raise Panic, 'nobody expects this' if factory == 'panic'

    @opened += 1
  end

  def hang
    gate = @gate
    @hanging += 1
    gate.pop
  ensure
    @hanging -= 1
  end

  # ---- what came of it ----

  def expecting(step)
    name = step['fails'].is_a?(Hash) ? step['fails'].fetch('ruby') : step['fails']
    return yield if name.nil?

    @test.assert_includes FAILURES, name, @where
    error = begin
      yield
      nil
    rescue Exception => e # rubocop:disable Lint/RescueException
      e
    end
    @test.assert_instance_of FAILURES[name], error, @where
  end

  def lent(name, step, &block)
    expecting(step) do
      @leases[name] = lease = block.call
      @test.assert_equal step['gives'], lease.connection, @where if step['gives']
    end
  end

  def checkout(step)
    step.key?('timeout_ms') ? @pool.checkout(timeout: self.class.seconds(step['timeout_ms'])) : @pool.checkout
  end

  # ---- the steps ----

  def step_get(name, step)
    lent(name, step) { checkout(step) }
  end

  def step_try_get(name, step)
    lent(name, step) { @pool.checkout(timeout: 0) }
  end

  def step_begin(name, step)
    thread = Thread.new { checkout(step).hand_over }
    thread.report_on_exception = false
    @begun[name] = thread
  end

  def step_end(name, step)
    thread = @begun.delete(name)
    lent(name, step) { (thread.join(60) || @test.flunk("#{@where}: it never ended")).value }
  end

  def step_cancel(name, _step)
    @begun.fetch(name).raise(Cancelled)
  end

  def step_release(name, step)
    expecting(step) { @pool.checkin(@leases.fetch(name)) }
  end

  def step_discard(name, step)
    expecting(step) { @pool.discard(@leases.fetch(name)) }
  end

  def step_use(name, step)
    connection = nil
    expecting(step) { connection = @leases.fetch(name).connection }
    @test.assert_equal step['gives'], connection, @where if step['gives']
  end

  def step_factory(what, _step)
    @test.assert_includes FACTORIES, what, @where
    @factory = what
  end

  def step_let_go(_true, _step)
    @gate.close
    @gate = Queue.new
  end

  def step_close(milliseconds, step)
    @test.assert_equal step.fetch('left'), @pool.close(timeout: self.class.seconds(milliseconds)), @where
  end

  def step_flush(concerned, _step)
    @test.assert_equal concerned, @pool.flush, @where
  end

  def step_pause(lent, _step)
    @test.assert_equal lent, @pool.pause, @where
  end

  def step_resume(still_paused, _step)
    @test.assert_equal still_paused, @pool.resume, @where
  end

  def step_resize(cap, step)
    @test.assert_equal step.fetch('left'), @pool.resize(cap), @where
  end

  def step_expect(counts, _step)
    @test.eventually(60, -> { "#{@where}: #{present(counts)}" }) { present(counts) == counts }
  end

  def present(counts)
    stats = @pool.stats
    counts.to_h do |name, _|
      case name
      when 'destroyed' then [name, @destroyed]
      when 'opening' then [name, stats.opening == @hanging ? @hanging : nil] # the pool counts them a moment before
      else [name, stats.public_send(name)]
      end
    end
  end
end
