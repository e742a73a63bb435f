// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** Wrong settings and arguments. */
class SettingsTest {
  private final Fakes fakes = new Fakes();

  private void refused(String message, UnaryOperator<PoolBuilder<Fake, IOException>> setting) {
    var builder = setting.apply(fakes.builder());
    assertEquals(message, assertThrows(IllegalArgumentException.class, builder::build).getMessage());
  }

  @Test
  void wrongSettingsAreToldInTheWordsOfTheLibrary() {
    refused("max_open is -1; it must be 1 to 1048568, or 0 (no hard cap)", b -> b.maxOpen(-1));
    refused("max_open is 2147483647; it must be 1 to 1048568, or 0 (no hard cap)", b -> b.maxOpen(Integer.MAX_VALUE));
    refused("max_idle is 0; it must be 1 or more, or -1 (as many as max_open)", b -> b.maxIdle(0));
    refused("min_idle is -1; it must be 0 to 1048568", b -> b.minIdle(-1));
    refused("min_idle is 5, which is more than max_idle, 3", b -> b.minIdle(5).maxIdle(3));
    refused("max_waiters is -2; it must be 1 or more, or 0 (no limit)", b -> b.maxWaiters(-2));
    refused("max_opening is -2; it must be 1 or more, or 0 (no limit)", b -> b.maxOpening(-2));
    refused("retire_percent is 101; it must be 1 to 100", b -> b.retirePercent(101));
    refused("breaker_after is -1; it must be 1 or more, or 0 (never)", b -> b.breakerAfter(-1));
    refused("fairness_us is -1000; it must be 1 or more, or 0 (never)", b -> b.fairness(Duration.ofMillis(-1)));
    refused("get_timeout_ms is -2; it must be 1 to a year, or -1 (for ever)", b -> b.getTimeout(Duration.ofMillis(-2)));
    refused(
        "idle_timeout_ms is -5; it must be 1 to a year, or 0 or -1 (never)", b -> b.idleTimeout(Duration.ofMillis(-5)));
    refused("initial is -1; it must be 0 or more", b -> b.initial(-1));
    refused("initial is 3, which is more than max_idle, 2 (the value of max_open)", b -> b.initial(3).maxOpen(2));
    refused("check_after_ms is set, but there is no check", b -> b.checkAfter(Duration.ZERO));
    refused("keepalive_ms is set, but there is no check", b -> b.keepalive(Duration.ofSeconds(1)));
    refused("background_reset is set, but there is no reset", b -> b.set("background_reset", 1));
    refused("overload_after_ms is 0; it must be 1 to a year", b -> b.overloadAfter(Duration.ZERO));
    refused("no setting is called \"max_opn\"; did you mean max_open?", b -> b.set("max_opn", 1));
    refused("max_open is \"many\"; it must be 1 to 1048568, or 0 (no hard cap)", b -> b.set("max_open", "many"));
    refused("queue is \"random\"; it must be fifo (0), lifo (1) or shed (2)", b -> b.set("queue", "random"));
    refused("retire_percent is 0; it must be 1 to 100", b -> b.set("retire_percent", 0));
    assertEquals(0, fakes.opened());
  }

  @Test
  void settingsAreSetByTheirNames() throws Exception {
    var builder = fakes.builder().maxOpen(9).set("max_open", 2).set("initial", "2").set("name", "prices");
    try (var pool = builder.set("get_timeout_ms", 10).set("queue", "lifo").build()) {
      assertEquals("prices", pool.name());
      assertEquals(2, fakes.opened());
      try (var one = pool.get();
          var other = pool.get()) {
        assertThrows(PoolTimeoutException.class, pool::get);
      }
    }
  }

  @Test
  void nullIsNothing() throws Exception {
    assertThrows(NullPointerException.class, () -> Pool.builder(null));
    var builder = fakes.builder();
    assertThrows(NullPointerException.class, () -> builder.closer(null));
    assertThrows(NullPointerException.class, () -> builder.checker(null));
    assertThrows(NullPointerException.class, () -> builder.resetter(null));
    assertThrows(NullPointerException.class, () -> builder.leakReport(null));
    assertThrows(NullPointerException.class, () -> builder.events(null));
    assertThrows(NullPointerException.class, () -> builder.log(null));
    assertThrows(NullPointerException.class, () -> builder.name(null));
    assertThrows(NullPointerException.class, () -> builder.queue(null));
    assertThrows(NullPointerException.class, () -> builder.getTimeout(null));
    try (var pool = builder.build()) {
      assertThrows(NullPointerException.class, () -> pool.get(null));
      assertThrows(NullPointerException.class, () -> pool.close(null));
      assertThrows(NullPointerException.class, () -> pool.report(null));
      assertThrows(IllegalArgumentException.class, () -> pool.get(Duration.ofMillis(-1)));
      assertThrows(IllegalArgumentException.class, () -> pool.close(Duration.ofNanos(-1)));
      assertThrows(IllegalArgumentException.class, () -> pool.resize(-1));
    }
  }

  @Test
  void namesAreAnyTextWithoutAZero() throws Exception {
    var refusal = assertThrows(IllegalArgumentException.class, () -> fakes.builder().name("a\0b"));
    assertEquals("setting name contains a zero character", refusal.getMessage());
    for (String name : new String[] {"", "x".repeat(1000), "ä".repeat(100), "🎈".repeat(30), "\ud800"}) {
      try (var pool = fakes.builder().name(name).build()) {
        assertNotNull(pool.report(Format.JSON));
        pool.get().close();
        assertThrows(IllegalArgumentException.class, pool::resume);
      }
    }
  }

  @Test
  void theVersionIsTold() {
    assertTrue(Pool.version().matches("\\d+\\.\\d+\\.\\d+"));
  }
}
