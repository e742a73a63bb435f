# SPDX-License-Identifier: MIT
# The tests of the driver foreign: with a library made for them, and with the real ones.
if(NOT TARGET pool_foreign)
  message(STATUS "The tests of the driver foreign are left out, as the driver is")
  return()
endif()

add_library(foreign_library SHARED drivers/foreign_library.c)
set_target_properties(foreign_library PROPERTIES C_VISIBILITY_PRESET default)
target_compile_definitions(foreign_library PRIVATE _GNU_SOURCE)
target_link_libraries(foreign_library PRIVATE Threads::Threads pool_warnings)

# It is linked with the library, so that a description finds that by its name alone.
add_executable(foreign_test drivers/foreign_test.c drivers/holder.c)
target_link_libraries(foreign_test PRIVATE pool_test_support pool foreign_library)
add_dependencies(foreign_test pool_foreign)
add_test(NAME foreign COMMAND foreign_test)
set_tests_properties(foreign PROPERTIES LABELS drivers TIMEOUT 120 FIXTURES_REQUIRED locale
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER};LOCPATH=${locales}")

# The driver's own objects, with allocations that fail.
add_executable(foreign_memory_test drivers/foreign_memory_test.c $<TARGET_OBJECTS:pool_foreign>)
target_link_libraries(foreign_memory_test PRIVATE pool_test_support pool_test_memory pool pool_driver_support foreign_library
                      PkgConfig::libffi)
add_test(NAME foreign_memory COMMAND foreign_memory_test)
set_tests_properties(foreign_memory PROPERTIES LABELS drivers TIMEOUT 120)

add_executable(opener drivers/opener.c)
target_link_libraries(opener PRIVATE pool pool_warnings)
add_test(NAME foreign_docs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/drivers/foreign_docs.sh ${PROJECT_SOURCE_DIR}
                                   $<TARGET_FILE:opener>)
set_tests_properties(foreign_docs PROPERTIES LABELS drivers TIMEOUT 120
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")

# The descriptions that are installed, with the libraries and servers that they are for.
foreach(library sqlite3 libmemcached libcurl ldap libssh2)
  pkg_check_modules(described_${library} IMPORTED_TARGET ${library})
  if(NOT described_${library}_FOUND)
    message(STATUS "The test of the ready descriptions is left out: it needs ${library} and its headers")
    return()
  endif()
  list(APPEND described PkgConfig::described_${library})
endforeach()
add_executable(described_test drivers/described_test.c drivers/phases.c drivers/server.c)
target_link_libraries(described_test PRIVATE pool_test_support pool ${described})
add_dependencies(described_test pool_foreign)
add_test(NAME described COMMAND described_test)
set_tests_properties(described PROPERTIES LABELS drivers TIMEOUT 120
                     ENVIRONMENT "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER};${POOL_CTL_PATH}")
