# SPDX-License-Identifier: MIT
# The test counts what is allocated.
pool_test(base/histogram INSIDE)
foreach(program ${made_programs})
  target_link_options(${program} PRIVATE LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc)
endforeach()
