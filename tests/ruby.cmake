# SPDX-License-Identifier: MIT
# The tests of the Ruby gem, with minitest and a real redis-server.
find_program(POOL_REDIS_SERVER redis-server REQUIRED)
set(folder ${PROJECT_SOURCE_DIR}/bindings/ruby)
set(ruby ${Ruby_EXECUTABLE} -w -I ${PROJECT_BINARY_DIR}/bindings/ruby -I ${folder}/lib)
foreach(subject bad_input connection_pool fiber fork interrupt memory pool redis scenarios)
  add_test(NAME ruby.${subject} COMMAND ${ruby} ${folder}/test/${subject}_test.rb)
  list(APPEND tests ruby.${subject})
endforeach()
set_tests_properties(ruby.scenarios PROPERTIES ENVIRONMENT POOL_SCENARIOS=${PROJECT_SOURCE_DIR}/tests/scenarios.json)
add_test(NAME ruby.example COMMAND ${ruby} ${PROJECT_SOURCE_DIR}/examples/ruby.rb)
set_tests_properties(ruby.example PROPERTIES PASS_REGULAR_EXPRESSION "200 visits over at most 3 connections")
add_test(NAME ruby.gem COMMAND ${folder}/test/gem_test.sh ${PROJECT_BINARY_DIR})
set_tests_properties(${tests} ruby.example ruby.gem PROPERTIES LABELS ruby TIMEOUT 300)
