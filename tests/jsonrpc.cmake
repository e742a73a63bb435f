# SPDX-License-Identifier: MIT
# The tests of the jsonrpc driver.  The driver brings the shared library along, so these are linked with it as well: two
# libraries in one process would not know each other's leases.
if(NOT POOL_DRIVERS)
  return()
endif()

set(jsonrpc ${PROJECT_SOURCE_DIR}/drivers/jsonrpc)
add_executable(frame_test drivers/frame_test.c ${jsonrpc}/frame.c)
add_executable(driver_deadline_test drivers/deadline_test.c drivers/dozer.c)
add_executable(errand_test drivers/errand_test.c)
add_executable(lookup_test drivers/lookup_test.c)
add_executable(failure_test drivers/failure_test.c)
add_executable(json_check_test drivers/json_check_test.c)
add_executable(json_text_test drivers/json_text_test.c)
foreach(test driver_deadline errand failure frame json_check json_text lookup)
  target_link_libraries(${test}_test PRIVATE pool_test_support pool pool_driver_support PkgConfig::jansson)
  add_test(NAME ${test} COMMAND ${test}_test)
endforeach()

add_executable(jsonrpc_test drivers/jsonrpc_test.c drivers/holder.c)
target_link_libraries(jsonrpc_test PRIVATE pool_test_support pool)
add_dependencies(jsonrpc_test pool_jsonrpc)
add_test(NAME jsonrpc COMMAND jsonrpc_test)

# The driver's own files, with functions of the test in place of those of the system.
list(TRANSFORM POOL_JSONRPC_SOURCES REPLACE "(.+)" "${jsonrpc}/\\1.c" OUTPUT_VARIABLE files)
foreach(file address connect deadline disconnect failure json_check lookup phase)
  list(APPEND files ${PROJECT_SOURCE_DIR}/drivers/support/${file}.c)
endforeach()
foreach(file thread url)
  list(APPEND files ${PROJECT_SOURCE_DIR}/src/base/${file}.c)
endforeach()
add_library(jsonrpc_with_faults OBJECT ${files})
target_include_directories(jsonrpc_with_faults PRIVATE ${PROJECT_SOURCE_DIR}/drivers ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(jsonrpc_with_faults PRIVATE _GNU_SOURCE DRIVER_VERSION="${PROJECT_VERSION}")
target_compile_options(jsonrpc_with_faults PRIVATE -include ${CMAKE_CURRENT_SOURCE_DIR}/drivers/jsonrpc_faults.h)
target_link_libraries(jsonrpc_with_faults PRIVATE pool PkgConfig::jansson Threads::Threads pool_warnings)
add_executable(jsonrpc_faults_test drivers/jsonrpc_faults_test.c $<TARGET_OBJECTS:jsonrpc_with_faults>)
target_link_libraries(jsonrpc_faults_test PRIVATE pool_test_support pool PkgConfig::jansson)
add_test(NAME jsonrpc_faults COMMAND jsonrpc_faults_test)

# A server in Go, built from its standard library alone; with cgo, as the tests of the Go binding compile that, too.
find_program(POOL_GO go HINTS /usr/local/go/bin)
if(NOT POOL_GO)
  message(FATAL_ERROR "The tests of the jsonrpc driver need Go 1.19 or newer (Debian: apt-get install golang-go)")
endif()
set(POOL_GO_CACHE ${CMAKE_CURRENT_BINARY_DIR}/peer/cache CACHE PATH "Where Go keeps what it has compiled")
set(peer ${CMAKE_CURRENT_BINARY_DIR}/peer/peer)
add_test(NAME peer.build COMMAND ${POOL_GO} build -o ${peer} .)
set_tests_properties(peer.build PROPERTIES
  FIXTURES_SETUP peer WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/peer LABELS drivers TIMEOUT 900 PROCESSORS 2
  ENVIRONMENT "GOCACHE=${POOL_GO_CACHE};GOFLAGS=-mod=mod;GOPROXY=off;CGO_ENABLED=1;GOTOOLCHAIN=local")

add_executable(peer_test drivers/peer_test.c)
target_link_libraries(peer_test PRIVATE pool_test_support pool)
add_dependencies(peer_test pool_jsonrpc)
add_test(NAME peer COMMAND peer_test ${peer})

add_executable(outage_test drivers/outage_test.c)
target_link_libraries(outage_test PRIVATE pool_test_support pool)
add_dependencies(outage_test pool_jsonrpc)
add_test(NAME outage COMMAND outage_test $<TARGET_FILE:arith_server>)

# Sanitizers need more stack than there is here.
if(NOT POOL_SANITIZER)
  add_executable(stack_test drivers/stack_test.c)
  target_link_libraries(stack_test PRIVATE pool_test_support pool)
  add_dependencies(stack_test pool_jsonrpc)
  add_test(NAME stack COMMAND stack_test)
  set_tests_properties(stack PROPERTIES LABELS drivers TIMEOUT 300
                       ENVIRONMENT "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>")
endif()

set_tests_properties(driver_deadline errand failure frame json_check json_text lookup jsonrpc jsonrpc_faults peer outage PROPERTIES
                     LABELS drivers TIMEOUT 600 ENVIRONMENT "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>")
set_tests_properties(peer PROPERTIES FIXTURES_REQUIRED peer)
