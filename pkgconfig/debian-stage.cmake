# SPDX-License-Identifier: MIT
# Runs before cpack makes the packages of what it has installed into one folder for each: adds what Debian wants there.
cmake_policy(VERSION 3.25)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(changelog "libpool (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Built from the sources of libpool ${CPACK_PACKAGE_VERSION}.

 -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}
")

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component})
  set(share ${root}/usr/share)
  set(doc ${share}/doc/${package})
  if(component STREQUAL "doc")
    file(RENAME ${share}/doc/pool ${doc})
    file(REMOVE ${doc}/LICENSE)
    file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
    run(gzip -9n ${doc}/changelog)
    file(GLOB_RECURSE texts ${doc}/*.md)
    run(sed -i "s,CHANGELOG\\.md),changelog.gz)," ${texts})
  endif()
  file(MAKE_DIRECTORY ${doc})
  configure_file(${CPACK_POOL_COPYRIGHT_FILE} ${doc}/copyright COPYONLY)
  file(WRITE ${doc}/changelog.Debian "${changelog}")
  run(gzip -9n ${doc}/changelog.Debian)
  file(GLOB pages ${share}/man/man*/*.[13])
  if(pages)
    run(gzip -9n ${pages})
  endif()
  file(GLOB_RECURSE libraries ${root}/*.so.* ${root}/pool-*.so ${root}/usr/bin/*)
  if(libraries)
    run(strip --strip-unneeded --remove-section=.comment ${libraries})
  endif()
  file(GLOB_RECURSE archives ${root}/*.a)
  if(archives)
    run(strip --strip-debug --remove-section=.comment --enable-deterministic-archives ${archives})
  endif()
  run(chmod -R u=rwX,go=rX ${root})
  # The same bytes each time: no file is newer than the release.
  if(DEFINED ENV{SOURCE_DATE_EPOCH})
    run(find ${root} -exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} +)
  endif()
endforeach()

# Each package has a summary of its own, which cpack would put below this one.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")

# What the library needs.  dpkg-shlibdeps wants to see a source package around it.
file(WRITE ${CPACK_TEMPORARY_DIRECTORY}/debian/control "Source: libpool\n\nPackage: libpool\nArchitecture: any\n")
file(GLOB_RECURSE libraries ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/runtime/*.so.*)
execute_process(COMMAND dpkg-shlibdeps -O ${libraries} WORKING_DIRECTORY ${CPACK_TEMPORARY_DIRECTORY}
                OUTPUT_VARIABLE needed ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "^shlibs:Depends=([^\n]*)\n$" "\\1" CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "${needed}")
