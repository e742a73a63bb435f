# SPDX-License-Identifier: MIT
# What users get: the installed library in each way of using it, and Debian packages.  The packages are made once for
# the tests that look at them; how this build folder was configured does not matter to them.
if(POOL_SANITIZER) # nobody installs such a build
  return()
endif()
set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/packaging)
foreach(name install consumers)
  add_test(NAME packaging.${name} COMMAND ${scripts}/${name}.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                          ${PROJECT_VERSION} ${CMAKE_C_FLAGS})
  set_tests_properties(packaging.${name} PROPERTIES LABELS packaging TIMEOUT 900)
endforeach()
set(twice ${CMAKE_CURRENT_BINARY_DIR}/twice)
set(built ${twice}/first-build)
add_test(NAME packaging.build COMMAND ${scripts}/build.sh ${PROJECT_SOURCE_DIR} ${twice} first)
add_test(NAME packaging.again COMMAND ${scripts}/build.sh ${PROJECT_SOURCE_DIR} ${twice} second)
add_test(NAME packaging.reproducible COMMAND ${scripts}/reproducible.sh ${twice})
add_test(NAME packaging.hardening COMMAND ${scripts}/hardening.sh ${built}/libpool.so ${built}/drivers/pool-jsonrpc.so
                                          ${built}/poolctl/poolctl
                                          ${built}/examples/first)
add_test(NAME packaging.man COMMAND ${scripts}/man.sh ${PROJECT_SOURCE_DIR} ${built}/man/man3)
add_test(NAME packaging.lintian COMMAND ${scripts}/lintian.sh ${twice}/first)
add_test(NAME packaging.debian COMMAND ${scripts}/debian.sh ${twice}/first ${PROJECT_SOURCE_DIR} ${PROJECT_VERSION})
add_test(NAME packaging.guards COMMAND ${scripts}/guards.sh ${PROJECT_SOURCE_DIR} ${twice} ${PROJECT_VERSION})
set(lookers packaging.debian packaging.guards packaging.hardening packaging.lintian packaging.man
            packaging.reproducible)
set_tests_properties(packaging.build PROPERTIES FIXTURES_SETUP packages PROCESSORS 2)
set_tests_properties(packaging.again PROPERTIES FIXTURES_SETUP packages_again PROCESSORS 2)
set_tests_properties(packaging.consumers PROPERTIES COST 100)
set_tests_properties(${lookers} PROPERTIES FIXTURES_REQUIRED packages)
set_tests_properties(packaging.guards packaging.reproducible PROPERTIES FIXTURES_REQUIRED "packages;packages_again")
set_tests_properties(packaging.build packaging.again ${lookers} PROPERTIES LABELS packaging TIMEOUT 900)
