# SPDX-License-Identifier: MIT
# frozen_string_literal: true

if RUBY_ENGINE == 'jruby'
  raise LoadError, 'libpool for Ruby is written in C, which JRuby cannot load; from JRuby use the Java binding, ' \
                   'libpool.jar, or the gem connection_pool'
end

begin
  require 'libpool/native'
rescue LoadError => e
  raise unless e.message.start_with?('cannot load such file -- libpool/native')

  raise LoadError, "libpool's extension is not compiled: in a checkout of its repository call bindings/ruby/compile or " \
                   'bundle install, elsewhere gem pristine libpool'
end
require 'libpool/reference'
require 'libpool/background'
require 'libpool/fork'
require 'libpool/keeper'
require 'libpool/listener'
require 'libpool/event'
require 'libpool/spoiling'
require 'libpool/steering'
require 'libpool/telling'
require 'libpool/pool'
require 'libpool/group'
require 'libpool/letters'
require 'libpool/driver_pool'
require 'libpool/stats'
require 'libpool/version'

# A thread-safe connection pool, written in C.
module Libpool
  # The version of the C library that is running.
  def self.library_version
    Native.pool_version
  end

  # Shows all pools of the process to the program poolctl, those that are made later too; as POOL_EXPOSE=1 does.
  def self.expose
    Native.pool_expose_all
    ObjectSpace.each_object(Pool) { |pool| pool.__send__(:listen) }
    nil
  end
end
