# SPDX-License-Identifier: MIT
# The contract: what is promised in abi/ is what the library does, also for those who were compiled long ago, load it
# while they run, or have no compiler.
include(CheckSymbolExists)
set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/abi)
add_test(NAME abi.symbols COMMAND ${scripts}/symbols.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:pool>)
add_test(NAME abi.archive COMMAND ${scripts}/archive.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:pool_static>)
set_tests_properties(abi.symbols abi.archive PROPERTIES LABELS abi TIMEOUT 300)
if(NOT POOL_SANITIZER) # they read, and compile with flags of their own
  add_test(NAME abi.headers COMMAND ${scripts}/headers.sh ${PROJECT_SOURCE_DIR} gcc clang)
  add_test(NAME abi.docs COMMAND ${scripts}/docs.sh ${PROJECT_SOURCE_DIR})
  add_test(NAME abi.structs COMMAND ${scripts}/structs.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
  add_test(NAME abi.signatures COMMAND ${scripts}/signatures.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
  add_test(NAME abi.frozen COMMAND ${scripts}/frozen.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
  set_tests_properties(abi.docs abi.frozen abi.headers abi.signatures abi.structs PROPERTIES LABELS abi TIMEOUT 300)
endif()

# Types can be compared where the library says what they are: it does when it was built for debugging.
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT POOL_SANITIZER)
  add_test(NAME abi.abidiff COMMAND ${scripts}/abidiff.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:pool>)
  set_tests_properties(abi.abidiff PROPERTIES LABELS abi TIMEOUT 300)
endif()

# abi_test(NAME TARGET ARGUMENT ...)
function(abi_test name program)
  add_test(NAME ${name} COMMAND ${program} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS abi TIMEOUT 300)
endfunction()

# Not linked with libpool: programs and plugins that know its headers only.
add_library(pool_headers INTERFACE)
target_include_directories(pool_headers INTERFACE ${PROJECT_SOURCE_DIR}/abi ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(pool_headers INTERFACE _GNU_SOURCE)
target_link_libraries(pool_headers INTERFACE PkgConfig::cmocka Threads::Threads ${CMAKE_DL_LIBS} pool_warnings)

add_library(plugin_linked MODULE abi/plugin.c)
target_link_libraries(plugin_linked PRIVATE pool_headers pool)
add_library(plugin_loading MODULE abi/plugin.c)
target_link_libraries(plugin_loading PRIVATE pool_headers)
target_compile_definitions(plugin_loading PRIVATE PLUGIN_LOADS="$<TARGET_SONAME_FILE_NAME:pool>")
set_target_properties(plugin_linked plugin_loading PROPERTIES C_VISIBILITY_PRESET default
                      BUILD_RPATH $<TARGET_FILE_DIR:pool>)
add_dependencies(plugin_loading pool)
add_executable(dlopen_test api/dlopen_test.c)
target_link_libraries(dlopen_test PRIVATE pool_headers)
abi_test(abi.dlopen dlopen_test $<TARGET_FILE:pool> $<TARGET_FILE:plugin_linked> $<TARGET_FILE:plugin_loading>)
set_property(TEST abi.dlopen APPEND PROPERTY ENVIRONMENT TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/abi/tsan.supp)

# With a copy of the library of its own, whose functions are visible to what it loads.
add_executable(copies_test api/copies_test.c)
set_target_properties(copies_test PROPERTIES ENABLE_EXPORTS ON)
target_link_libraries(copies_test PRIVATE pool_test_support pool_static)
abi_test(abi.copies copies_test $<TARGET_FILE:pool>)

# ---- a library that takes little before it is used; a sanitizer takes all the address space itself ----

if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
  add_executable(footprint_test slot/footprint_test.c)
  target_link_libraries(footprint_test PRIVATE pool_headers)
  abi_test(abi.footprint footprint_test $<TARGET_FILE:pool>)
endif()

# An allocator of its own, which a sanitizer has already, on the C library whose loader asks the program's for memory.
check_symbol_exists(__GLIBC__ features.h POOL_HAS_GLIBC)
if(POOL_HAS_GLIBC AND NOT POOL_SANITIZER)
  add_executable(tls_test base/tls_test.c)
  target_link_libraries(tls_test PRIVATE pool_headers)
  set_target_properties(tls_test PROPERTIES C_VISIBILITY_PRESET default) # the C library shall find the allocator
  abi_test(abi.tls tls_test $<TARGET_FILE:pool>)
  # And with what keeps copies of errors in vector registers when it is optimized.
  add_library(pool_optimized SHARED $<FILTER:$<TARGET_OBJECTS:pool_objects>,EXCLUDE,/error\\.c\\.o$> ../src/base/error.c)
  target_include_directories(pool_optimized PRIVATE $<TARGET_PROPERTY:pool_objects,INCLUDE_DIRECTORIES>)
  target_compile_definitions(pool_optimized PRIVATE $<TARGET_PROPERTY:pool_objects,COMPILE_DEFINITIONS>)
  target_compile_options(pool_optimized PRIVATE $<TARGET_PROPERTY:pool_objects,COMPILE_OPTIONS> -O3)
  target_link_libraries(pool_optimized PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  abi_test(abi.tls.optimized tls_test $<TARGET_FILE:pool_optimized>)
endif()

# ---- who was compiled long ago: a folder for each release, whose caller and driver know its headers only ----

file(GLOB releases CONFIGURE_DEPENDS LIST_DIRECTORIES true ${CMAKE_CURRENT_SOURCE_DIR}/compat/*)
foreach(folder ${releases})
  cmake_path(GET folder FILENAME release)
  set(caller compat_caller_${release})
  set(driver compat_driver_${release})
  add_executable(${caller} ${folder}/caller.c)
  add_library(${driver} MODULE ${folder}/driver.c)
  foreach(target ${caller} ${driver})
    target_include_directories(${target} PRIVATE ${folder})
    # By its file: the target would bring today's headers along.
    target_link_libraries(${target} PRIVATE $<TARGET_LINKER_FILE:pool> pool_warnings)
    add_dependencies(${target} pool)
  endforeach()
  set_target_properties(${driver} PROPERTIES PREFIX "" OUTPUT_NAME pool-frozen
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/compat/${release})
  set_target_properties(${caller} ${driver} PROPERTIES BUILD_RPATH $<TARGET_FILE_DIR:pool>)
  abi_test(abi.caller.${release} ${caller} frozen)
  set_tests_properties(abi.caller.${release} PROPERTIES ENVIRONMENT POOL_DRIVER_PATH=$<TARGET_FILE_DIR:${driver}>)
endforeach()

# ---- another library with the names of this one: a made one, and libsolv ----

add_library(namesake SHARED api/namesake.c)
target_include_directories(namesake PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
set_target_properties(namesake PROPERTIES C_VISIBILITY_PRESET default)
add_executable(namesake_test api/namesake_test.c)
target_link_libraries(namesake_test PRIVATE pool_headers namesake)
set(namesake_tests namesake_test)
pkg_check_modules(libsolv IMPORTED_TARGET libsolv)
if(libsolv_FOUND)
  add_executable(libsolv_test api/namesake_test.c)
  target_compile_definitions(libsolv_test PRIVATE HAS_LIBSOLV)
  target_link_libraries(libsolv_test PRIVATE pool_headers PkgConfig::libsolv)
  list(APPEND namesake_tests libsolv_test)
endif()
foreach(program ${namesake_tests})
  string(REPLACE _test "" name ${program})
  abi_test(abi.${name} ${program} $<TARGET_FILE:pool>)
  set_tests_properties(abi.${name} PROPERTIES ENVIRONMENT POOL_DRIVER_PATH=$<TARGET_FILE_DIR:${driver}>)
endforeach()

# ---- structs of any size ----

pool_test(base/sized INSIDE LABELS abi SOURCES abi/signature.c ARGUMENTS ${PROJECT_SOURCE_DIR}/abi/signatures.txt)
set_tests_properties(${made_tests} PROPERTIES ENVIRONMENT POOL_DRIVER_PATH=$<TARGET_FILE_DIR:compat_driver_1.0>)
foreach(program ${made_programs})
  add_dependencies(${program} compat_driver_1.0)
endforeach()

# ---- who has no compiler ----

pkg_check_modules(ffi REQUIRED IMPORTED_TARGET libffi)
add_executable(ffi_test api/ffi_test.c abi/foreign.c abi/signature.c)
target_link_libraries(ffi_test PRIVATE pool_headers PkgConfig::ffi)
add_dependencies(ffi_test compat_driver_1.0)
abi_test(abi.ffi ffi_test $<TARGET_FILE:pool> ${PROJECT_SOURCE_DIR}/abi/signatures.txt)
# It asks for more memory than there is, which sanitizers take for an error unless they are told.
set(patience allocator_may_return_null=1)
set(runtime ${CMAKE_CURRENT_BINARY_DIR}/runtime)
file(MAKE_DIRECTORY ${runtime})
set_tests_properties(abi.ffi PROPERTIES ENVIRONMENT
  "XDG_RUNTIME_DIR=${runtime};POOL_DRIVER_PATH=$<TARGET_FILE_DIR:compat_driver_1.0>;ASAN_OPTIONS=${patience};TSAN_OPTIONS=${patience}")

# ---- the tests of these tests: mistakes are made, and must be seen.  One build of all is enough for that ----

if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT POOL_SANITIZER)
  # The test of sized structs as a program that finds its library when it starts, so that it can be given another.
  add_executable(sized_test.shared base/sized_test.c abi/signature.c ${PROJECT_SOURCE_DIR}/src/base/sized.c)
  target_include_directories(sized_test.shared PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(sized_test.shared PRIVATE pool_test_support pool)
  add_test(NAME abi.guards COMMAND ${scripts}/guards.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER} $<TARGET_FILE:pool>
           $<TARGET_FILE:pool_static>)
  add_test(NAME abi.mutants COMMAND ${scripts}/mutants.sh ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER}
           $<TARGET_FILE:pool_inside> ${CMAKE_CURRENT_BINARY_DIR} $<TARGET_FILE_DIR:compat_driver_1.0>)
  set_tests_properties(abi.guards abi.mutants PROPERTIES LABELS abi TIMEOUT 900)
endif()
