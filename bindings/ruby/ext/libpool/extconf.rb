# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Builds the extension with the C library inside, or with --with-system-libpool on the one that pkg-config knows.
if RUBY_ENGINE == 'jruby'
  abort 'libpool for Ruby is written in C, which JRuby cannot load; from JRuby use the Java binding, libpool.jar'
end
require 'mkmf'

have_func('rb_fiber_scheduler_current', 'ruby/fiber/scheduler.h') || abort('Ruby 3.1 or newer is needed')
$defs << '-D_GNU_SOURCE'
append_cflags(['-std=gnu11', '-fno-strict-aliasing', '-fvisibility=hidden', '-Wno-declaration-after-statement'])

# In a checkout of the repository, as Bundler has it for `git:`, the sources are laid out first.
sources = __dir__
stage = File.expand_path('../../stage', __dir__)
if File.exist?(stage)
  system(stage, 'staged') || abort('the sources could not be laid out, see above')
  sources = File.expand_path('staged/ext/libpool')
  $VPATH << sources
  $INCFLAGS << " -I'#{sources}'"
end

$srcs = Dir.children(sources).grep(/\.c\z/)
if with_config('system-libpool')
  pkg_config('pool') || abort('pkg-config does not know pool; is the C library installed?')
else
  core = File.join(sources, 'core')
  parks = Dir.children(core).grep(/\Abase_park_.*\.c\z/)
  others = parks - [RUBY_PLATFORM.include?('linux') ? 'base_park_futex.c' : 'base_park_pthread.c']
  $srcs += Dir.children(core).grep(/\.c\z/) - others
  $VPATH << core
  $INCFLAGS << " -I'#{core}'"
  $defs << '-DPOOL_STATIC' << "-DPOOL_DRIVER_FOLDER='\"/usr/lib/pool\"'"
end
create_makefile('libpool/native')
