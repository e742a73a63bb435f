# SPDX-License-Identifier: MIT
# What users get: the installed library in each way of using it.
set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/packaging)
foreach(name install consumers)
  add_test(NAME packaging.${name} COMMAND ${scripts}/${name}.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                          ${PROJECT_VERSION} ${CMAKE_C_FLAGS})
  set_tests_properties(packaging.${name} PROPERTIES LABELS packaging TIMEOUT 300)
endforeach()
