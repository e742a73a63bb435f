// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The page says of each public method of HikariCP what has become of it. */
class HikariTest {
  /** The properties that HikariConfig 7.1.0 has, with setters and getters. */
  private static final List<String> PROPERTIES =
      List.of(
          "catalog", "connectionTimeout", "idleTimeout", "leakDetectionThreshold", "maxLifetime", "maximumPoolSize",
          "minimumIdle", "password", "username", "credentials", "validationTimeout", "connectionTestQuery",
          "connectionInitSql", "dataSource", "dataSourceClassName", "dataSourceJNDI", "dataSourceProperties",
          "driverClassName", "jdbcUrl", "autoCommit", "allowPoolSuspension", "initializationFailTimeout",
          "isolateInternalQueries", "metricsTrackerFactory", "metricRegistry", "healthCheckRegistry",
          "healthCheckProperties", "keepaliveTime", "readOnly", "registerMbeans", "poolName", "scheduledExecutor",
          "transactionIsolation", "schema", "credentialsProviderClassName", "credentialsProvider",
          "exceptionOverrideClassName", "exceptionOverride", "threadFactory");

  private static final List<String> METHODS =
      List.of(
          "getConnection", "getLogWriter", "setLogWriter", "setLoginTimeout", "getLoginTimeout", "getParentLogger",
          "unwrap", "isWrapperFor", "isRunning", "isClosed", "evictConnection", "close", "getHikariPoolMXBean",
          "getHikariConfigMXBean", "addDataSourceProperty", "copyStateTo", "validate", "getIdleConnections",
          "getActiveConnections", "getTotalConnections", "getThreadsAwaitingConnection", "softEvictConnections",
          "suspendPool", "resumePool");

  @Test
  void defaultsAreThose() {
    try (var source = new PooledDataSource()) {
      assertEquals(30_000, source.getConnectionTimeout());
      assertEquals(5_000, source.getValidationTimeout());
      assertEquals(600_000, source.getIdleTimeout());
      assertEquals(1_800_000, source.getMaxLifetime());
      assertEquals(120_000, source.getKeepaliveTime());
      assertEquals(0, source.getLeakDetectionThreshold());
      assertEquals(1, source.getInitializationFailTimeout());
      assertEquals(10, source.getMaximumPoolSize());
      assertEquals(-1, source.getMinimumIdle());
      assertTrue(source.isAutoCommit());
      assertFalse(source.isReadOnly() || source.isAllowPoolSuspension() || source.isRegisterMbeans());
    }
  }

  private static Set<String> ours() {
    return Arrays.stream(PooledDataSource.class.getMethods()).map(Method::getName).collect(Collectors.toSet());
  }

  private static String setter(String property) {
    return "set" + property.substring(0, 1).toUpperCase(Locale.ROOT) + property.substring(1);
  }

  @Test
  void whatIsNotHereHasAReasonOnThePage() throws Exception {
    String page = Files.readString(Path.of(System.getProperty("libpool.docs"), "java.md"));
    String table = page.substring(page.indexOf("### For those who come from HikariCP"));
    Set<String> missing = new TreeSet<>();
    for (String property : PROPERTIES) {
      if (!ours().contains(setter(property)) && !table.contains("`" + property + "`")) {
        missing.add(property);
      }
    }
    for (String method : METHODS) {
      if (!ours().contains(method) && !table.contains("`" + method + "`")) {
        missing.add(method);
      }
    }
    assertEquals(Set.of(), missing);
  }
}
