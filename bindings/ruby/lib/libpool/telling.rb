# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # What happens in a pool of blocks is told to what `log` and `events` say: blocks, a Logger, or ActiveSupport's
  # Notifications.  Where neither is set leaks are told by Kernel#warn, because somebody has to hear of them.
  module Telling
    LEAKS = %i[leaked leak_returned].freeze

    # A block for lines, of what may be set.
    def self.log(target)
      return target if target.nil? || target.respond_to?(:call) || !target.respond_to?(:warn)

      ->(level, line) { target.public_send(level, line) }
    end

    # A block for events: to Notifications each goes as, say, "leaked.libpool", with what it has.
    def self.events(target, pool)
      return target if target.nil? || target.respond_to?(:call) || !target.respond_to?(:instrument)

      ->(event) { target.instrument("#{event.name}.libpool", { pool: pool }.merge!(event.to_h)) }
    end

    private

    def listen_with(settings)
      @name = (settings[:name] || 'pool').to_s
      @mask = settings[:event_mask]
      settings[:log] = Telling.log(settings[:log])
      settings[:events] = Telling.events(settings[:events], @name)
      @unheard = !(settings[:log] || settings[:events])
      warn_of_leaks(settings) if @unheard && settings[:leak_after_ms].is_a?(Integer) && settings[:leak_after_ms].positive?
    end

    # What the library says in lines it says of these events only.
    def warn_of_leaks(settings)
      leaks = Event::NAMES.select { |_, name| LEAKS.include?(name) }.keys
      settings[:event_mask] = leaks.sum { |number| 1 << number }
      settings[:events] = ->(_) {}
      settings[:log] = method(:warn_of)
    end

    def warn_of(_level, line)
      warn "libpool: #{line}"
    end

    # Tells what has happened.  A block that fails is not told twice.
    def deliver
      return unless log || events

      while (values = next_event)
        *event, level, line = values
        tell(events, Event.of(*event)) if events && event.first.positive?
        next unless log && level.positive? && (!@unheard || LEAKS.include?(Event::NAMES[event.first]))

        tell(log, Event::LEVELS.fetch(level), line)
      end
    end

    def tell(block, *arguments)
      block.call(*arguments)
    rescue StandardError => e
      warn "libpool: a block for log or events failed: #{e.class}: #{e.message}"
    end

    # Ends the leases that nobody can give back any more, and says so.  Their connections are closed, for their state is
    # not known.
    def take_back
      collected, dead = list_lost
      collected.each { |number| take_back_one(number, 'its Libpool::Lease was collected') }
      dead.each { |number| take_back_one(number, 'its thread has ended') }
    end

    def take_back_one(number, why)
      info = leases.find { |each| each.lease == number }
      tell_lost(info, why) if end_lost(number) && info
    end

    # As the library tells of a leak, with why as its message.
    def tell_lost(info, why)
      event = Event.new(:leaked, nil, 0, info.lease, info.connection, info.thread, info.held, info.tag, why, 0)
      tell(events, event) if events && tells_leaks?
      tag = ", #{info.tag}" unless info.tag.empty?
      line = "#{@name}: lease #{info.lease} of thread #{info.thread}#{tag} is lost: #{why}; its connection is closed"
      @unheard ? warn_of(:warn, line) : (tell(log, :warn, line) if log)
    end

    def tells_leaks?
      !@mask.is_a?(Integer) || @mask.zero? || @mask[Native::POOL_EVENT_LEAKED] == 1
    end
  end
  private_constant :Telling
end
