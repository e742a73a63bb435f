# SPDX-License-Identifier: MIT
# Fuzzers of what is read from outside as text, by clang's libFuzzer with the sanitizers: ten seconds each here, ten minutes
# each in tools/nightly.
find_program(POOL_CLANG clang)
if(NOT POOL_CLANG)
  message(FATAL_ERROR "The fuzzers need clang (Debian: apt-get install clang)")
endif()

# pool_fuzzer(NAME SEED_FOLDER... SOURCES FILE... [LIBRARIES FLAG...]): tests/fuzz/NAME_fuzz.c with these files.
function(pool_fuzzer name)
  cmake_parse_arguments(arg "" "" "SEEDS;SOURCES;LIBRARIES" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
  set(fuzzer ${folder}/${name}_fuzz)
  set(files ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_fuzz.c)
  foreach(source ${arg_SOURCES})
    list(APPEND files ${PROJECT_SOURCE_DIR}/${source})
  endforeach()
  file(GLOB headers ${PROJECT_SOURCE_DIR}/drivers/foreign/*.h ${PROJECT_SOURCE_DIR}/src/base/*.h)
  file(MAKE_DIRECTORY ${folder})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}.dict)
    configure_file(fuzz/${name}.dict ${folder}/${name}.dict COPYONLY)
  endif()
  add_custom_command(OUTPUT ${fuzzer} DEPENDS ${files} ${headers}
    COMMAND ${POOL_CLANG} -std=gnu11 -O1 -gline-tables-only -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE
            -I${PROJECT_SOURCE_DIR}/drivers -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/abi ${files} -o ${fuzzer}
            ${arg_LIBRARIES}
    COMMENT "Building the fuzzer of ${name}" VERBATIM)
  add_custom_target(fuzz_${name} ALL DEPENDS ${fuzzer})
  set(run ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/run.sh ${fuzzer})
  set(places ${folder}/${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name} ${arg_SEEDS})
  add_test(NAME fuzz.${name} COMMAND ${run} 10 ${places})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  add_custom_target(fuzz_${name}_long COMMAND ${run} 600 ${places} DEPENDS ${fuzzer} USES_TERMINAL)
endfunction()

pool_fuzzer(url SOURCES src/base/url.c)
if(NOT TARGET pool_foreign)
  return()
endif()
list(TRANSFORM POOL_FOREIGN_SOURCES REPLACE "(.+)" "drivers/foreign/\\1.c" OUTPUT_VARIABLE read)
list(FILTER read EXCLUDE REGEX "/(foreign|guard|linker|performer|sequence|sockets)\\.c$")
pool_fuzzer(description SOURCES ${read} drivers/support/failure.c drivers/support/parameters.c src/base/near.c
            src/base/url.c LIBRARIES -lffi
            SEEDS ${PROJECT_SOURCE_DIR}/drivers/foreign/descriptions)
