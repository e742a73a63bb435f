# SPDX-License-Identifier: MIT
# frozen_string_literal: true

module Libpool
  # Keeps the gem connection_pool out where its place is taken.
  #
  # The folder `gem` beside this file has files with the names of the gem's files, and stands first in the load path:
  # `require 'connection_pool'` finds them, also where the path is made absolute first, as bootsnap does.  A file of the
  # gem can still be loaded by its path.  The first method that it defines is taken back, and a LoadError says so.
  module Guard
    FOLDER = "#{__dir__}/gem".freeze
    HERE = File.expand_path('..', __dir__).freeze
    FILE_OF_GEM = %r{\A(.*)/connection_pool(?:/\w+)?\.rb\z}.freeze

    class << self
      # Of an autoload, or of the gem's version alone, nothing is in use yet.
      def make_room
        return unless Object.const_defined?(:ConnectionPool, false)
        return Object.__send__(:remove_const, :ConnectionPool) if Object.autoload?(:ConnectionPool, false)
        return ::ConnectionPool.__send__(:remove_const, :VERSION) if version_alone?(::ConnectionPool)

        raise LoadError, "ConnectionPool is there already#{origin}; require 'libpool/connection_pool' before what " \
                         "requires that: in a Gemfile, gem 'libpool', require: 'libpool/connection_pool' comes first"
      end

      def stand_before_gem
        $LOAD_PATH.unshift(FOLDER) unless $LOAD_PATH.include?(FOLDER)
        $LOADED_FEATURES.concat(Dir["#{FOLDER}/**/*.rb"].sort)
      end

      # Calls back for each method that is defined in the class from now on.
      def watch(owner)
        kept = [owner, owner.singleton_class].to_h { |part| [part, methods_of(part)] }
        owner.define_singleton_method(:method_added) do |name|
          super(name)
          Guard.take_back(owner, name, kept) if equal?(owner)
        end
        owner.define_singleton_method(:singleton_method_added) do |name|
          super(name)
          Guard.take_back(singleton_class, name, kept) if equal?(owner)
        end
        owner.private_class_method :method_added, :singleton_method_added
      end

      def take_back(part, name, kept)
        file = part.instance_method(name).source_location&.first
        method = kept[part][name]
        return unless method && file && of_gem?(file)

        part.__send__(:remove_method, name)
        part.define_method(name, method)
        raise LoadError, "#{file} of the gem connection_pool was loaded where libpool/connection_pool has its place; " \
                         'a program uses one of them: leave out what loads this file, or the require of the other'
      end

      private

      def version_alone?(pool)
        pool.is_a?(Class) && pool.constants == [:VERSION] && pool.instance_methods(false).empty?
      end

      def origin
        file, = Object.const_source_location(:ConnectionPool, false)
        " (#{file})" if file
      end

      def methods_of(part)
        names = part.instance_methods(false) + part.private_instance_methods(false)
        names.to_h { |name| [name, part.instance_method(name)] }
      end

      def of_gem?(file)
        folder = file[FILE_OF_GEM, 1]
        folder && !file.start_with?(HERE) && File.exist?("#{folder}/connection_pool/version.rb")
      end
    end
  end
  private_constant :Guard
end
