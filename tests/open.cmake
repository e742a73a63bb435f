# SPDX-License-Identifier: MIT
# Pools by URL, and drivers that the test copies to where they are looked for: none of them needs the library.
set(opened_folder ${CMAKE_CURRENT_BINARY_DIR}/opened)

# opened_driver(NAME [DEFINITION ...])
function(opened_driver name)
  string(REPLACE "-" "_" entry ${name})
  add_library(opened_${entry} MODULE api/opened.c)
  target_compile_definitions(opened_${entry} PRIVATE NAME=${entry} ${ARGN})
  target_link_libraries(opened_${entry} PRIVATE pool_headers)
  set_target_properties(opened_${entry} PROPERTIES PREFIX "" OUTPUT_NAME pool-${name} SKIP_BUILD_RPATH ON
                        LIBRARY_OUTPUT_DIRECTORY ${opened_folder})
endfunction()

opened_driver(rec "SCHEMES=\"rec rec-tls rec+tls recorder\"")
opened_driver(rec-tls)
opened_driver(foreign)
opened_driver(old ANSWER=POOL_E_UNSUPPORTED)
opened_driver(poor ANSWER=POOL_E_NOMEM)
opened_driver(lacking NEEDS_ANOTHER)

# A library that the driver `lacking` does not find when it is loaded, for no path leads there.
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/another.c CONTENT
     "int another_library(void);\n__attribute__((visibility(\"default\"))) int another_library(void) { return 0; }\n")
add_library(open_needed SHARED ${CMAKE_CURRENT_BINARY_DIR}/another.c)
target_link_libraries(opened_lacking PRIVATE open_needed)

pool_test(api/open LABELS drivers LIBRARIES pool_test_memory -Wl,--wrap=free)
foreach(program ${made_programs})
  target_compile_definitions(${program} PRIVATE OPENED_FOLDER="${opened_folder}")
  add_dependencies(${program} opened_rec opened_rec_tls opened_foreign opened_old opened_poor opened_lacking)
endforeach()
