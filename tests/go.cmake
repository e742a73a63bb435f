# SPDX-License-Identifier: MIT
# The Go binding: vet, its tests and the cases of all languages with the race detector and with all pointers checked that C
# gets, these cases once more without, and a program in a folder of its own that uses what was installed.
find_program(POOL_GO go HINTS /usr/local/go/bin)
if(NOT POOL_GO)
  message(FATAL_ERROR "The Go binding needs Go 1.19 or newer (Debian: apt-get install golang-go)")
endif()
set(POOL_GO_CACHE ${CMAKE_CURRENT_BINARY_DIR}/peer/cache CACHE PATH "Where Go keeps what it has compiled")
# The library of this build, and not the module's own copy of its sources.
set(environment "GOCACHE=${POOL_GO_CACHE};GOFLAGS=-mod=mod -tags=pool_system;GOPROXY=off;CGO_ENABLED=1;GOTOOLCHAIN=local")

add_test(NAME go.vet COMMAND ${POOL_GO} vet ./...)
add_test(NAME go.race COMMAND ${POOL_GO} test -race -vet=off -count=1 ./internal/... ./pool ./rpcpool ./expvar)
add_test(NAME go.scenarios COMMAND ${POOL_GO} test -race -vet=off -count=1 -timeout=200s ./scenarios)
add_test(NAME go.scenarios.plain COMMAND ${POOL_GO} test -vet=off -count=1 ./scenarios)
set(in_build_folder "${environment};PKG_CONFIG_PATH=${PROJECT_BINARY_DIR}/uninstalled")
list(APPEND in_build_folder POOL_DRIVER_PATH=$<TARGET_FILE_DIR:pool_jsonrpc>
     POOL_SCENARIOS=${CMAKE_CURRENT_SOURCE_DIR}/scenarios.json)
# The check of pointers: until Go 1.21 this was a matter of running, and since then of building, for which Go's own packages
# are compiled anew.  So what has the race detector has both, and they are compiled once for it.
execute_process(COMMAND ${CMAKE_COMMAND} -E env GOEXPERIMENT=cgocheck2 ${POOL_GO} version
                RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
if(refused)
  set(check_pointers GODEBUG=cgocheck=2)
else()
  set(check_pointers GOEXPERIMENT=cgocheck2)
endif()
set_tests_properties(go.vet go.race go.scenarios go.scenarios.plain PROPERTIES
  LABELS go TIMEOUT 900 WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/go ENVIRONMENT "${in_build_folder}")
# A module of its own, for it needs others, which tools/test has fetched.
execute_process(COMMAND ${POOL_GO} env GOVERSION OUTPUT_VARIABLE version)
if(version MATCHES "^go1\\.1[0-9]\\.")
  message(STATUS "Go is too old for the collector for Prometheus, which is not tested")
else()
  add_test(NAME go.prometheus COMMAND ${POOL_GO} test -race -count=1 ./...)
  set_tests_properties(go.prometheus PROPERTIES LABELS go TIMEOUT 900
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/go/prometheus ENVIRONMENT "${in_build_folder}")
endif()
# The stand-in for puddle; then puddle's own tests and pgxpool's, which Go's module proxy has.
add_executable(postgres_run drivers/postgres_run.c drivers/postgres_server.c drivers/server.c)
target_compile_definitions(postgres_run PRIVATE _GNU_SOURCE)
add_test(NAME go.puddle COMMAND ${POOL_GO} test -race -count=1 .)
set_tests_properties(go.puddle PROPERTIES LABELS go TIMEOUT 900 WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/go/puddle
                     ENVIRONMENT "${in_build_folder}")
set(with_proxy ${in_build_folder})
list(REMOVE_ITEM with_proxy GOPROXY=off)
foreach(theirs puddle pgxpool)
  add_test(NAME go.theirs.${theirs} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/puddle/run.sh ${theirs} ${PROJECT_SOURCE_DIR}
                                            ${PROJECT_BINARY_DIR} ${POOL_GO} $<TARGET_FILE:postgres_run>)
  set_tests_properties(go.theirs.${theirs} PROPERTIES LABELS go TIMEOUT 900 ENVIRONMENT "${with_proxy}")
endforeach()
add_test(NAME go.install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/go.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                 ${POOL_GO})
# The library inside: as programs get it from a module proxy, and on a processor of 32 bits.
add_test(NAME go.module COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/go_module.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                ${PROJECT_VERSION} ${POOL_GO})
add_test(NAME go.32bit COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/go_32bit.sh ${PROJECT_BINARY_DIR}/go ${POOL_GO})
set_tests_properties(go.install go.module go.32bit PROPERTIES LABELS "go;packaging" TIMEOUT 900 ENVIRONMENT "${environment}")

# Go's own packages are compiled once for those that use them: by peer.build, and by go.race for the race detector.  Two
# that ran at a time would both compile them.  What takes longest begins first.
set_tests_properties(go.race go.vet PROPERTIES DEPENDS peer.build)
set_tests_properties(go.install go.scenarios.plain go.theirs.pgxpool PROPERTIES DEPENDS go.vet)
set_tests_properties(go.scenarios go.module go.puddle go.theirs.puddle PROPERTIES DEPENDS go.race)
set_tests_properties(go.race go.vet go.scenarios go.module go.32bit go.puddle go.theirs.puddle go.theirs.pgxpool
                     PROPERTIES PROCESSORS 2)
set_tests_properties(go.module go.32bit PROPERTIES COST 100)
if(TEST go.prometheus)
  set_tests_properties(go.prometheus PROPERTIES DEPENDS go.race PROCESSORS 2)
endif()
foreach(test go.race go.scenarios go.prometheus go.puddle go.theirs.puddle go.module)
  if(TEST ${test})
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ${check_pointers})
  endif()
endforeach()
