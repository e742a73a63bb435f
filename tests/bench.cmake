# SPDX-License-Identifier: MIT
# The program that runs all benchmarks understands its options, and its JSON has what is promised.  How fast something is no
# test says.
if(POOL_SANITIZER OR NOT POOL_DRIVERS)
  return()
endif()
add_test(NAME bench.all COMMAND ${POOL_RUBY_FOR_DOCS} -w ${CMAKE_CURRENT_SOURCE_DIR}/bench_all_test.rb ${PROJECT_SOURCE_DIR}
                                $<TARGET_FILE:bench_core>)
set_tests_properties(bench.all PROPERTIES LABELS bench TIMEOUT 120)
