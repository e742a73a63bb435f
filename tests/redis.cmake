# SPDX-License-Identifier: MIT
# The tests of the drivers tcp and redis, with real servers that each test starts for itself.
foreach(driver tcp redis)
  if(NOT TARGET pool_${driver})
    message(STATUS "The tests of the driver ${driver} are left out, as the driver is")
    continue()
  endif()
  add_executable(${driver}_test drivers/${driver}_test.c drivers/holder.c drivers/opened.c drivers/peer_fake.c drivers/phases.c drivers/proxy.c
                 drivers/redis_server.c drivers/server.c)
  target_include_directories(${driver}_test PRIVATE ${PROJECT_SOURCE_DIR}/drivers/${driver}/include)
  target_link_libraries(${driver}_test PRIVATE pool_test_support pool -L${POOL_DRIVER_BUILD_FOLDER} -l:pool-${driver}.so)
  set_target_properties(${driver}_test PROPERTIES BUILD_RPATH ${POOL_DRIVER_BUILD_FOLDER})
  add_dependencies(${driver}_test pool_${driver})
  add_test(NAME ${driver} COMMAND ${driver}_test)
  set_tests_properties(${driver} PROPERTIES LABELS drivers TIMEOUT 300
                       ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER};${POOL_CTL_PATH}")
endforeach()
if(TARGET pool_tcp)
  target_link_libraries(tcp_test PRIVATE PkgConfig::openssl)
endif()
if(TARGET pool_redis)
  target_link_libraries(redis_test PRIVATE PkgConfig::hiredis)
endif()

# The engine `redis` of budgets, beside the ledger in C, whose rules it has.
if(TARGET pool_budget_redis)
  add_executable(budget_redis_test budget/engine.c budget/engines_test.c budget/redis_test.c drivers/impostor.c drivers/proxy.c drivers/redis_server.c drivers/server.c
                 ${PROJECT_SOURCE_DIR}/src/base/ledger.c ${PROJECT_SOURCE_DIR}/src/base/share.c)
  target_include_directories(budget_redis_test PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(budget_redis_test PRIVATE pool_test_support pool PkgConfig::hiredis
                        -L${POOL_DRIVER_BUILD_FOLDER} -l:pool-budget-redis.so)
  set_target_properties(budget_redis_test PROPERTIES BUILD_RPATH ${POOL_DRIVER_BUILD_FOLDER})
  add_dependencies(budget_redis_test pool_budget_redis)
  add_test(NAME budget.redis COMMAND budget_redis_test)
  set_tests_properties(budget.redis PROPERTIES LABELS drivers TIMEOUT 300
                       ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")

  # The engine's own objects, with allocations that fail.
  add_executable(budget_redis_memory_test budget/redis_memory_test.c drivers/redis_server.c drivers/server.c
                                          $<TARGET_OBJECTS:pool_budget_redis>)
  target_link_libraries(budget_redis_memory_test PRIVATE pool_test_support pool_test_memory pool_driver_wire pool
                                                         PkgConfig::hiredis)
  add_test(NAME budget.redis.memory COMMAND budget_redis_memory_test)
  set_tests_properties(budget.redis.memory PROPERTIES LABELS drivers TIMEOUT 300)
endif()
