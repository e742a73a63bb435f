# SPDX-License-Identifier: MIT
# Mistakes made on purpose, each of which a test must see.
if(CMAKE_GENERATOR STREQUAL "Ninja" AND POOL_PARK STREQUAL "futex" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_test(NAME mutants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants/run.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                ${CMAKE_C_COMPILER})
  add_test(NAME mutants.texts COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants/run.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                      ${CMAKE_C_COMPILER} --texts)
  set_tests_properties(mutants mutants.texts PROPERTIES LABELS mutants TIMEOUT 3600)
  set_tests_properties(mutants PROPERTIES PROCESSORS 2)
endif()
