# SPDX-License-Identifier: MIT
# How many instructions a get and a put take: counted by valgrind, which no other process disturbs.
find_program(POOL_VALGRIND valgrind)
if(NOT POOL_VALGRIND)
  message(STATUS "The instructions of get and put are not counted without valgrind (Debian: apt-get install valgrind)")
  return()
endif()
set(here ${CMAKE_CURRENT_SOURCE_DIR}/instructions)
string(TOLOWER ${CMAKE_C_COMPILER_ID} compiler)
string(REGEX MATCH "^[0-9]+" major ${CMAKE_C_COMPILER_VERSION})
set(compiler ${compiler}-${major}-${CMAKE_SYSTEM_PROCESSOR})

# The library as it is released: optimised, and without the checks of a developers' build.  Ruby and Go load it in place
# of the build's own.
get_target_property(files pool_objects SOURCES)
list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/ REGEX "^[^/]")
add_library(pool_released SHARED ${files})
target_include_directories(pool_released PRIVATE $<TARGET_PROPERTY:pool_objects,INCLUDE_DIRECTORIES>)
target_compile_definitions(pool_released PRIVATE
  $<FILTER:$<TARGET_PROPERTY:pool_objects,COMPILE_DEFINITIONS>,EXCLUDE,POOL_CONTRACTS>)
target_compile_options(pool_released PRIVATE $<TARGET_PROPERTY:pool_objects,COMPILE_OPTIONS> -O2)
target_link_libraries(pool_released PRIVATE Threads::Threads ${CMAKE_DL_LIBS})

# pool_counted(LANGUAGE TOOLCHAIN COMMAND...): the test instructions.LANGUAGE
function(pool_counted language toolchain)
  add_test(NAME instructions.${language}
    COMMAND ${here}/guard.sh ${here}/record.txt ${language} ${toolchain} 10000 ${ARGN})
  set_tests_properties(instructions.${language} PROPERTIES LABELS instructions TIMEOUT 300 SKIP_RETURN_CODE 77
                       ENVIRONMENT LD_PRELOAD=$<TARGET_FILE:pool_released>)
endfunction()

add_executable(instructions_c instructions/c.c)
target_compile_options(instructions_c PRIVATE -O2)
target_link_libraries(instructions_c PRIVATE pool_released)
target_include_directories(instructions_c PRIVATE ${PROJECT_SOURCE_DIR}/abi)
pool_counted(c ${compiler} $<TARGET_FILE:instructions_c>)
add_test(NAME instructions.sees COMMAND ${here}/sees.sh ${here}/record.txt ${compiler} $<TARGET_FILE:instructions_c>)
set_tests_properties(instructions.sees PROPERTIES LABELS instructions TIMEOUT 300)

if(POOL_JAVA_BINDING)
  add_executable(instructions_java instructions/java.c ${PROJECT_SOURCE_DIR}/bindings/java/step.c
                 ${PROJECT_SOURCE_DIR}/bindings/bell.c)
  target_compile_options(instructions_java PRIVATE -O2)
  target_compile_definitions(instructions_java PRIVATE _GNU_SOURCE)
  target_include_directories(instructions_java PRIVATE ${PROJECT_SOURCE_DIR}/abi ${PROJECT_SOURCE_DIR}/bindings)
  target_include_directories(instructions_java SYSTEM PRIVATE ${POOL_JNI_FOLDER} ${POOL_JNI_SYSTEM_FOLDER})
  target_link_libraries(instructions_java PRIVATE pool_released Threads::Threads)
  pool_counted(java ${compiler} $<TARGET_FILE:instructions_java>)
endif()

if(POOL_RUBY_BINDING)
  find_package(Ruby 3.1 REQUIRED)
  pool_counted(ruby ruby-${Ruby_VERSION_MAJOR}.${Ruby_VERSION_MINOR}-${compiler} ${Ruby_EXECUTABLE} --disable-gems
    -I${PROJECT_BINARY_DIR}/bindings/ruby -I${PROJECT_SOURCE_DIR}/bindings/ruby/lib ${here}/ruby.rb)
endif()

if(POOL_GO_BINDING)
  execute_process(COMMAND ${POOL_GO} env GOVERSION OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX MATCH "^go[0-9]+\\.[0-9]+" version "${version}")
  add_test(NAME instructions.go COMMAND ${here}/go.sh ${here}/record.txt ${version}-${compiler} 100000
                                        ${PROJECT_BINARY_DIR}/go ${POOL_GO})
  set_tests_properties(instructions.go PROPERTIES LABELS "instructions;go" TIMEOUT 300 SKIP_RETURN_CODE 77
                       ENVIRONMENT "${in_build_folder};POOL_RELEASED=$<TARGET_FILE:pool_released>")
endif()
