# SPDX-License-Identifier: MIT
# What ./tools/test leaves to ./tools/nightly, for it takes long and seldom fails.
set(nightly
    abi.guards abi.mutants docs.guards layers.guards mutants packaging.guards # the tests of the tests
    packaging.again packaging.reproducible # packages are the same bytes from two builds
    platforms.aarch64 platforms.armhf platforms.riscv64 go.32bit # much like those that ./tools/test tries
    ruby.bundler fork_storm.portable) # ruby.gem and fork_storm have most of them
if(POOL_SANITIZER) # the servers take most of the time, and the parts of a fleet have tests of their own
  list(APPEND nightly fleet.host fleet.host.faults fleet.redis fleet.redis.faults fleet.etcd fleet.etcd.faults)
endif()
if(POOL_SANITIZER STREQUAL "tsan")
  list(APPEND nightly mysql overdue) # which have next to no threads of their own
endif()
foreach(test ${nightly})
  if(TEST ${test})
    set_property(TEST ${test} APPEND PROPERTY LABELS nightly)
  endif()
endforeach()
