# SPDX-License-Identifier: MIT
if(POOL_DRIVERS)
  add_test(NAME demo COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/demo_test.sh $<TARGET_FILE:demo> $<TARGET_FILE:arith_server>
                             $<TARGET_FILE:first>)
  set_tests_properties(demo PROPERTIES LABELS demo TIMEOUT 300
                       ENVIRONMENT POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>)
endif()
