# SPDX-License-Identifier: MIT
# The examples of event loops, and that of a description, say what they should.  (The demo has a test of its own.)
if(NOT POOL_DRIVERS)
  return()
endif()
if(NOT TARGET libuv)
  message(FATAL_ERROR "The tests need libuv 1.41 or newer (Debian: apt-get install libuv1-dev)")
endif()

foreach(loop epoll libuv)
  if(TARGET ${loop})
    add_test(NAME example.${loop} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:${loop}>
                                          "${loop}: 20 clients served by 3 connections")
    set_tests_properties(example.${loop} PROPERTIES LABELS demo TIMEOUT 300)
  endif()
endforeach()

add_test(NAME example.manual COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:manual>
                                     "manual: each function did what its page shows")
add_test(NAME example.step COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:step>
                                   "step: 4 leases, 1 connection opened, 1 closed")
add_test(NAME example.budget COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:budget>
                                     "budget: 2 pools share 4 connections")
add_test(NAME example.tenants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:tenants>
                                      "tenants: 50 keys, at most 4 connections")
set_tests_properties(example.manual example.step example.budget example.tenants PROPERTIES LABELS demo TIMEOUT 120
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")

if(TARGET poolctl)
  add_test(NAME example.exposed COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/exposed_test.sh $<TARGET_FILE:exposed>
                                        $<TARGET_FILE:poolctl>)
  set_tests_properties(example.exposed PROPERTIES LABELS demo TIMEOUT 120)
endif()

if(NOT POOL_SANITIZER) # of which a program that is built alone knows nothing
  add_test(NAME example.alone COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/examples_alone.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  set_tests_properties(example.alone PROPERTIES LABELS demo TIMEOUT 300)
endif()

if(NOT TARGET sqlite)
  message(STATUS "The test of the example of a description is left out: it needs SQLite and the driver foreign")
  return()
endif()
add_test(NAME example.sqlite COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/example_test.sh $<TARGET_FILE:sqlite>
                                     "sqlite: 100 rows through 2 connections, worth 700")
set_tests_properties(example.sqlite PROPERTIES LABELS demo TIMEOUT 120
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")
