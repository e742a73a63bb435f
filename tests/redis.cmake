# SPDX-License-Identifier: MIT
# The tests of the drivers tcp and redis, with real servers that each test starts for itself.
foreach(driver tcp redis)
  if(NOT TARGET pool_${driver})
    message(STATUS "The tests of the driver ${driver} are left out, as the driver is")
    continue()
  endif()
  add_executable(${driver}_test drivers/${driver}_test.c drivers/opened.c drivers/peer_fake.c drivers/phases.c drivers/proxy.c
                 drivers/redis_server.c drivers/server.c)
  target_include_directories(${driver}_test PRIVATE ${PROJECT_SOURCE_DIR}/drivers/${driver}/include)
  target_link_libraries(${driver}_test PRIVATE pool_test_support pool -L${POOL_DRIVER_BUILD_FOLDER} -l:pool-${driver}.so)
  set_target_properties(${driver}_test PROPERTIES BUILD_RPATH ${POOL_DRIVER_BUILD_FOLDER})
  add_dependencies(${driver}_test pool_${driver})
  add_test(NAME ${driver} COMMAND ${driver}_test)
  set_tests_properties(${driver} PROPERTIES LABELS drivers TIMEOUT 300
                       ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER};${POOL_CTL_PATH}")
endforeach()
if(TARGET pool_redis)
  target_link_libraries(redis_test PRIVATE PkgConfig::hiredis)
endif()
