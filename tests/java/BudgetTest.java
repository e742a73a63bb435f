// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Pools that share a limit. */
class BudgetTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  private final Fakes fakes = new Fakes();

  private PoolBuilder<Fake, IOException> member(String budget) {
    return fakes.builder().maxOpen(5).set("budget", budget);
  }

  @Test
  void whatOneHasIdleIsClosedForTheOther() throws Exception {
    String budget = "process:idle?limit=2";
    try (var first = member(budget).build();
        var second = member(budget).build()) {
      var one = first.get(LONG);
      var two = first.get(LONG);
      one.close();
      two.close();
      assertEquals(2, first.stats().idle());
      try (var lease = second.get(LONG)) {
        lease.conn().use();
        Fakes.until(() -> fakes.closed() > 0 && first.stats().open() < 2);
        assertEquals(1, second.stats().open());
      }
    }
    fakes.finish();
  }

  @Test
  void aGetWaitsForAPermitThatAnotherPoolGivesBack() throws Exception {
    String budget = "process:lent?limit=1";
    try (var first = member(budget).build();
        var second = member(budget).build()) {
      var held = first.get(LONG);
      var waiting =
          Threads.begin(
              () -> {
                try (var lease = second.get(LONG)) {
                  lease.conn().use();
                  return true;
                }
              });
      Fakes.until(() -> second.stats().waiting() == 1);
      assertThrows(PoolTimeoutException.class, () -> second.get(Duration.ofMillis(20)));
      held.close();
      assertTrue(waiting.get(60, TimeUnit.SECONDS));
      Fakes.until(() -> first.stats().open() == 0);
    }
    fakes.finish();
  }

  private static PooledDataSource source(String name) {
    var source = new PooledDataSource();
    source.setJdbcUrl("jdbc:h2:mem:" + name);
    source.setPoolName(name);
    source.setMinimumIdle(0);
    source.setBudget("process:sources?limit=1");
    return source;
  }

  @Test
  void aDataSourceSharesIt() throws Exception {
    try (var first = source("first");
        var second = source("second")) {
      first.getConnection().close();
      assertEquals(1, first.getTotalConnections());
      try (Connection connection = second.getConnection()) {
        assertTrue(connection.isValid(1));
        Fakes.until(() -> first.getTotalConnections() == 0);
      }
    }
  }

  @Test
  void aWrongOneIsToldInTheWordsOfTheLibrary() {
    var builder = member("process:x?limit=none");
    String message = assertThrows(IllegalArgumentException.class, builder::build).getMessage();
    assertTrue(message.contains("limit"), message);
  }

  /** As another process sees it. */
  @Test
  void aMemberIsOfJava() throws Exception {
    String budget = "host:java-" + ProcessHandle.current().pid();
    try (var pool = member(budget + "?limit=3").name("orders").set("budget_weight", 4).set("budget_floor", 1).build();
        var lease = pool.get(LONG)) {
      lease.conn().use();
      JsonObject member = look(budget).getAsJsonArray("members").get(0).getAsJsonObject();
      assertEquals("java", member.get("language").getAsString());
      assertEquals("orders", member.get("pool").getAsString());
      assertEquals(4, member.get("weight").getAsInt());
      assertEquals(1, member.get("floor").getAsInt());
    }
    fakes.finish();
  }

  private static JsonObject look(String budget) throws Exception {
    Process process =
        new ProcessBuilder(System.getProperty("libpool.poolctl"), "budget", "--json", "--once", budget)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor());
    return JsonParser.parseString(said).getAsJsonObject();
  }
}
