# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A thread of libpool's own.  It inherits the mask of interrupts of the thread that begins it, and has to be ended
  # nevertheless: else the process would not end.  But not before it has come to its block, which may have an `ensure`.
  module Background
    # What a block may raise, or a lack of memory for a fiber, and the thread goes on.  Not what is to end it.
    ERRORS = [StandardError, ScriptError, NoMemoryError, SystemStackError].freeze

    def self.start(name, &block)
      Thread.handle_interrupt(Object => :never) do
        Thread.new do
          Thread.current.name = name
          Thread.handle_interrupt(Object => :immediate, &block)
        end
      end
    end
  end
  private_constant :Background
end
