// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Takes the steps of one case of the common list: see the text at its beginning. */
final class Scenario {
  private static final Set<String> STEPS =
      Set.of(
          "get", "try_get", "begin", "end", "cancel", "release", "discard", "use", "factory", "let_go", "close",
          "expect", "flush", "pause", "resume", "resize");
  private static final Set<String> DETAILS = Set.of("gives", "fails", "timeout_ms", "left");
  private static final Duration FOR_EVER = Duration.ofSeconds(Long.MAX_VALUE);

  private final Fakes fakes = new Fakes();
  private final Factory factory = new Factory(fakes);
  private final Map<String, Lease<Fake>> leases = new HashMap<>();
  private final Map<String, Threads.Task<Lease<Fake>>> tasks = new HashMap<>();
  private Pool<Fake, Exception> pool;

  private interface Action {
    /** Returns a connection that was asked for, or null. */
    Fake run() throws Exception;
  }

  void run(JsonObject scenario) throws Exception {
    pool = builder(scenario.getAsJsonObject("pool")).build();
    int number = 0;
    for (JsonElement each : scenario.getAsJsonArray("steps")) {
      number++;
      try {
        take(each.getAsJsonObject());
      } catch (Exception | AssertionError e) {
        throw new AssertionError("step " + number + ", " + each + ": " + e.getMessage(), e);
      }
    }
    assertEquals(0, pool.close(Duration.ofSeconds(60)), "connections are left");
    fakes.finish();
  }

  /** Each of these makes no pool. */
  void refuse(JsonElement settings, JsonElement says) {
    var refusal =
        assertThrows(
            IllegalArgumentException.class,
            () -> builder(settings.getAsJsonObject()).build(),
            () -> settings + " was accepted");
    assertEquals(says == null ? refusal.getMessage() : says.getAsString(), refusal.getMessage());
  }

  // ---- settings

  PoolBuilder<Fake, Exception> builder(JsonObject settings) {
    PoolBuilder<Fake, Exception> builder = Pool.builder(factory::open);
    for (Map.Entry<String, JsonElement> setting : settings.entrySet()) {
      builder.set(setting.getKey(), setting.getValue().getAsLong());
    }
    return builder;
  }

  // ---- steps

  private void take(JsonObject step) throws Exception {
    String kind = null;
    for (String key : step.keySet()) {
      if (STEPS.contains(key)) {
        assertTrue(kind == null, "there are two steps in one");
        kind = key;
      } else {
        assertTrue(DETAILS.contains(key), () -> "no such word: " + key);
      }
    }
    assertNotNull(kind, "no such step");
    JsonElement what = step.get(kind);
    switch (kind) {
      case "get" -> attempt(step, () -> lend(what.getAsString(), get(step)));
      case "try_get" -> attempt(step, () -> lend(what.getAsString(), orTimeout(pool.tryGet())));
      case "begin" -> tasks.put(what.getAsString(), Threads.begin(() -> get(step)));
      case "end" -> attempt(step, () -> lend(what.getAsString(), end(what.getAsString())));
      case "cancel" -> tasks.get(what.getAsString()).interrupt();
      case "release" -> attempt(step, () -> {
            lease(what).close();
            return null;
          });
      case "discard" -> attempt(step, () -> {
            lease(what).discard();
            return null;
          });
      case "use" -> attempt(step, () -> {
            Fake fake = lease(what).conn();
            fake.use();
            return fake;
          });
      case "factory" -> factory.set(what.getAsString());
      case "let_go" -> factory.letGo();
      case "close" -> assertEquals(
          step.get("left").getAsInt(), pool.close(Duration.ofMillis(what.getAsLong())), "connections are left");
      case "flush" -> assertEquals(what.getAsInt(), pool.flush());
      case "pause" -> assertEquals(what.getAsInt(), pool.pause());
      case "resume" -> assertEquals(what.getAsInt(), pool.resume());
      case "resize" -> assertEquals(step.get("left").getAsInt(), pool.resize(what.getAsInt()));
      case "expect" -> expect(what.getAsJsonObject());
      default -> throw new AssertionError("step is not written: " + kind);
    }
  }

  private Lease<Fake> lease(JsonElement name) {
    return leases.get(name.getAsString());
  }

  private Lease<Fake> get(JsonObject step) throws Exception {
    if (!step.has("timeout_ms")) {
      return pool.get();
    }
    long ms = step.get("timeout_ms").getAsLong();
    return pool.get(ms < 0 ? FOR_EVER : Duration.ofMillis(ms));
  }

  /** The lease of a get is kept by its name even if it gave another connection than expected. */
  private Fake lend(String name, Lease<Fake> lease) {
    leases.put(name, lease);
    return lease.conn();
  }

  private static Lease<Fake> orTimeout(Lease<Fake> lease) {
    if (lease == null) {
      throw new PoolTimeoutException("there is none now");
    }
    return lease;
  }

  private Lease<Fake> end(String name) throws Exception {
    try {
      return tasks.remove(name).get(60, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (Exception) e.getCause();
    }
  }

  private static void attempt(JsonObject step, Action action) throws Exception {
    String expected = failure(step.get("fails"));
    Fake given;
    try {
      given = action.run();
    } catch (Throwable e) {
      if (expected == null) {
        throw e;
      }
      assertEquals(expected, word(e), () -> "it failed otherwise: " + e);
      return;
    }
    assertTrue(expected == null, () -> "it did not fail, though it should: " + expected);
    if (step.has("gives")) {
      assertEquals(step.get("gives").getAsInt(), given.number(), "another connection was given");
    }
  }

  /** How it is to fail in this language, or null. */
  private static String failure(JsonElement fails) {
    if (fails == null || fails.isJsonNull()) {
      return null;
    }
    if (!fails.isJsonObject()) {
      return fails.getAsString();
    }
    assertTrue(fails.getAsJsonObject().has("java"), "what becomes of it in Java is not said");
    return failure(fails.getAsJsonObject().get("java"));
  }

  private static String word(Throwable failure) {
    if (failure == Factory.FAILURE) {
      return "open";
    }
    if (failure == Factory.PANIC) {
      return "panic";
    }
    if (failure instanceof PoolTimeoutException) {
      return "timeout";
    }
    if (failure instanceof PoolClosedException) {
      return "closed";
    }
    if (failure instanceof PoolOverloadException) {
      return "overload";
    }
    if (failure instanceof InterruptedException) {
      return "cancelled";
    }
    return failure.getClass() == IllegalStateException.class ? "stale" : failure.toString();
  }

  private void expect(JsonObject counts) throws Exception {
    for (Map.Entry<String, JsonElement> each : counts.entrySet()) {
      long wanted = each.getValue().getAsLong();
      try {
        Fakes.until(() -> count(each.getKey()) == wanted);
        if (each.getKey().equals("opening")) { // only those that hang are seen opening
          Fakes.until(() -> factory.hanging() == wanted);
        }
      } catch (AssertionError e) {
        throw new AssertionError(each.getKey() + " is " + count(each.getKey()) + " and not " + wanted, e);
      }
    }
  }

  private long count(String name) {
    if (name.equals("destroyed")) {
      return fakes.closed();
    }
    for (RecordComponent count : PoolStats.class.getRecordComponents()) {
      if (count.getType() == long.class && name.equals(snake(count.getName()))) {
        try {
          return (long) count.getAccessor().invoke(pool.stats());
        } catch (ReflectiveOperationException e) {
          throw new AssertionError(e);
        }
      }
    }
    throw new AssertionError("no such count: " + name);
  }

  private static String snake(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(java.util.Locale.ROOT);
  }
}
