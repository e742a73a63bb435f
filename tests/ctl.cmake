# SPDX-License-Identifier: MIT
# poolctl.  The test exposes pools of its own, so it is linked with the library that poolctl is linked with.
if(NOT POOL_HAS_CTL)
  message(STATUS "No tests of poolctl: it is not built")
  return()
endif()
add_library(ctl_server OBJECT ${PROJECT_SOURCE_DIR}/examples/arith_server.c)
target_link_libraries(ctl_server PRIVATE PkgConfig::jansson pool_warnings)
add_executable(poolctl_test ctl/poolctl_test.c $<TARGET_OBJECTS:ctl_server>)
target_include_directories(poolctl_test PRIVATE ${PROJECT_SOURCE_DIR}/examples)
target_link_libraries(poolctl_test PRIVATE pool_test_support pool PkgConfig::jansson util)
add_library(rude_driver MODULE ctl/rude_driver.c)
set_target_properties(rude_driver PROPERTIES PREFIX "" OUTPUT_NAME pool-rude LIBRARY_OUTPUT_DIRECTORY
                      ${CMAKE_CURRENT_BINARY_DIR}/rude)
target_link_libraries(rude_driver PRIVATE pool pool_warnings)
add_dependencies(poolctl_test poolctl pool_jsonrpc rude_driver)
if(TARGET pool_budget_redis)
  target_compile_definitions(poolctl_test PRIVATE HAS_BUDGET_REDIS)
  add_dependencies(poolctl_test pool_budget_redis)
endif()
if(NOT POOL_SANITIZER STREQUAL "tsan") # the threads are those of the library, whose own test is run/expose
  add_test(NAME ctl COMMAND poolctl_test $<TARGET_FILE:poolctl>)
  set_tests_properties(ctl PROPERTIES LABELS ctl TIMEOUT 120
                       ENVIRONMENT "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>:$<TARGET_FILE_DIR:rude_driver>")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT POOL_SANITIZER)
  add_test(NAME ctl.pages COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/ctl/pages.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:poolctl>)
  set_tests_properties(ctl.pages PROPERTIES LABELS ctl TIMEOUT 120)
endif()
