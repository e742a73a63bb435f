# SPDX-License-Identifier: MIT
# The pages: links lead somewhere, code and facts are true, cited messages exist, the language is plain, recipes are accepted.
find_program(POOL_RUBY_FOR_DOCS ruby)
if(NOT POOL_RUBY_FOR_DOCS)
  message(FATAL_ERROR "The tests of the pages need Ruby (Debian: apt-get install ruby)")
endif()
pool_test(docs/recipes LABELS docs ARGUMENTS ${PROJECT_SOURCE_DIR}/docs)
if(POOL_SANITIZER OR NOT POOL_DRIVERS) # they read, and the programs that they run are tested elsewhere
  return()
endif()

set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/docs)
foreach(name links messages texts facts comments figures plain)
  add_test(NAME docs.${name} COMMAND ${POOL_RUBY_FOR_DOCS} -w ${scripts}/${name}.rb ${PROJECT_SOURCE_DIR})
endforeach()
add_test(NAME docs.blocks COMMAND ${POOL_RUBY_FOR_DOCS} -w ${scripts}/blocks.rb ${PROJECT_SOURCE_DIR}
                                  $<TARGET_FILE_DIR:tcp> ${CMAKE_C_COMPILER})
add_test(NAME docs.commands COMMAND ${scripts}/commands.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
add_test(NAME docs.guards COMMAND ${scripts}/guards.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE_DIR:tcp> ${CMAKE_C_COMPILER})
set_tests_properties(docs.links docs.messages docs.texts docs.facts docs.comments docs.figures docs.plain docs.blocks docs.commands docs.guards
                     PROPERTIES LABELS docs TIMEOUT 600)
set_tests_properties(docs.commands PROPERTIES PROCESSORS 2 TIMEOUT 1200) # it builds the library as it is shipped
