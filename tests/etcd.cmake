# SPDX-License-Identifier: MIT
# The tests of the engine `etcd` of budgets, with a server of their own.
if(NOT TARGET pool_budget_etcd)
  message(STATUS "The tests of the engine etcd of budgets are left out, as the engine is")
  return()
endif()
find_program(POOL_ETCD etcd)
if(NOT POOL_ETCD)
  message(FATAL_ERROR "The tests of the engine etcd of budgets need etcd (Debian: apt-get install etcd-server)")
endif()

add_executable(budget_etcd_test budget/engine.c budget/engines_test.c budget/etcd_test.c drivers/etcd_server.c drivers/impostor.c drivers/proxy.c drivers/server.c
               ${PROJECT_SOURCE_DIR}/drivers/budget-etcd/http.c ${PROJECT_SOURCE_DIR}/drivers/budget-etcd/gateway.c
               ${PROJECT_SOURCE_DIR}/drivers/budget-etcd/place.c)
target_link_libraries(budget_etcd_test PRIVATE pool_test_support pool pool_driver_wire PkgConfig::jansson PkgConfig::libcurl
                      -L${POOL_DRIVER_BUILD_FOLDER} -l:pool-budget-etcd.so)
set_target_properties(budget_etcd_test PROPERTIES BUILD_RPATH ${POOL_DRIVER_BUILD_FOLDER})
add_dependencies(budget_etcd_test pool_budget_etcd)
add_test(NAME budget.etcd COMMAND budget_etcd_test)
set_tests_properties(budget.etcd PROPERTIES LABELS drivers TIMEOUT 300
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")

# The engine's own objects, with allocations that fail.
add_executable(budget_etcd_memory_test budget/etcd_memory_test.c drivers/impostor.c $<TARGET_OBJECTS:pool_budget_etcd>)
target_link_libraries(budget_etcd_memory_test PRIVATE pool_test_support pool_test_memory pool pool_driver_wire PkgConfig::jansson
                      PkgConfig::libcurl)
add_test(NAME budget.etcd.memory COMMAND budget_etcd_memory_test)
set_tests_properties(budget.etcd.memory PROPERTIES LABELS drivers TIMEOUT 120)

add_executable(budget_etcd_exit_test budget/etcd_exit_test.c $<TARGET_OBJECTS:pool_budget_etcd>)
target_link_libraries(budget_etcd_exit_test PRIVATE pool_driver_wire pool pool_warnings PkgConfig::jansson PkgConfig::libcurl)
add_test(NAME budget.etcd.exit COMMAND budget_etcd_exit_test)
set_tests_properties(budget.etcd.exit PROPERTIES LABELS drivers TIMEOUT 120)
