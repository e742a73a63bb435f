# SPDX-License-Identifier: MIT
# The tests of the driver mysql, with a server of their own.
if(NOT TARGET pool_mysql)
  message(STATUS "The tests of the driver mysql are left out, as the driver is")
  return()
endif()
find_program(POOL_MARIADBD mariadbd HINTS /usr/sbin)
if(NOT POOL_MARIADBD)
  message(FATAL_ERROR "The tests of the driver mysql need MariaDB's server (Debian: apt-get install mariadb-server)")
endif()

add_executable(mysql_test drivers/mysql_test.c drivers/callers.c drivers/impostor.c drivers/mysql_server.c
               drivers/opened.c drivers/phases.c drivers/proxy.c drivers/server.c)
target_link_libraries(mysql_test PRIVATE pool_test_support pool PkgConfig::libmariadb PkgConfig::openssl)
add_dependencies(mysql_test pool_mysql)
target_compile_definitions(mysql_test PRIVATE LEAVER="$<TARGET_FILE:leaver>")
add_dependencies(mysql_test leaver)
add_test(NAME mysql COMMAND mysql_test)
set_tests_properties(mysql PROPERTIES LABELS drivers TIMEOUT 300
                     ENVIRONMENT "POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_mysql>;${POOL_CTL_PATH}")
set_property(TEST mysql APPEND PROPERTY ENVIRONMENT TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/abi/tsan.supp)
