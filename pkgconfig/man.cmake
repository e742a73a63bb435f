# SPDX-License-Identifier: MIT
# Manual pages from the headers: Doxygen reads them, man.rb writes a page for each function and type.
find_program(POOL_DOXYGEN doxygen)
find_program(POOL_RUBY_FOR_MAN ruby)
set(can_make_man OFF)
if(POOL_DOXYGEN AND POOL_RUBY_FOR_MAN)
  execute_process(COMMAND ${POOL_RUBY_FOR_MAN} -r rexml/document -e "" RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(can_make_man ON)
  endif()
endif()
option(POOL_MAN "Make and install manual pages (needs doxygen, and ruby with rexml)" ${can_make_man})
if(NOT POOL_MAN)
  message(STATUS "No manual pages: POOL_MAN is off (they need doxygen, and ruby with rexml)")
  return()
elseif(NOT can_make_man)
  message(FATAL_ERROR "POOL_MAN needs doxygen, and ruby with rexml (Debian: apt-get install doxygen ruby)")
endif()

set(man_folder ${PROJECT_BINARY_DIR}/man)
file(MAKE_DIRECTORY ${man_folder})
set(warnings_are_errors NO) # another Doxygen may warn about something else
if(POOL_DEVELOPER)
  set(warnings_are_errors YES)
endif()
configure_file(pkgconfig/Doxyfile.in ${man_folder}/Doxyfile @ONLY)
file(GLOB headers CONFIGURE_DEPENDS abi/pool/*.h)
file(GLOB examples CONFIGURE_DEPENDS examples/*.c)
add_custom_command(OUTPUT ${man_folder}/man3/libpool.3
  DEPENDS ${headers} ${examples} pkgconfig/man.rb pkgconfig/sections.sed ${man_folder}/Doxyfile
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${man_folder}/xml ${man_folder}/man3
  COMMAND ${POOL_DOXYGEN} ${man_folder}/Doxyfile
  COMMAND ${POOL_RUBY_FOR_MAN} ${PROJECT_SOURCE_DIR}/pkgconfig/man.rb ${man_folder}/xml ${man_folder}/man3 ${PROJECT_SOURCE_DIR}/examples
  COMMENT "Writing manual pages" VERBATIM)
add_custom_target(man ALL DEPENDS ${man_folder}/man3/libpool.3)
install(DIRECTORY ${man_folder}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT development)
