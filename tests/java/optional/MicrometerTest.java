// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import libpool.micrometer.PoolMeters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The meters say what happens. */
class MicrometerTest {
  private final MeterRegistry registry = new SimpleMeterRegistry();
  private final GatedSource database;
  private final PooledDataSource source;

  MicrometerTest() throws SQLException {
    database = new GatedSource();
    source = database.pool("shop", 2);
  }

  @AfterEach
  void close() {
    database.open();
    source.close();
    assertEquals(List.of(), registry.getMeters(), "all are removed with the data source");
  }

  private double gauge(String name) {
    return registry.get(name).tag("pool", "shop").gauge().value();
  }

  private double counter(String name, String... tags) {
    return registry.get(name).tags(tags).tag("pool", "shop").functionCounter().count();
  }

  private Timer timer(String name) {
    return registry.get(name).tag("pool", "shop").timer();
  }

  private static double total(Timer timer) {
    return timer.totalTime(TimeUnit.SECONDS);
  }

  @Test
  void gaugesAndTimersFollowAnOpenAWaitAndAUse() throws Exception {
    new PoolMeters(source).bindTo(registry);
    assertEquals(0, gauge("hikaricp.connections"));
    database.shut();
    var first = GatedSource.get(source);
    Fakes.until(() -> gauge("hikaricp.connections.pending") == 1);
    assertEquals(1, gauge("libpool.connections.opening"));
    assertEquals(0, gauge("hikaricp.connections.active"));
    double opening = database.secondsOfAnOpen();
    database.open();
    Connection one = GatedSource.take(first);
    assertEquals(0, gauge("hikaricp.connections.pending"));
    assertEquals(1, gauge("hikaricp.connections.active"));
    assertEquals(1, timer("hikaricp.connections.creation").count());
    assertTrue(total(timer("hikaricp.connections.creation")) >= opening);
    assertTrue(total(timer("hikaricp.connections.acquire")) >= opening);

    Connection two = source.getConnection();
    var third = GatedSource.get(source);
    Fakes.until(() -> gauge("hikaricp.connections.pending") == 1);
    double waiting = GatedSource.seconds();
    assertEquals(0, timer("hikaricp.connections.usage").count());
    one.close();
    Connection three = GatedSource.take(third);
    assertEquals(3, timer("hikaricp.connections.acquire").count());
    assertTrue(total(timer("hikaricp.connections.acquire")) >= opening + waiting);
    assertEquals(1, timer("hikaricp.connections.usage").count());
    assertTrue(total(timer("hikaricp.connections.usage")) >= waiting);
    two.close();
    three.close();
    two.close(); // which is no use any more
    assertEquals(3, timer("hikaricp.connections.usage").count());
    assertEquals(2, gauge("hikaricp.connections.idle"));
    assertEquals(2, gauge("hikaricp.connections"));
    assertEquals(2, counter("libpool.connections.opened"));
    assertEquals(1, counter("libpool.waited"));
  }

  @Test
  void limitsAreThoseOfTheSource() {
    new PoolMeters(source, Tags.of("region", "north")).withJdbc("db").bindTo(registry);
    assertEquals(2, gauge("hikaricp.connections.max"));
    assertEquals(0, gauge("hikaricp.connections.min"));
    assertEquals(2, registry.get("jdbc.connections.max").tags("name", "db", "region", "north").gauge().value());
    assertEquals(0, registry.get("jdbc.connections.active").tag("name", "db").gauge().value());
  }

  @Test
  void aTimeoutIsCountedAndItsWaitIsTimedWithTheAcquires() throws Exception {
    new PoolMeters(source).bindTo(registry);
    try (Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      source.setConnectionTimeout(50);
      assertThrows(SQLTransientConnectionException.class, source::getConnection);
      assertEquals(2, gauge("hikaricp.connections.active"), one + ", " + two);
    }
    assertEquals(1, registry.get("hikaricp.connections.timeout").tag("pool", "shop").counter().count());
    assertEquals(0, registry.get("libpool.failed").counter().count());
    assertEquals(3, timer("hikaricp.connections.acquire").count());
    assertTrue(total(timer("hikaricp.connections.acquire")) >= .05);
  }

  @Test
  void metersThatAreBoundTwiceCountOnce() throws Exception {
    new PoolMeters(source).bindTo(registry);
    new PoolMeters(source).withJdbc("db").bindTo(registry); // as Spring Boot does beside the program
    source.getConnection().close();
    assertEquals(1, timer("hikaricp.connections.acquire").count());
    assertEquals(1, timer("hikaricp.connections.usage").count());
    assertEquals(1, timer("hikaricp.connections.creation").count());
  }

  @Test
  void metersWithOtherTagsOrInAnotherRegistryCountAsWell() throws Exception {
    MeterRegistry other = new SimpleMeterRegistry();
    new PoolMeters(source).bindTo(registry);
    new PoolMeters(source, Tags.of("region", "north")).bindTo(registry);
    new PoolMeters(source).bindTo(other);
    source.getConnection().close();
    assertEquals(1, registry.get("hikaricp.connections.acquire").tag("region", "north").timer().count());
    assertEquals(2, registry.get("hikaricp.connections.acquire").timers().stream().mapToLong(Timer::count).sum());
    assertEquals(1, other.get("hikaricp.connections.acquire").timer().count());
  }

  @Test
  void aFailedOpenIsCountedAndIsNoCreation() {
    new PoolMeters(source).bindTo(registry);
    database.fail(new SQLException("no server"));
    assertThrows(SQLException.class, source::getConnection);
    assertEquals(1, registry.get("libpool.failed").tag("pool", "shop").counter().count());
    assertEquals(0, registry.get("hikaricp.connections.timeout").counter().count());
    assertTrue(counter("libpool.open.failures") >= 1);
    assertEquals(0, timer("hikaricp.connections.creation").count());
  }

  @Test
  void closesAreToldApartByTheirReason() throws Exception {
    new PoolMeters(source).bindTo(registry);
    source.getConnection().close();
    source.flush();
    Fakes.until(() -> gauge("hikaricp.connections") == 0);
    assertEquals(1, counter("libpool.connections.closed", "reason", "flushed"));
    Connection aborted = source.getConnection();
    aborted.abort(Runnable::run);
    Fakes.until(() -> gauge("hikaricp.connections") == 0);
    assertEquals(1, counter("libpool.connections.closed", "reason", "unusable"));
    assertEquals(0, counter("libpool.connections.closed", "reason", "other"));
    assertEquals(2, timer("hikaricp.connections.usage").count());
  }

  @Test
  void aTrackerThatFailsHurtsNobody() throws Exception {
    source.addTracker(
        new Tracker() {
          @Override
          public void acquired(long ns) {
            throw new IllegalStateException("no");
          }
        });
    source.getConnection().close();
    assertEquals(1, source.stats().idle());
  }
}
