# SPDX-License-Identifier: MIT
# The engine `redis` of budgets, beside the driver, of which it has the connections.
set(script ${PROJECT_SOURCE_DIR}/drivers/budget-redis/script.lua)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
file(READ ${script} bytes HEX)
file(SHA1 ${script} hash)
string(REGEX REPLACE "(..)" "0x\\1," bytes ${bytes})
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/budget-redis/script_text.h @ONLY
     CONTENT "static const char script_text[] = {@bytes@};\n#define SCRIPT_HASH \"@hash@\"\n")

set(sources bell engine line place roll script)
list(TRANSFORM sources REPLACE "(.+)" "drivers/budget-redis/\\1.c")
add_library(pool_budget_redis MODULE ${sources} drivers/redis/batch.c drivers/redis/login.c drivers/redis/session.c
                                     drivers/redis/settings.c drivers/redis/stream.c)
set_target_properties(pool_budget_redis PROPERTIES PREFIX "" OUTPUT_NAME pool-budget-redis
                      LIBRARY_OUTPUT_DIRECTORY ${POOL_DRIVER_BUILD_FOLDER})
target_include_directories(pool_budget_redis PRIVATE ${PROJECT_BINARY_DIR}/budget-redis)
target_link_options(pool_budget_redis PRIVATE LINKER:-z,defs LINKER:-z,nodelete LINKER:-soname,pool-budget-redis.so)
target_link_libraries(pool_budget_redis PRIVATE pool_driver_wire pool PkgConfig::hiredis Threads::Threads pool_warnings)
add_dependencies(pool_drivers pool_budget_redis)
