# SPDX-License-Identifier: MIT
# The drivers: each is built where the library that it needs is found, and left out with a message elsewhere.

set(POOL_DRIVER_BUILD_FOLDER ${PROJECT_BINARY_DIR}/drivers)

# What drivers share, and those files of the library that know no pool.
add_library(pool_driver_support STATIC src/base/near.c src/base/thread.c src/base/url.c drivers/support/address.c drivers/support/base64.c
            drivers/support/connect.c drivers/support/deadline.c drivers/support/disconnect.c drivers/support/errand.c drivers/support/failure.c
            drivers/support/json_array.c drivers/support/json_check.c drivers/support/json_text.c drivers/support/lookup.c drivers/support/members.c
            drivers/support/parameters.c drivers/support/phase.c drivers/support/sleeper.c)
target_include_directories(pool_driver_support PUBLIC drivers src abi)
target_compile_definitions(pool_driver_support PUBLIC _GNU_SOURCE DRIVER_VERSION="${PROJECT_VERSION}")
target_link_libraries(pool_driver_support PUBLIC Threads::Threads pool_warnings)
set_target_properties(pool_driver_support PROPERTIES POSITION_INDEPENDENT_CODE ON EXCLUDE_FROM_ALL ON)

# pool_driver(NAME [TITLE TEXT] [SOURCES FILE ...] [LIBRARIES LIBRARY ...] [HEADERS FILE ...] [FILES FILE ...]
# [REQUIRES MODULE ...]): the driver NAME of drivers/NAME/, and its name in POOL_DRIVER_NAMES.  With a title, such as
# "PostgreSQL servers", it has a Debian package of its own, for it brings a library along.  Headers are installed beside
# pool.h, files beside the driver.  With headers programs can link with it, by pool-NAME.pc, which requires the modules.
function(pool_driver name)
  cmake_parse_arguments(arg "" "TITLE" "SOURCES;LIBRARIES;HEADERS;FILES;REQUIRES" ${ARGN})
  list(TRANSFORM arg_SOURCES REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/drivers/${name}/\\1.c")
  add_library(pool_${name} MODULE ${arg_SOURCES})
  set_target_properties(pool_${name} PROPERTIES PREFIX "" OUTPUT_NAME pool-${name}
                        LIBRARY_OUTPUT_DIRECTORY ${POOL_DRIVER_BUILD_FOLDER})
  target_include_directories(pool_${name} PRIVATE ${PROJECT_SOURCE_DIR}/drivers/${name}/include)
  target_link_options(pool_${name} PRIVATE LINKER:-z,defs LINKER:-z,nodelete LINKER:-soname,pool-${name}.so)
  target_link_libraries(pool_${name} PRIVATE pool pool_driver_support ${arg_LIBRARIES} Threads::Threads pool_warnings)
  add_dependencies(pool_drivers pool_${name})
  set_target_properties(pool_${name} PROPERTIES POOL_TITLE "${arg_TITLE}" POOL_HEADERS "${arg_HEADERS}"
                        POOL_FILES "${arg_FILES}" POOL_REQUIRES "${arg_REQUIRES}")
  set(POOL_DRIVER_NAMES ${POOL_DRIVER_NAMES} ${name} PARENT_SCOPE)
endfunction()
add_custom_target(pool_drivers)

set(POOL_JSONRPC_SOURCES
    call connection frame inbox jsonrpc pending poller reader reply request target writer)
set(POOL_FOREIGN_SOURCES
    arena call cursor declaration description filler foreign guard integer judgement linker parser performer sequence
    sockets source term token type)
if(NOT POOL_DRIVERS)
  return()
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pool_driver(jsonrpc SOURCES ${POOL_JSONRPC_SOURCES} LIBRARIES PkgConfig::jansson)

pkg_check_modules(openssl IMPORTED_TARGET openssl>=1.1.1)
pkg_check_modules(libpq IMPORTED_TARGET libpq>=14)
if(libpq_FOUND AND openssl_FOUND)
  pool_driver(postgres TITLE "PostgreSQL servers" LIBRARIES PkgConfig::libpq PkgConfig::openssl
              SOURCES args call cancel dial exchange exit fault options poller postgres query reply session statement type
              HEADERS drivers/postgres/include/pool/postgres.h REQUIRES libpq)
else()
  message(STATUS "The driver postgres is left out: it needs libpq 14 and OpenSSL 1.1.1 or newer "
                 "(Debian: apt-get install libpq-dev libssl-dev)")
endif()

pkg_check_modules(libmariadb IMPORTED_TARGET libmariadb>=3.3)
if(libmariadb_FOUND AND openssl_FOUND)
  pool_driver(mysql TITLE "MySQL and MariaDB servers" LIBRARIES PkgConfig::libmariadb PkgConfig::openssl
              SOURCES call cancel column dial fault handshake limit mysql number options parameters progress query reply
                      row session)
else()
  message(STATUS "The driver mysql is left out: it needs libmariadb 3.3 and OpenSSL 1.1.1 or newer "
                 "(Debian: apt-get install libmariadb-dev libssl-dev)")
endif()

# Streams that may be encrypted, for the drivers that have such.
if(openssl_FOUND)
  add_library(pool_driver_wire STATIC drivers/support/servers.c drivers/support/tls.c drivers/support/wire.c)
  target_link_libraries(pool_driver_wire PUBLIC pool_driver_support PkgConfig::openssl)
  set_target_properties(pool_driver_wire PROPERTIES POSITION_INDEPENDENT_CODE ON EXCLUDE_FROM_ALL ON)
  pool_driver(tcp TITLE "sockets, by TCP and TLS" SOURCES call settings stream tcp LIBRARIES pool_driver_wire
              HEADERS drivers/tcp/include/pool/tcp.h)
  pkg_check_modules(libcurl IMPORTED_TARGET libcurl>=7.87) # whose writes by TLS raise no signal
  if(libcurl_FOUND)
    include(drivers/budget-etcd/budget-etcd.cmake)
  else()
    message(STATUS "The engine etcd of budgets is left out: it needs libcurl 7.87 or newer (Debian: apt-get install libcurl4-openssl-dev)")
  endif()
  pkg_check_modules(hiredis IMPORTED_TARGET hiredis>=0.14)
  if(hiredis_FOUND)
    pool_driver(redis TITLE "Redis servers"
                SOURCES arguments batch call cleanse exchange format later login redis render session settings stream
                        surface traces
                LIBRARIES pool_driver_wire PkgConfig::hiredis
                HEADERS drivers/redis/include/pool/redis.h REQUIRES hiredis)
    include(drivers/budget-redis/budget-redis.cmake)
  else()
    message(STATUS "The driver redis is left out: it needs hiredis 0.14 or newer (Debian: apt-get install libhiredis-dev)")
  endif()
else()
  message(STATUS "The drivers tcp and redis are left out: they need OpenSSL 1.1.1 or newer (Debian: apt-get install libssl-dev)")
endif()

pkg_check_modules(libffi IMPORTED_TARGET libffi)
if(libffi_FOUND)
  file(GLOB descriptions CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/drivers/foreign/descriptions/*.pool)
  pool_driver(foreign TITLE "C libraries that a text describes" LIBRARIES PkgConfig::libffi ${CMAKE_DL_LIBS}
              SOURCES ${POOL_FOREIGN_SOURCES} FILES ${descriptions})
  target_compile_definitions(pool_foreign PRIVATE FOREIGN_FFI_VERSION="${libffi_VERSION}")
  foreach(description ${descriptions}) # beside the driver, as when they are installed
    cmake_path(GET description FILENAME file)
    configure_file(${description} ${POOL_DRIVER_BUILD_FOLDER}/${file} COPYONLY)
  endforeach()
else()
  message(STATUS "The driver foreign is left out: it needs libffi (Debian: apt-get install libffi-dev)")
endif()
