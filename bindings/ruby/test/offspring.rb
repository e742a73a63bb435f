# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Children of all kinds, by name: each is born, does something with the pool or not, and has ended when the block
# returns.  What they write to stderr is theirs.
module Offspring
  USE = ->(pool) { pool.with { |connection| connection } }

  # Ends as a program does: at_exit and finalizers run, but not those of this test.
  def self.child(&block)
    fork do
      $stderr.reopen(File::NULL)
      block&.call
    end
  end

  def self.wait(pid)
    Process.wait(pid)
    $?.exited? # rubocop:disable Style/SpecialGlobalVars
  end

  ALL = {
    'that ends normally' => ->(_) { wait(child) },
    'that has used the pool' => ->(pool) { wait(child { USE.call(pool) }) },
    'that has collected its garbage' => ->(_) { wait(child { 3.times { GC.start } }) },
    'that exits at once' => ->(_) { wait(child { exit!(0) }) },
    'that raises' => ->(pool) { wait(child { USE.call(pool) && raise('no') }) },
    'that is killed' => ->(_) { wait(child { Process.kill(:TERM, Process.pid) && sleep }) },
    'that is forked inside with' => ->(pool) { pool.with { wait(child) } },
    'that leaves the block of its parent' => lambda do |pool|
      pid = nil
      pool.with { pid = fork }
      pid ? wait(pid) : exit
    end,
    'of another thread' => ->(pool) { Thread.new { wait(child { USE.call(pool) }) }.join },
    'while other threads hold connections' => lambda do |pool|
      held = Queue.new
      leave = Queue.new
      thread = Thread.new { pool.with { held << true && leave.pop } }
      held.pop
      wait(child)
      leave << true
      thread.join
    end,
    'of a child' => ->(pool) { wait(child { USE.call(pool) && wait(child { USE.call(pool) }) && wait(child) }) },
    'of a child that never used the pool' => ->(pool) { wait(child { wait(child { USE.call(pool) }) }) },
    'of popen' => lambda do |pool|
      io = IO.popen('-')
      io ? io.read && io.close : USE.call(pool) && exit
    end,
    'with another program' => ->(_) { system('true') && wait(spawn('true')) && `true` },
    'that becomes another program' => ->(_) { wait(child { exec('true') }) }
  }.freeze

  # Workers that take what there is to do, as gems for work in parallel have them.
  def self.workers(pool, count)
    pids = Array.new(count) { child { 3.times { USE.call(pool) } } }
    pids.each { |pid| wait(pid) }
  end
end
