# SPDX-License-Identifier: MIT
# The tests of the driver postgres, with a real server that the test starts for itself.
if(NOT TARGET pool_postgres)
  message(STATUS "The tests of the driver postgres are left out, as the driver is")
  return()
endif()

add_executable(postgres_test drivers/postgres_test.c drivers/callers.c drivers/dozer.c drivers/impostor.c drivers/opened.c
               drivers/phases.c drivers/postgres_server.c drivers/proxy.c drivers/server.c)
target_include_directories(postgres_test PRIVATE ${PROJECT_SOURCE_DIR}/drivers/postgres/include)
target_link_libraries(postgres_test PRIVATE pool_test_support pool PkgConfig::libpq
                      -L${POOL_DRIVER_BUILD_FOLDER} -l:pool-postgres.so)
set_target_properties(postgres_test PROPERTIES BUILD_RPATH ${POOL_DRIVER_BUILD_FOLDER})
add_dependencies(postgres_test pool_postgres postgres)
target_compile_definitions(postgres_test PRIVATE LEAVER="$<TARGET_FILE:leaver>")
add_dependencies(postgres_test leaver)
add_test(NAME postgres COMMAND postgres_test $<TARGET_FILE:postgres>)
set_tests_properties(postgres PROPERTIES LABELS drivers TIMEOUT 300
                     ENVIRONMENT "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_postgres>;${POOL_CTL_PATH}")
