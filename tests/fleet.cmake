# SPDX-License-Identifier: MIT
# Processes that share a budget, and the connections at a real PostgreSQL: with the ledger in shared memory, and in a
# real Redis.  The members are in C, and in each language whose binding is built.
if(NOT TARGET pool_postgres OR NOT TARGET pool_budget_redis)
  message(STATUS "The tests of a fleet are left out, as the driver postgres or the engine redis is")
  return()
endif()

add_executable(fleet_member budget/member.c)
target_link_libraries(fleet_member PRIVATE pool_test_tsan pool PkgConfig::libpq Threads::Threads)
set(fleet_members $<TARGET_FILE:fleet_member>)
set(fleet_folder ${CMAKE_CURRENT_BINARY_DIR}/fleet)
set(fleet_sources ${CMAKE_CURRENT_SOURCE_DIR}/budget/members)

# A program of one file: what its language needs is in the command.
function(add_fleet_script language command)
  set(script ${fleet_folder}/${language})
  file(GENERATE OUTPUT ${script} CONTENT "#!/bin/sh\nexec ${command} \"$@\"\n"
       FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  set(fleet_members ${fleet_members} ${script} PARENT_SCOPE)
endfunction()

if(POOL_RUBY_BINDING)
  add_fleet_script(ruby "${Ruby_EXECUTABLE} -w -I ${PROJECT_BINARY_DIR}/bindings/ruby -I ${PROJECT_SOURCE_DIR}/bindings/ruby/lib ${fleet_sources}/member.rb")
endif()
if(POOL_JAVA_BINDING)
  add_custom_command(
    OUTPUT ${fleet_folder}/Member.class
    COMMAND ${POOL_JAVAC_COMMAND} ${POOL_JAVA_BRIEFLY} --release 17 -encoding UTF-8 -Xlint:all,-try,-classfile,-path -Werror -proc:none -d ${fleet_folder}
            -cp ${POOL_JAR}:${jspecify} ${fleet_sources}/java/Member.java
    DEPENDS ${fleet_sources}/java/Member.java ${POOL_JAR}
    VERBATIM)
  add_custom_target(fleet_member_java ALL DEPENDS ${fleet_folder}/Member.class)
  add_dependencies(fleet_member_java pool_jar)
  add_fleet_script(java "${POOL_JAVA_COMMAND} -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp ${POOL_JAR}:${POOL_POSTGRESQL_JDBC}:${fleet_folder} Member")
endif()
if(POOL_GO_BINDING)
  set(fleet_module ${fleet_folder}/go)
  file(WRITE ${fleet_module}/go.mod "module member\n\ngo 1.19\n\nrequire libpool.example/go v0.0.0\n\n"
       "replace libpool.example/go => ${PROJECT_BINARY_DIR}/go\n")
  file(GLOB_RECURSE fleet_bound CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bindings/go/pool/*.go)
  add_custom_command(
    OUTPUT ${fleet_module}/member
    COMMAND ${CMAKE_COMMAND} -E copy ${fleet_sources}/go/member.go ${fleet_module}
    COMMAND ${CMAKE_COMMAND} -E env GOCACHE=${POOL_GO_CACHE} GOFLAGS=-tags=pool_system GOPROXY=off CGO_ENABLED=1
            GOTOOLCHAIN=local PKG_CONFIG_PATH=${PROJECT_BINARY_DIR}/uninstalled ${POOL_GO} build -o member .
    WORKING_DIRECTORY ${fleet_module}
    DEPENDS ${fleet_sources}/go/member.go ${fleet_bound} go_module pool
    VERBATIM)
  add_custom_target(fleet_member_go ALL DEPENDS ${fleet_module}/member)
  list(APPEND fleet_members ${fleet_module}/member)
endif()

# A clock that is set; no program with a sanitizer has such a library before its own.
add_library(fleet_clock MODULE budget/clock.c)
target_compile_definitions(fleet_clock PRIVATE _GNU_SOURCE)

add_library(fleet_scene OBJECT budget/census.c budget/crowd.c budget/machines.c budget/scene.c drivers/etcd_server.c
            drivers/postgres_server.c drivers/proxy.c drivers/redis_server.c drivers/server.c)
target_link_libraries(fleet_scene PUBLIC pool_test_support pool)
set(fleet_needs fleet_member fleet_clock pool_postgres pool_budget_redis)
if(TARGET pool_budget_etcd)
  list(APPEND fleet_needs pool_budget_etcd)
endif()
foreach(program fleet fleet_faults)
  add_executable(${program}_test budget/${program}_test.c)
  target_link_libraries(${program}_test PRIVATE fleet_scene)
  add_dependencies(${program}_test ${fleet_needs})
endforeach()
foreach(ledger host redis etcd)
  if(ledger STREQUAL "etcd" AND NOT TARGET pool_budget_etcd)
    continue()
  endif()
  if(NOT ledger STREQUAL "etcd")
    add_test(NAME fleet.${ledger} COMMAND fleet_test ${ledger} ${fleet_members})
    list(APPEND fleet_tests fleet.${ledger})
  endif()
  add_test(NAME fleet.${ledger}.faults COMMAND fleet_faults_test ${ledger} $<TARGET_FILE:fleet_member>)
  list(APPEND fleet_tests fleet.${ledger}.faults)
endforeach()
set(fleet_environment "POOL_DRIVER_PATH=${POOL_DRIVER_BUILD_FOLDER}")
if(NOT POOL_SANITIZER)
  list(APPEND fleet_environment FLEET_CLOCK=$<TARGET_FILE:fleet_clock>)
endif()
# The longest begin first.  The tests of the thread sanitizer run beside those of the address sanitizer, and two fleets of
# each at a time would be late with what has a time: here those of the latter come later.
set(fleet_cost 100)
if(POOL_SANITIZER STREQUAL "asan")
  set(fleet_cost 30)
endif()
set_tests_properties(${fleet_tests} PROPERTIES LABELS budget TIMEOUT 300 COST ${fleet_cost} ENVIRONMENT "${fleet_environment}")
