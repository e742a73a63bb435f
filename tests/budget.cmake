# SPDX-License-Identifier: MIT
# A proof by model: spin searches every state of a ledger with its members.
find_program(POOL_SPIN spin)
if(NOT POOL_SPIN)
  message(FATAL_ERROR "The model of the ledger needs spin (Debian: apt-get install spin)")
endif()
add_test(NAME budget.model COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/budget/model.sh
                                   ${CMAKE_CURRENT_SOURCE_DIR}/budget/ledger.pml ${CMAKE_C_COMPILER})
set_tests_properties(budget.model PROPERTIES LABELS budget TIMEOUT 600)
