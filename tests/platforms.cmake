# SPDX-License-Identifier: MIT
# Other platforms: the library is built for each with its own folder, and a short program is run there.  A program for
# another processor runs under qemu.  Those that ./tools/test has no time for are in ./tools/nightly.
set(platforms aarch64 armhf riscv64 s390x i686.time64 musl)
foreach(platform ${platforms})
  add_test(NAME platforms.${platform} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/platforms/run.sh ${PROJECT_SOURCE_DIR}
                                              ${CMAKE_CURRENT_BINARY_DIR}/platforms/${platform} ${platform})
  set_tests_properties(platforms.${platform} PROPERTIES LABELS platforms TIMEOUT 900 PROCESSORS 2)
endforeach()
