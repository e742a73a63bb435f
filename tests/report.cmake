# SPDX-License-Identifier: MIT
# The tests of pool_report(): each format is read by somebody else's parser, in a locale whose decimals have a comma.
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
find_program(POOL_LOCALEDEF localedef)
find_program(POOL_PROMTOOL promtool)
if(NOT POOL_LOCALEDEF OR NOT EXISTS /usr/share/i18n/locales/de_DE)
  message(FATAL_ERROR "The tests of pool_report need a locale's source (Debian: apt-get install locales)")
endif()
if(NOT POOL_PROMTOOL)
  message(FATAL_ERROR "The tests of pool_report need promtool (Debian: apt-get install prometheus)")
endif()

set(locales ${CMAKE_CURRENT_BINARY_DIR}/locales)
file(MAKE_DIRECTORY ${locales})
add_test(NAME report.locale COMMAND ${POOL_LOCALEDEF} -i de_DE -f UTF-8 ${locales}/de_DE.UTF-8)
set_tests_properties(report.locale PROPERTIES FIXTURES_SETUP locale LABELS unit)

pool_test(api/report INSIDE LIBRARIES PkgConfig::jansson)
set_tests_properties(${made_tests} PROPERTIES FIXTURES_REQUIRED locale ENVIRONMENT LOCPATH=${locales})

add_executable(report_metrics api/report_metrics.c)
target_include_directories(report_metrics PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(report_metrics PRIVATE pool_test_support pool_inside)
add_test(NAME report.promtool
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/report_promtool.sh $<TARGET_FILE:report_metrics> ${POOL_PROMTOOL})
set_tests_properties(report.promtool PROPERTIES LABELS unit TIMEOUT 300)


add_executable(dashboard api/dashboard.c)
target_link_libraries(dashboard PRIVATE PkgConfig::jansson)
add_test(NAME monitoring COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/monitoring.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:report_metrics>
                                 $<TARGET_FILE:dashboard> ${POOL_PROMTOOL})
set_tests_properties(monitoring PROPERTIES LABELS unit TIMEOUT 300)
