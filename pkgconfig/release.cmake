# SPDX-License-Identifier: MIT
# How everything is compiled for others to use: hardened, and to the same bytes in whichever folder.
include(CheckLinkerFlag)
include(CheckPIESupported)

option(POOL_HARDENING "Compile and link with the protections that Debian uses (in optimized builds)" ON)
set(optimized $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)

if(POOL_HARDENING)
  check_c_compiler_flag(-fcf-protection POOL_HAS_CF_PROTECTION)
  add_compile_options($<${optimized}:-fstack-protector-strong>)
  if(POOL_HAS_CF_PROTECTION)
    add_compile_options($<${optimized}:-fcf-protection>)
  endif()
  # A distribution that asks for more in its flags gets more; glibc warns when nothing is optimized.
  if(NOT CMAKE_C_FLAGS MATCHES "_FORTIFY_SOURCE")
    add_compile_options($<${optimized}:-U_FORTIFY_SOURCE> $<${optimized}:-D_FORTIFY_SOURCE=2>)
  endif()
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
  endif()
  # A linker marks as protected by endbr64 and the shadow stack what was compiled so throughout, which the system's
  # crti.o is not everywhere.  What it has, _init and _fini, does nothing for a library and is not called here, so that
  # the mark is true.
  if(POOL_HAS_CF_PROTECTION AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(marks LINKER:-z,ibt,-z,shstk,-init=none,-fini=none)
    check_linker_flag(C ${marks} POOL_HAS_CF_MARKS)
    if(POOL_HAS_CF_MARKS)
      set(a_program $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)
      add_link_options($<$<AND:${optimized},$<NOT:${a_program}>>:${marks}>)
    endif()
  endif()
  if(PROJECT_IS_TOP_LEVEL)
    check_pie_supported(LANGUAGES C)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  endif()
endif()

# The names of the folders stay out of __FILE__, of what debuggers read and of where a program looks for libraries, and
# times and users out of archives.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
check_c_compiler_flag(-ffile-prefix-map=/a=b POOL_HAS_PREFIX_MAP)
if(POOL_HAS_PREFIX_MAP)
  add_compile_options($<${optimized}:-ffile-prefix-map=${PROJECT_BINARY_DIR}=build>
                      $<${optimized}:-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.>)
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_C_ARCHIVE_APPEND "<CMAKE_AR> qD <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
endif()
