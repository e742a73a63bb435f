# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A thread of libpool's own.  It inherits the mask of interrupts of the thread that begins it, and has to be ended
  # nevertheless: else the process would not end.
  module Background
    def self.start(name, &block)
      Thread.new do
        Thread.current.name = name
        Thread.handle_interrupt(Object => :immediate, &block)
      end
    end
  end
  private_constant :Background
end
