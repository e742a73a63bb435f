# SPDX-License-Identifier: MIT
# The Go binding: vet, its tests with the race detector, and a program in a folder of its own that uses what was
# installed.
find_program(POOL_GO go HINTS /usr/local/go/bin)
if(NOT POOL_GO)
  message(FATAL_ERROR "The Go binding needs Go 1.19 or newer (Debian: apt-get install golang-go)")
endif()
set(POOL_GO_CACHE ${CMAKE_CURRENT_BINARY_DIR}/peer/cache CACHE PATH "Where Go keeps what it has compiled")
set(environment "GOCACHE=${POOL_GO_CACHE};GOFLAGS=-mod=mod;GOPROXY=off;CGO_ENABLED=1;GOTOOLCHAIN=local")

# What SWIG writes turns a number into a pointer; what people write does not import unsafe at all.
add_test(NAME go.vet COMMAND ${POOL_GO} vet -unsafeptr=false ./...)
add_test(NAME go.race COMMAND ${POOL_GO} test -race -count=1 ./...)
set_tests_properties(go.vet go.race PROPERTIES
  LABELS go TIMEOUT 900 WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/go
  ENVIRONMENT "${environment};PKG_CONFIG_PATH=${PROJECT_BINARY_DIR}/uninstalled")
add_test(NAME go.install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/go.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                                 ${POOL_GO})
set_tests_properties(go.install PROPERTIES LABELS "go;packaging" TIMEOUT 900 ENVIRONMENT "${environment}")
