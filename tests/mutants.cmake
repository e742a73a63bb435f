# SPDX-License-Identifier: MIT
# Mistakes made on purpose, each of which a test must see: a third of the list; ./tools/nightly makes them all.
if(CMAKE_GENERATOR STREQUAL "Ninja" AND POOL_PARK STREQUAL "futex" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_test(NAME mutants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants/run.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                ${CMAKE_C_COMPILER} --third 1)
  set_tests_properties(mutants PROPERTIES LABELS mutants TIMEOUT 1200 PROCESSORS 2 COST 100)
endif()
