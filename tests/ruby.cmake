# SPDX-License-Identifier: MIT
# The tests of the Ruby gem, with minitest, a real redis-server and a real PostgreSQL.
find_program(POOL_REDIS_SERVER redis-server REQUIRED)
set(folder ${PROJECT_SOURCE_DIR}/bindings/ruby)
set(ruby ${Ruby_EXECUTABLE} -w -I ${PROJECT_BINARY_DIR}/bindings/ruby -I ${folder}/lib)
foreach(subject bad_input connection_pool fiber fork full interrupt keeper leak leaving memory pg pool redis reentry scenarios
        ractor together types
        async puma sidekiq)
  add_test(NAME ruby.${subject} COMMAND ${ruby} ${folder}/test/${subject}_test.rb)
  list(APPEND tests ruby.${subject})
endforeach()
set_tests_properties(ruby.scenarios PROPERTIES ENVIRONMENT POOL_SCENARIOS=${PROJECT_SOURCE_DIR}/tests/scenarios.json)
if(POOL_DRIVERS)
  set(arith_server $<TARGET_FILE:arith_server>)
  foreach(subject driver expose)
    add_test(NAME ruby.${subject} COMMAND ${ruby} ${folder}/test/${subject}_test.rb)
    set_tests_properties(ruby.${subject} PROPERTIES ENVIRONMENT
      "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>;POOL_ARITH_SERVER=$<TARGET_FILE:arith_server>")
    list(APPEND tests ruby.${subject})
  endforeach()
endif()
add_test(NAME ruby.example COMMAND ${ruby} ${PROJECT_SOURCE_DIR}/examples/ruby.rb)
set_tests_properties(ruby.example PROPERTIES PASS_REGULAR_EXPRESSION "200 visits over at most 3 connections")
add_test(NAME ruby.gem COMMAND ${folder}/test/gem_test.sh ${PROJECT_BINARY_DIR} ${arith_server})
add_test(NAME ruby.bundler COMMAND ${folder}/test/bundler_test.sh)
set_tests_properties(${tests} ruby.example ruby.gem ruby.bundler PROPERTIES LABELS ruby TIMEOUT 900)
set_tests_properties(ruby.gem ruby.bundler PROPERTIES PROCESSORS 2 COST 100)
