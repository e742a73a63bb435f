# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Builds the extension with the C library inside, or with --with-system-libpool on the one that pkg-config knows.
require 'mkmf'

have_func('rb_fiber_scheduler_current', 'ruby/fiber/scheduler.h') || abort('Ruby 3.1 or newer is needed')
$defs << '-D_GNU_SOURCE'
append_cflags(['-std=gnu11', '-fno-strict-aliasing', '-fvisibility=hidden', '-Wno-declaration-after-statement'])

if with_config('system-libpool')
  pkg_config('pool') || abort('pkg-config does not know pool; is the C library installed?')
else
  core = File.join(__dir__, 'core')
  parks = Dir.children(core).grep(/\Abase_park_.*\.c\z/)
  others = parks - [RUBY_PLATFORM.include?('linux') ? 'base_park_futex.c' : 'base_park_pthread.c']
  $srcs = Dir.children(__dir__).grep(/\.c\z/) + (Dir.children(core).grep(/\.c\z/) - others)
  $VPATH << '$(srcdir)/core'
  $INCFLAGS << ' -I$(srcdir)/core'
  $defs << '-DPOOL_STATIC' << "-DPOOL_DRIVER_FOLDER='\"/usr/lib/pool\"'"
end
create_makefile('libpool/native')
