# SPDX-License-Identifier: MIT
# The engine `etcd` of budgets, with the ledger's own rules.
set(sources bell book engine gateway http place roll store)
list(TRANSFORM sources REPLACE "(.+)" "drivers/budget-etcd/\\1.c")
add_library(pool_budget_etcd MODULE ${sources} src/base/ledger.c src/base/share.c)
set_target_properties(pool_budget_etcd PROPERTIES PREFIX "" OUTPUT_NAME pool-budget-etcd
                      LIBRARY_OUTPUT_DIRECTORY ${POOL_DRIVER_BUILD_FOLDER})
target_link_options(pool_budget_etcd PRIVATE LINKER:-z,defs LINKER:-z,nodelete LINKER:-soname,pool-budget-etcd.so)
target_link_libraries(pool_budget_etcd PRIVATE pool_driver_wire pool PkgConfig::jansson PkgConfig::libcurl Threads::Threads pool_warnings)
add_dependencies(pool_drivers pool_budget_etcd)
