# SPDX-License-Identifier: MIT
# The tables of the guide say what the rows of src/ say.
set_target_properties(pool_rows PROPERTIES EXCLUDE_FROM_ALL OFF)
add_test(NAME rows COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/rows.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:pool_rows>)
set_tests_properties(rows PROPERTIES LABELS unit TIMEOUT 300)
