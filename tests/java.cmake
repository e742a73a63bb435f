# SPDX-License-Identifier: MIT
# The tests of the Java binding, with JUnit 5 as Debian has it.
find_program(POOL_JAVA_COMMAND java HINTS ${JAVA_HOME}/bin $ENV{JAVA_HOME}/bin REQUIRED)
find_program(POOL_JAVAC_COMMAND javac HINTS ${JAVA_HOME}/bin $ENV{JAVA_HOME}/bin REQUIRED)
find_file(POOL_JUNIT junit-platform-console.jar PATHS /usr/share/java)
find_file(POOL_JUPITER junit-jupiter-engine.jar PATHS /usr/share/java)
find_file(POOL_POSTGRESQL_JDBC postgresql.jar PATHS /usr/share/java)
find_file(POOL_MARIADB_JDBC mariadb-java-client.jar PATHS /usr/share/java)
find_file(POOL_SQLITE_JDBC sqlite-jdbc.jar PATHS /usr/share/java)
find_path(POOL_SQLITE_JNI libsqlitejdbc.so PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/jni /usr/lib/jni)
find_file(POOL_H2 h2.jar PATHS /usr/share/java)
find_program(POOL_MARIADBD mariadbd HINTS /usr/sbin)
find_file(POOL_GSON gson.jar PATHS /usr/share/java)
if(NOT POOL_GSON)
  message(FATAL_ERROR "The tests of the Java binding need Gson (Debian: apt-get install libgoogle-gson-java)")
endif()
if(NOT POOL_JUNIT OR NOT POOL_JUPITER)
  message(FATAL_ERROR "The tests of the Java binding need JUnit 5 (Debian: apt-get install junit5)")
endif()
if(NOT POOL_POSTGRESQL_JDBC)
  message(FATAL_ERROR "The tests of the Java binding need PostgreSQL's JDBC driver and a server "
                      "(Debian: apt-get install libpostgresql-jdbc-java postgresql)")
endif()
if(NOT POOL_MARIADB_JDBC OR NOT POOL_SQLITE_JDBC OR NOT POOL_SQLITE_JNI OR NOT POOL_H2 OR NOT POOL_MARIADBD)
  message(FATAL_ERROR "The tests of the Java binding need H2 and the JDBC drivers of MariaDB and SQLite, and MariaDB "
                      "(Debian: apt-get install libh2-java libmariadb-java libxerial-sqlite-jdbc-java mariadb-server)")
endif()

set(class_folder ${CMAKE_CURRENT_BINARY_DIR}/java)
set(class_path ${POOL_JAR}:${class_folder}:${POOL_JUNIT}:${POOL_JUPITER}:${POOL_POSTGRESQL_JDBC}:${POOL_GSON})
string(APPEND class_path :${POOL_MARIADB_JDBC}:${POOL_SQLITE_JDBC}:${POOL_H2})
get_property(native_sources TARGET pool_jar PROPERTY POOL_NATIVE_SOURCES)
get_property(jspecify TARGET pool_jar PROPERTY POOL_JSPECIFY)
string(APPEND class_path :${jspecify})
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/java/*.java)
set(compiled ${CMAKE_CURRENT_BINARY_DIR}/java.compiled)
add_custom_command(
  OUTPUT ${compiled}
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${class_folder}
  COMMAND ${POOL_JAVAC_COMMAND} ${POOL_JAVA_BRIEFLY} --release 17 -encoding UTF-8 -Xlint:all,-try,-classfile,-path -Werror -proc:none
          -d ${class_folder} -cp ${class_path} ${sources}
  COMMAND ${CMAKE_COMMAND} -E touch ${compiled}
  DEPENDS ${sources} ${POOL_JAR}
  VERBATIM)
add_custom_target(java_tests ALL DEPENDS ${compiled})
add_dependencies(java_tests pool_jar)

# One JVM for each class, which is told not to optimize where it ends before that pays.  What -Xcheck:jni finds it only
# prints.  POOL_FIRST is put before the class path.
function(add_java_test name java class)
  add_test(NAME java.${name}
           COMMAND ${java} -Xcheck:jni -ea -Xmx256m -Dlibpool.scenarios=${CMAKE_CURRENT_SOURCE_DIR}/scenarios.json
                   -Dlibpool.arith=$<TARGET_FILE:arith_server> -Dlibpool.poolctl=$<TARGET_FILE:poolctl>
                   -Djava.library.path=${POOL_SQLITE_JNI}
                   -Dlibpool.native.sources=${native_sources} -Dlibpool.docs=${PROJECT_SOURCE_DIR}/docs -Dlibpool.examples=${PROJECT_SOURCE_DIR}/examples/java ${ARGN} -cp "${POOL_FIRST}${class_path}" org.junit.platform.console.ConsoleLauncher --disable-banner
                   --fail-if-no-tests --details=tree --select-class libpool.${class})
  set_tests_properties(java.${name} PROPERTIES LABELS java TIMEOUT 300
                       FAIL_REGULAR_EXPRESSION "WARNING in native method;FATAL ERROR in native method")
endfunction()
foreach(source ${sources})
  get_filename_component(class ${source} NAME_WE)
  if(class MATCHES "Test$")
    string(REGEX REPLACE "Test$" "" name ${class})
    string(TOLOWER ${name} name)
    set(quickly -XX:TieredStopAtLevel=1)
    if(name MATCHES "^(get|scenarios|storm)$") # they run long enough for all of the compiler, and show what it reorders
      set(quickly "")
    endif()
    add_java_test(${name} ${POOL_JAVA_COMMAND} ${class} ${quickly})
  endif()
endforeach()

# A data source where the JDK has neither JMX nor its flight recorder, and there is none of the optional libraries.
add_java_test(bare.limited ${POOL_JAVA_COMMAND} BareTest -Dlibpool.bare=true -XX:TieredStopAtLevel=1
              --limit-modules java.sql,java.naming,jdk.zipfs)

# The optional classes, with what Spring Boot brings: Spring, Micrometer, and the version of OpenTelemetry that it knows.
# Maven gets that once.  Version 3 with this Java, and 4 with the newest that there is.
file(GLOB optional_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/java/optional/*.java)
get_property(classes TARGET pool_jar PROPERTY POOL_CLASSES)
set(boots 3.5.7 4.0.7)
foreach(boot ${boots})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/java-optional/${boot})
  add_custom_command(
    OUTPUT ${folder}.fetched
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/java/optional/fetch ${boot} ${folder}/jars
    COMMAND ${CMAKE_COMMAND} -E touch ${folder}.fetched
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/java/optional/fetch ${CMAKE_CURRENT_SOURCE_DIR}/java/optional/pom.xml
    VERBATIM)
  add_custom_command(
    OUTPUT ${folder}.compiled
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${folder}/classes
    COMMAND ${POOL_JAVAC_COMMAND} ${POOL_JAVA_BRIEFLY} --release 17 -encoding UTF-8 -Xlint:all,-try,-classfile,-path -Werror -proc:none
            -d ${folder}/classes -cp "${class_path}:${folder}/jars/*" ${optional_sources}
    COMMAND ${CMAKE_COMMAND} -E touch ${folder}.compiled
    DEPENDS ${optional_sources} ${folder}.fetched ${compiled}
    VERBATIM)
  list(APPEND optional_compiled ${folder}.compiled)
  add_test(NAME java.declared.${boot}
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/java/optional/same ${POOL_JAVAC_COMMAND} ${POOL_JAR} ${classes}
                   ${PROJECT_SOURCE_DIR}/bindings/java ${folder}/jars)
  set_tests_properties(java.declared.${boot} PROPERTIES LABELS java TIMEOUT 300)
endforeach()
add_custom_target(java_optional_tests ALL DEPENDS ${optional_compiled})
add_dependencies(java_optional_tests java_tests)

function(add_optional_test boot suffix java)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/java-optional/${boot})
  set(POOL_FIRST "${folder}/classes:${folder}/jars/*:") # before Debian's older version of what they log with
  foreach(source ${optional_sources})
    get_filename_component(class ${source} NAME_WE)
    string(REGEX REPLACE "Test$" "" name ${class})
    string(TOLOWER ${name} name)
    add_java_test(${name}${suffix} ${java} ${class} -XX:TieredStopAtLevel=1 ${ARGN})
  endforeach()
endfunction()
list(GET boots 0 boot)
add_optional_test(${boot} "" ${POOL_JAVA_COMMAND})

# The common cases once more with virtual threads, which are as old as Java 21.  The number of processors bounds the
# threads that the JVM itself has.
if(NOT POOL_NEWER_JAVA)
  file(GLOB releases $ENV{JAVA_HOME}/release /usr/lib/jvm/*/release)
  foreach(release ${releases})
    file(STRINGS ${release} version REGEX "^JAVA_VERSION=")
    string(REGEX MATCH "[0-9]+" version "${version}")
    cmake_path(GET release PARENT_PATH home)
    if(version GREATER_EQUAL 21 AND EXISTS ${home}/bin/java)
      set(POOL_NEWER_JAVA ${home}/bin/java CACHE FILEPATH "A Java with virtual threads, for the tests" FORCE)
    endif()
  endforeach()
endif()
if(POOL_NEWER_JAVA)
  add_java_test(scenarios.virtual ${POOL_NEWER_JAVA} ScenariosTest -Dlibpool.virtual=true
                --enable-native-access=ALL-UNNAMED -XX:ActiveProcessorCount=4)
  set_property(TEST java.scenarios.virtual APPEND PROPERTY FAIL_REGULAR_EXPRESSION "WARNING: ")
  add_java_test(pinned.newer ${POOL_NEWER_JAVA} PinnedTest -Dlibpool.virtual=true --enable-native-access=ALL-UNNAMED
                -Djdk.virtualThreadScheduler.parallelism=1 -Djdk.virtualThreadScheduler.maxPoolSize=1)
  # The jar's delegates are those of the JDBC of its release; here that of a newer Java is asked of them.
  add_java_test(delegate.newer ${POOL_NEWER_JAVA} DelegateTest --enable-native-access=ALL-UNNAMED)
  # Where threads are virtual, and what they share was not needed yet when the stack ends.
  add_java_test(get.newer ${POOL_NEWER_JAVA} GetTest --enable-native-access=ALL-UNNAMED)
  add_java_test(view.newer ${POOL_NEWER_JAVA} ViewTest --enable-native-access=ALL-UNNAMED)
  add_java_test(stale.newer ${POOL_NEWER_JAVA} StaleTest --enable-native-access=ALL-UNNAMED)
  list(GET boots 1 boot)
  add_optional_test(${boot} .newer ${POOL_NEWER_JAVA} --enable-native-access=ALL-UNNAMED)
else()
  message(STATUS "Virtual threads are not tested: there is no Java from 21 on (set POOL_NEWER_JAVA to its java)")
endif()

# The example, as its page says to run it; and once more where there is no temporary folder, so that the library is
# found by java.library.path.
get_property(native_folder TARGET pool_jar PROPERTY POOL_NATIVE_FOLDER)
set(example ${PROJECT_SOURCE_DIR}/examples/java/Names.java)
add_test(NAME java.example COMMAND ${POOL_JAVA_COMMAND} -Xcheck:jni -cp ${POOL_JAR} ${example})
add_test(NAME java.path COMMAND ${POOL_JAVA_COMMAND} -Xcheck:jni -Djava.io.tmpdir=/nowhere
         -Djava.library.path=${native_folder} -cp ${POOL_JAR} ${example})
add_test(NAME java.relative COMMAND ${POOL_JAVA_COMMAND} -Xcheck:jni -Djava.io.tmpdir=. -cp ${POOL_JAR} ${example})
set_tests_properties(java.example java.path java.relative PROPERTIES LABELS java TIMEOUT 300
                     PASS_REGULAR_EXPRESSION "^java: 20 clients served by 3 connections\n$")

add_test(NAME java.example.tenants COMMAND ${POOL_JAVA_COMMAND} -Xcheck:jni -cp ${POOL_JAR}
                                           ${PROJECT_SOURCE_DIR}/examples/java/Tenants.java)
set_tests_properties(java.example.tenants PROPERTIES LABELS java TIMEOUT 300
                     PASS_REGULAR_EXPRESSION "^tenants: 50 keys, at most 4 connections\n$")

# What the jar of tools/package has for other systems, not optimized.  That of aarch64 with musl is tried by tools/package
# alone, which fetches that C library.
find_program(POOL_MUSL_GCC musl-gcc)
find_program(POOL_ARM_GCC aarch64-linux-gnu-gcc)
if(POOL_MUSL_GCC AND POOL_ARM_GCC)
  set(natives ${CMAKE_CURRENT_BINARY_DIR}/natives)
  foreach(system linux-aarch64 linux-x86_64-musl)
    add_test(NAME java.natives.${system}
             COMMAND sh -c "'${PROJECT_SOURCE_DIR}/bindings/java/natives' '${natives}/${system}' '${natives}/native' ${system} &&
                            '${CMAKE_CURRENT_SOURCE_DIR}/packaging/java_natives.sh' '${PROJECT_SOURCE_DIR}' \
                              '${natives}/load' '${natives}/native' ${system}")
    set_tests_properties(java.natives.${system} PROPERTIES LABELS "java;packaging" TIMEOUT 600 ENVIRONMENT NATIVES_LEVEL=-O0)
  endforeach()
else()
  message(STATUS "The jar's libraries for other systems are not tested: musl-gcc or aarch64-linux-gnu-gcc is missing")
endif()

# What docs/java.md shows compiles.
add_test(NAME java.page COMMAND ${POOL_JAVAC_COMMAND} ${POOL_JAVA_BRIEFLY} --release 17 -Xlint:all -Werror -d ${CMAKE_CURRENT_BINARY_DIR}/java.page
         -cp ${POOL_JAR} ${PROJECT_SOURCE_DIR}/examples/java/Guide.java)
set_tests_properties(java.page PROPERTIES LABELS java TIMEOUT 300)

# The jar from a Maven repository, in a scratch folder, with every Java that there is.
get_property(pom TARGET pool_jar PROPERTY POOL_POM)
add_test(NAME java.install
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packaging/java.sh ${POOL_JAR} ${pom} ${PROJECT_SOURCE_DIR}/examples/java
                 $<TARGET_FILE:arith_server> ${POOL_JAVAC_COMMAND} ${POOL_JAVA_COMMAND} ${POOL_NEWER_JAVA})
set_tests_properties(java.install PROPERTIES LABELS "java;packaging" TIMEOUT 300)
