// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.data.HistogramPointData;
import io.opentelemetry.sdk.metrics.data.LongPointData;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import libpool.opentelemetry.PoolTelemetry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The metrics have the names, units and values of the semantic conventions. */
class OpenTelemetryTest {
  private static final AttributeKey<String> STATE = AttributeKey.stringKey("db.client.connection.state");

  private final InMemoryMetricReader reader = InMemoryMetricReader.create();
  private final OpenTelemetrySdk sdk =
      OpenTelemetrySdk.builder()
          .setMeterProvider(SdkMeterProvider.builder().registerMetricReader(reader).build())
          .build();
  private final GatedSource database;
  private final PooledDataSource source;

  OpenTelemetryTest() throws SQLException {
    database = new GatedSource();
    source = database.pool("shop", 2);
  }

  @AfterEach
  void close() {
    database.open();
    source.close();
    sdk.close();
  }

  private MetricData metric(String name) {
    return reader.collectAllMetrics().stream()
        .filter(metric -> metric.getName().equals("db.client.connection." + name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("there is no " + name));
  }

  private long number(String name) {
    LongPointData point = metric(name).getLongSumData().getPoints().iterator().next();
    assertEquals("{db.client.connection.pool.name=\"shop\"}", point.getAttributes().toString());
    return point.getValue();
  }

  private Map<String, Long> counts() {
    return metric("count").getLongSumData().getPoints().stream()
        .collect(Collectors.toMap(point -> point.getAttributes().get(STATE), LongPointData::getValue));
  }

  private HistogramPointData times(String name) {
    MetricData metric = metric(name);
    assertEquals("s", metric.getUnit());
    return metric.getHistogramData().getPoints().iterator().next();
  }

  @Test
  void metricsFollowAnOpenAWaitAndAUse() throws Exception {
    PoolTelemetry.observe(sdk, source);
    assertEquals(Map.of("used", 0L, "idle", 0L), counts());
    database.shut();
    var first = GatedSource.get(source);
    Fakes.until(() -> number("pending_requests") == 1);
    double opening = database.secondsOfAnOpen();
    database.open();
    Connection one = GatedSource.take(first);
    Connection two = source.getConnection();
    assertEquals(Map.of("used", 2L, "idle", 0L), counts());
    assertEquals(2, times("create_time").getCount());
    assertTrue(times("create_time").getSum() >= opening);

    var third = GatedSource.get(source);
    Fakes.until(() -> number("pending_requests") == 1);
    double waiting = GatedSource.seconds();
    two.close();
    Connection three = GatedSource.take(third);
    assertEquals(0, number("pending_requests"));
    assertEquals(3, times("wait_time").getCount());
    assertTrue(times("wait_time").getSum() >= opening + waiting);
    one.close();
    three.close();
    assertEquals(Map.of("used", 0L, "idle", 2L), counts());
    assertEquals(3, times("use_time").getCount());
    assertTrue(times("use_time").getSum() >= waiting);
  }

  @Test
  void timeoutsAreCounted() throws Exception {
    PoolTelemetry.observe(sdk, source);
    try (Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      source.setConnectionTimeout(50);
      assertThrows(SQLException.class, source::getConnection, one + ", " + two);
      assertThrows(SQLException.class, source::getConnection);
    }
    assertEquals(2, number("timeouts"));
    assertEquals(2, times("wait_time").getCount());
  }

  @Test
  void unitsAndLimitsAreThoseOfTheConventions() throws Exception {
    PoolTelemetry.observe(sdk, source);
    try (Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      source.setConnectionTimeout(50);
      assertThrows(SQLException.class, source::getConnection, one + ", " + two);
    }
    assertEquals(2, number("max"));
    assertEquals(2, number("idle.max"));
    assertEquals(0, number("idle.min"));
    Map<String, String> units =
        reader.collectAllMetrics().stream()
            .collect(Collectors.toMap(MetricData::getName, MetricData::getUnit, (a, b) -> b, TreeMap::new));
    String prefix = "db.client.connection.";
    assertEquals(
        Map.of(
            prefix + "count", "{connection}",
            prefix + "create_time", "s",
            prefix + "idle.max", "{connection}",
            prefix + "idle.min", "{connection}",
            prefix + "max", "{connection}",
            prefix + "pending_requests", "{request}",
            prefix + "timeouts", "{timeout}",
            prefix + "use_time", "s",
            prefix + "wait_time", "s"),
        units);
  }

  @Test
  void aSourceThatIsObservedTwiceIsCountedOnce() throws Exception {
    PoolTelemetry first = PoolTelemetry.observe(sdk, source);
    PoolTelemetry second = PoolTelemetry.observe(sdk, source);
    source.getConnection().close();
    assertEquals(1, times("create_time").getCount());
    assertEquals(1, times("wait_time").getCount());
    assertEquals(1, times("use_time").getCount());
    second.close();
    assertEquals(2, counts().size());
    first.close();
    assertThrows(AssertionError.class, this::counts);
    PoolTelemetry.observe(sdk, source);
    source.getConnection().close();
    assertEquals(2, times("wait_time").getCount());
  }

  @Test
  void nothingIsToldAfterTheSourceIsClosed() throws Exception {
    PoolTelemetry.observe(sdk, source);
    source.getConnection().close();
    assertEquals(2, counts().size());
    source.close();
    assertThrows(AssertionError.class, this::counts);
  }
}
