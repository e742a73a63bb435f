# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # A pool, as long as somebody else has it.
  #
  # Ruby's weak references and fibers are not made for Ractors that run at the same time: their tables have no lock (3.1
  # crashes).  So all Ractors but the first keep what is referred to, until it is closed or the Ractor ends.
  class Reference
    def self.weak?
      Ractor.current.equal?(Ractor.main)
    end

    def initialize(object)
      @weak = Reference.weak?
      @map = @weak ? ObjectSpace::WeakMap.new : {}
      @map[:object] = object
    end

    # What the block makes of it, or of nil.  It runs in a fiber, whose stack goes with it: on that of a thread an old
    # pointer might keep the object alive.
    def use(&block)
      @weak ? Fiber.new { block.call(@map[:object]) }.resume : block.call(@map[:object])
    end
  end
  private_constant :Reference
end
