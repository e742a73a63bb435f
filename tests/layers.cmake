# SPDX-License-Identifier: MIT
# Which file may call which: read from the objects of the library and of the driver.
add_test(NAME layers COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/layers/layers.sh ${PROJECT_SOURCE_DIR} src
                             $<TARGET_OBJECTS:pool_objects> COMMAND_EXPAND_LISTS)
add_test(NAME layers.guards COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/layers/guards.sh ${PROJECT_SOURCE_DIR}
                                    ${CMAKE_C_COMPILER} $<TARGET_OBJECTS:pool_objects> COMMAND_EXPAND_LISTS)
set_tests_properties(layers layers.guards PROPERTIES LABELS layers)
set(below $<TARGET_OBJECTS:pool_driver_support>)
if(TARGET pool_driver_wire)
  list(APPEND below $<TARGET_OBJECTS:pool_driver_wire>)
endif()
foreach(driver ${POOL_DRIVER_NAMES})
  add_test(NAME layers.${driver} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/layers/layers.sh ${PROJECT_SOURCE_DIR} ${driver}
           ${below} $<TARGET_OBJECTS:pool_${driver}> COMMAND_EXPAND_LISTS)
  set_tests_properties(layers.${driver} PROPERTIES LABELS layers)
endforeach()
if(TARGET pool_budget_redis)
  add_test(NAME layers.budget_redis COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/layers/layers.sh ${PROJECT_SOURCE_DIR}
                                            redis/budget-redis ${below} $<TARGET_OBJECTS:pool_budget_redis>
           COMMAND_EXPAND_LISTS)
  set_tests_properties(layers.budget_redis PROPERTIES LABELS layers)
endif()
if(TARGET pool_budget_etcd)
  add_test(NAME layers.budget_etcd COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/layers/layers.sh ${PROJECT_SOURCE_DIR} budget-etcd
                                           ${below} $<TARGET_OBJECTS:pool_budget_etcd> COMMAND_EXPAND_LISTS)
  set_tests_properties(layers.budget_etcd PROPERTIES LABELS layers)
endif()
