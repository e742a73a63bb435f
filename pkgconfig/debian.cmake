# SPDX-License-Identifier: MIT
# cpack -G DEB: libpool1 (the library), libpool-drivers, libpool-NAME for each driver that brings a library along,
# libpool-budget-etcd, poolctl, libpool-dev and libpool-doc.  The drivers have a package of their own because the names of
# their files have no number in them: libpool1 and a libpool2 must fit on one system.
set(POOL_PACKAGE_MAINTAINER "The libpool authors <maintainers@libpool.example>" CACHE STRING
    "Who stands in Debian packages as their maintainer")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libpool)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_BINARY_DIR}/debian/check.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/pkgconfig/debian-stage.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SOURCE libpool)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1) # older than -1, so that Debian's own package would take its place
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${POOL_PACKAGE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL runtime development doc)
if(POOL_DRIVERS)
  list(APPEND CPACK_COMPONENTS_ALL drivers)
endif()

# pool_package(COMPONENT NAME SECTION SUMMARY TEXT)
macro(pool_package component name section summary text)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary}
libpool keeps connections open and lends them to threads: as fast as a
few machine instructions, in order of arrival, and so that a connection
which was given back can never be used by who had it before.
.
This package has ${text}")
endmacro()
pool_package(runtime libpool${POOL_ABI_VERSION} libs "thread-safe connection pool for C, Go, Java and Ruby"
             "the shared library.")
pool_package(drivers libpool-drivers libs "thread-safe connection pool - drivers for servers"
             "the drivers that come with it, for JSON-RPC servers.")
pool_package(development libpool-dev libdevel "thread-safe connection pool - files for development"
             "what programs are compiled with: headers, the static
library, files for pkg-config and CMake, and manual pages.")
pool_package(doc libpool-doc doc "thread-safe connection pool - documentation"
             "the pages and examples.")
foreach(driver ${POOL_DRIVER_NAMES})
  get_target_property(title pool_${driver} POOL_TITLE)
  if(title)
    list(APPEND CPACK_COMPONENTS_ALL driver_${driver})
    pool_package(driver_${driver} libpool-${driver} libs "thread-safe connection pool - driver for ${title}"
                 "the driver for ${title}.")
    string(TOUPPER ${driver} upper)
    set(CPACK_COMPONENT_DRIVER_${upper}_DEPENDS runtime)
    set(CPACK_DEBIAN_DRIVER_${upper}_PACKAGE_SHLIBDEPS ON)
  endif()
endforeach()
if(TARGET pool_budget_etcd)
  list(APPEND CPACK_COMPONENTS_ALL budget_etcd)
  pool_package(budget_etcd libpool-budget-etcd libs "thread-safe connection pool - budgets in etcd"
               "what keeps the budget of a fleet in etcd: one limit on
connections for many processes and machines.")
  set(CPACK_COMPONENT_BUDGET_ETCD_DEPENDS runtime)
  set(CPACK_DEBIAN_BUDGET_ETCD_PACKAGE_SHLIBDEPS ON)
endif()
if(POOL_HAS_CTL)
  list(APPEND CPACK_COMPONENTS_ALL poolctl)
  pool_package(poolctl poolctl utils "thread-safe connection pool - program for operators"
               "the program poolctl: it tries servers, measures
pools, and shows and steers those of running processes.")
  set(CPACK_COMPONENT_POOLCTL_DEPENDS runtime)
  set(CPACK_DEBIAN_POOLCTL_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_POOLCTL_PACKAGE_SUGGESTS libpool-drivers)
endif()
set(CPACK_DEBIAN_DOC_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS libpool-drivers)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS libpool-doc)
set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS runtime)
set(CPACK_COMPONENT_DRIVERS_DEPENDS runtime)

# Which packages the drivers need; libpool.so.1 itself is in the build folder.  For the runtime stage.cmake finds it
# out: cpack would add scripts that call ldconfig, which is the business of a trigger.
set(CPACK_DEBIAN_DRIVERS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})

# symbols: a program needs the release that brought the functions it uses, and that is in the name of their node.
# Before 1.0.0 there is nothing older than this version.
set(lines "libpool.so.${POOL_ABI_VERSION} libpool${POOL_ABI_VERSION} #MINVER#\n* Build-Depends-Package: libpool-dev\n")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS abi/libpool.so.${POOL_ABI_VERSION}.symbols)
file(STRINGS abi/libpool.so.${POOL_ABI_VERSION}.symbols functions)
list(TRANSFORM functions REPLACE ".*@@" "" OUTPUT_VARIABLE nodes)
list(REMOVE_DUPLICATES nodes)
list(TRANSFORM nodes REPLACE "(.+)" "\\1@@\\1")
foreach(function ${nodes} ${functions})
  string(REGEX MATCH "[0-9.]+$" release ${function})
  if(release VERSION_GREATER PROJECT_VERSION)
    set(release ${PROJECT_VERSION})
  endif()
  string(REPLACE "@@" "@" function ${function})
  string(APPEND lines " ${function} ${release}\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/debian/symbols CONTENT "${lines}" @ONLY)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/debian/shlibs @ONLY
     CONTENT "libpool ${POOL_ABI_VERSION} libpool${POOL_ABI_VERSION} (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/symbols ${PROJECT_BINARY_DIR}/debian/shlibs
                                               ${PROJECT_BINARY_DIR}/debian/triggers)

file(READ LICENSE license)
string(REGEX REPLACE "^[^\n]*\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" license "${license}")
set(POOL_COPYRIGHT ${CMAKE_MATCH_1})
string(STRIP "${license}" license)
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " POOL_LICENSE_TEXT "${license}")
configure_file(pkgconfig/debian-copyright.in debian/copyright @ONLY)
configure_file(pkgconfig/debian-triggers debian/triggers COPYONLY)
configure_file(pkgconfig/debian-check.cmake.in debian/check.cmake @ONLY)
set(CPACK_POOL_COPYRIGHT_FILE ${PROJECT_BINARY_DIR}/debian/copyright)
include(CPack)
