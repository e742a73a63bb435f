# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'delegate'
require 'socket'

module Libpool
  # Finds the sockets of a connection, whatever library it is of, so that a child of fork can be cut off from them.
  #
  # Looked at are the connection, its instance variables, and of the libraries in FOLLOWED all objects of their own below
  # that.  Nothing else is followed: an application's objects lead to sockets that the child may have been made for.  No
  # method of an object is called that its class does not have, for proxies answer by means of a connection.
  class Sockets
    FOLLOWED = %w[Redis RedisClient Net Dalli].freeze # whose objects are followed
    LIMIT = 1000 # objects
    NAME = Module.instance_method(:name)
    KERNEL = %i[class instance_variables instance_variable_get].to_h do |name|
      [name, Kernel.instance_method(name)]
    end.freeze

    # Lets the process have other sockets in their place, which nobody listens to.  Whether there was any to be found.
    def self.cut(connection)
      sockets = new(connection)
      sockets.descriptors.each { |descriptor| Fork.cut(descriptor) }
      sockets.found?
    end

    attr_reader :descriptors

    def initialize(connection)
      @descriptors = []
      @seen = {}.compare_by_identity
      @found = false
      @seen[connection] = true
      look(connection)
      followed?(connection) ? follow(connection) : fields(connection) { |value| meet(value) }
    end

    # Also where it was closed already.
    def found?
      @found
    end

    private

    def class_of(object)
      KERNEL[:class].bind_call(object)
    end

    def fields(object)
      KERNEL[:instance_variables].bind_call(object).each do |name|
        yield KERNEL[:instance_variable_get].bind_call(object, name)
      end
    end

    def names(object)
      class_of(object).ancestors.filter_map { |ancestor| NAME.bind_call(ancestor) }
    end

    def followed?(object)
      FOLLOWED.include?(names(object).first.to_s[/\A[^:]+/])
    end

    # What a field holds.
    def meet(value)
      return if @seen.key?(value) || @seen.size >= LIMIT

      @seen[value] = true
      case value
      when Array then value.each { |each| meet(each) }
      when Hash then value.each_value { |each| meet(each) }
      else
        look(value)
        follow(value) if followed?(value)
      end
    end

    def follow(object)
      fields(object) { |value| meet(value) }
    end

    # The object itself.
    def look(object)
      case object
      when BasicSocket then add(object)
      when ::Delegator then meet(object.__getobj__)
      else look_by_name(object)
      end
    rescue StandardError # it is closed, or was never open
      nil
    end

    def look_by_name(object)
      names = names(object)
      if names.include?('OpenSSL::SSL::SSLSocket') then meet(object.to_io)
      elsif names.include?('PG::Connection') then add_number(object) { object.socket_io.fileno }
      elsif names.include?('Mysql2::Client') then add_number(object) { object.socket }
      elsif names.include?('Trilogy') then discard(object)
      elsif names.include?('ActiveRecord::ConnectionAdapters::AbstractAdapter') then discard(object)
      end
    end

    def add(socket)
      add_number(socket) { socket.fileno unless socket.closed? }
    end

    def add_number(_object)
      @found = true
      number = yield
      @descriptors << number if number
    end

    # These close their socket without a word themselves.
    def discard(object)
      @found = true
      object.discard!
    end
  end
  private_constant :Sockets
end
