// SPDX-License-Identifier: MIT
/**
 * A connection pool. What is {@code requires static} is optional: without it the classes that need it are of no use, and
 * all others work.
 */
module libpool {
  requires transitive java.sql;
  requires static io.opentelemetry.api;
  requires static java.management;
  requires static jdk.jfr;
  requires static micrometer.core;
  requires static org.jspecify;
  requires static spring.beans;
  requires static spring.boot;
  requires static spring.boot.autoconfigure;
  requires static spring.boot.jdbc;
  requires static spring.context;
  requires static spring.core;

  exports libpool;
  exports libpool.micrometer;
  exports libpool.opentelemetry;
  exports libpool.spring;

  opens libpool.spring; // to Spring, whose modules have other names with other versions
}
