# SPDX-License-Identifier: MIT
# pool.pc for the installed library, and uninstalled/pool-uninstalled.pc for the one in the build folder: pkg-config
# takes the latter when asked for pool, if that folder is in PKG_CONFIG_PATH.

# A relative folder hangs on the prefix, and the prefix on where pool.pc lies, so that the installed tree can be moved;
# an absolute one is taken as it is.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    set(PC_${folder} "${CMAKE_INSTALL_${folder}}")
  else()
    set(PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
configure_file(pkgconfig/pool.pc.in pool.pc @ONLY)

# Drivers with functions of their own, for programs that link with them.
set(POOL_DRIVER_PC_FILES "")
foreach(driver ${POOL_DRIVER_NAMES})
  get_target_property(headers pool_${driver} POOL_HEADERS)
  if(headers)
    get_target_property(requires pool_${driver} POOL_REQUIRES)
    list(JOIN requires " " PC_REQUIRES)
    configure_file(pkgconfig/pool-driver.pc.in pool-${driver}.pc @ONLY)
    list(APPEND POOL_DRIVER_PC_FILES ${PROJECT_BINARY_DIR}/pool-${driver}.pc)
  endif()
endforeach()

# Go keeps what it has compiled by flags, and does not look at headers elsewhere: so their contents are in the flags.
file(GLOB headers CONFIGURE_DEPENDS abi/pool/*.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
set(contents "")
foreach(header ${headers})
  file(SHA256 ${header} hash)
  string(APPEND contents ${hash})
endforeach()
string(SHA256 POOL_HEADERS_HASH ${contents})
configure_file(pkgconfig/pool-uninstalled.pc.in uninstalled/pool-uninstalled.pc @ONLY)
