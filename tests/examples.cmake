# SPDX-License-Identifier: MIT
# The examples of event loops say what they should.  (The demo has a test of its own.)
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
