// SPDX-License-Identifier: MIT
/** From Spring Boot 4 on; before that its packages are in spring.boot. */
module spring.boot.jdbc {
  requires transitive java.sql;

  exports org.springframework.boot.jdbc;
  exports org.springframework.boot.jdbc.metadata;
}
