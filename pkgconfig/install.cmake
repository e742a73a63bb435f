# SPDX-License-Identifier: MIT
# What is installed, in components: runtime, drivers, driver_NAME for one with a package of its own, budget_etcd, development and doc.
install(TARGETS pool EXPORT pool LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
        NAMELINK_COMPONENT development)
install(TARGETS pool_static EXPORT pool ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
foreach(driver ${POOL_DRIVER_NAMES})
  get_target_property(title pool_${driver} POOL_TITLE)
  get_target_property(headers pool_${driver} POOL_HEADERS)
  get_target_property(files pool_${driver} POOL_FILES)
  set(component drivers)
  if(title)
    set(component driver_${driver})
  endif()
  install(TARGETS pool_${driver} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/pool COMPONENT ${component})
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pool COMPONENT development)
  install(FILES ${files} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pool COMPONENT ${component})
endforeach()
if(TARGET pool_budget_redis)
  install(TARGETS pool_budget_redis LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/pool COMPONENT driver_redis)
endif()
if(TARGET pool_budget_etcd)
  install(TARGETS pool_budget_etcd LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/pool COMPONENT budget_etcd)
endif()
install(DIRECTORY abi/pool DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN *.h)
install(FILES ${PROJECT_BINARY_DIR}/pool.pc ${POOL_DRIVER_PC_FILES} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pool)
configure_package_config_file(pkgconfig/pool-config.cmake.in pool-config.cmake INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(pool-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pool-config.cmake ${PROJECT_BINARY_DIR}/pool-config-version.cmake
        DESTINATION ${config_folder} COMPONENT development)
install(EXPORT pool NAMESPACE pool:: FILE pool-targets.cmake DESTINATION ${config_folder} COMPONENT development)
# find_package() also finds the library that is not installed: pool_DIR is the build folder then.
export(EXPORT pool NAMESPACE pool:: FILE ${PROJECT_BINARY_DIR}/pool-targets.cmake)

# Beside each other as they are here, for they have links to each other.
install(FILES README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT doc)
install(FILES abi/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/abi COMPONENT doc)
install(FILES src/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/src COMPONENT doc)
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT doc
        FILES_MATCHING REGEX "\\.(md|svg|yml|json|[ch]|go|mod|java|rb)$")
