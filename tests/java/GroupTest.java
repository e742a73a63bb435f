// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Pools by key. */
class GroupTest {
  private static final Duration LONG = Duration.ofSeconds(60);

  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger most = new AtomicInteger();
  private final Map<String, Integer> opened = new ConcurrentHashMap<>();

  /** Of groups whose connections are the keys that they were opened for. */
  private GroupBuilder<StringBuilder, IOException> builder() {
    return Group.<StringBuilder, IOException>builder(this::open).name("shop").closer(connection -> open.decrementAndGet());
  }

  private StringBuilder open(String key) throws IOException {
    int now = open.incrementAndGet();
    most.accumulateAndGet(now, Math::max);
    opened.merge(key, 1, Integer::sum);
    return new StringBuilder(key);
  }

  private static void use(Group<StringBuilder, IOException> shop, String key) throws Exception {
    try (var lease = shop.get(key, LONG)) {
      assertEquals(key, lease.conn().toString());
    }
  }

  private void finish(Group<?, ?> shop) throws Exception {
    assertEquals(0, shop.close(LONG));
    Fakes.until(() -> open.get() == 0);
  }

  @Test
  void eachKeyHasAPoolOfItsOwn() throws Exception {
    var shop = builder().build();
    use(shop, "one");
    use(shop, "two");
    use(shop, "one");
    assertEquals(Map.of("one", 1, "two", 1), opened);
    assertEquals(List.of("one", "two"), shop.keys().stream().sorted().toList());
    assertSame(shop.pool("one"), shop.pool("one"));
    assertEquals(new GroupStats(2, 2, 0, 0, 2, 2, 0, 0), shop.stats());
    assertTrue(shop.pool("one").report(Format.TEXT).contains("shop/one"));
    assertEquals("shop", shop.name());
    use(shop, "a \u00e9\0 key");
    try (var lease = shop.tryGet("one")) {
      assertEquals("one", lease.conn().toString());
    }
    finish(shop);
  }

  @Test
  void errorsNameTheGroupAndTheKey() throws Exception {
    var shop = builder().maxOpen(1).maxKeys(1).build();
    var lease = shop.get("acme");
    var late = assertThrows(PoolTimeoutException.class, () -> shop.get("acme", Duration.ofMillis(1)));
    assertTrue(late.getMessage().startsWith("shop/acme: "), late.getMessage());
    var refused = assertThrows(PoolOverloadException.class, () -> shop.get("other"));
    assertTrue(refused.getMessage().startsWith("shop/other: the group has max_keys, 1"), refused.getMessage());
    assertEquals(1, shop.stats().refused());
    assertThrows(IllegalArgumentException.class, () -> shop.pool(""));
    assertThrows(IllegalArgumentException.class, () -> shop.pool("x".repeat(256)));
    assertThrows(NullPointerException.class, () -> shop.pool(null));
    lease.close();
    finish(shop);
  }

  private static void refuses(String what, GroupBuilder<?, ?> builder) {
    var wrong = assertThrows(RuntimeException.class, builder::build);
    assertTrue(wrong.getMessage().contains(what), wrong.getMessage());
  }

  @Test
  void whatIsSetWrongIsRefusedAtOnce() {
    assertThrows(IllegalArgumentException.class, () -> builder().maxKeys(0));
    assertThrows(IllegalArgumentException.class, () -> builder().keyIdle(Duration.ZERO));
    refuses("max_keys is 2000000", builder().maxKeys(2_000_000));
    refuses("initial must be 0", builder().initial(1));
    refuses("check_after_ms", builder().checkAfter(LONG));
    refuses("budget", builder().set("budget", "nonsense"));
  }

  @Test
  void prepareSaysWhatIsSpecialToAKey() throws Exception {
    var shop = builder().maxOpen(3).prepare((key, pool) -> pool.minIdle(key.equals("wrong") ? 4 : 0).maxOpen(key.length())).build();
    assertEquals(3, shop.pool("abc").stats().maxOpen());
    assertEquals(1, shop.pool("a").stats().maxOpen());
    assertEquals(0, shop.pool("wrong").stats().minIdle() - 4);
    var wrong = builder().prepare((key, pool) -> pool.maxOpen(1).minIdle(2)).build();
    var refused = assertThrows(IllegalArgumentException.class, () -> wrong.pool("one"));
    assertTrue(refused.getMessage().startsWith("shop/one: min_idle is 2"), refused.getMessage());
    assertEquals(0, wrong.stats().keys());
    wrong.close();
    finish(shop);
  }

  @Test
  void whatTheOpenerThrowsComesToTheCaller() {
    var calls = new AtomicInteger();
    try (var shop =
        Group.<StringBuilder, RuntimeException>builder(
                key -> {
                  calls.incrementAndGet();
                  throw new PoolClosedException("of its own");
                })
            .build()) {
      assertEquals("of its own", assertThrows(PoolClosedException.class, () -> shop.get("one")).getMessage());
      assertEquals(1, calls.get());
      assertEquals(1, shop.stats().keys());
    }
  }

  private static String budget(int limit) {
    return "process:java-" + Thread.currentThread().getId() + "-" + System.nanoTime() + "?limit=" + limit;
  }

  @Test
  void keysShareTheLimitOfTheirBudget() throws Exception {
    var shop = builder().set("budget", budget(3)).build();
    var users = new java.util.ArrayList<java.util.concurrent.Future<Boolean>>();
    for (int i = 0; i < 8; i++) {
      int user = i;
      users.add(
          Threads.begin(
              () -> {
                for (int turn = 0; turn < 40; turn++) {
                  use(shop, "key" + (user + turn) % 10);
                }
                return true;
              }));
    }
    for (var user : users) {
      assertTrue(user.get(120, TimeUnit.SECONDS));
    }
    assertTrue(most.get() >= 1 && most.get() <= 3, () -> most + " were open");
    assertEquals(10, shop.stats().keys());
    finish(shop);
  }

  @Test
  void anIdleConnectionOfAnotherKeyIsClosedAtOnce() throws Exception {
    var shop = builder().set("budget", budget(1)).build();
    use(shop, "one");
    var held = shop.get("two", LONG);
    assertEquals(1, most.get());
    var waiting =
        Threads.begin(
            () -> {
              use(shop, "three");
              return true;
            });
    Fakes.until(() -> shop.pool("three").stats().waiting() == 1);
    held.close();
    assertTrue(waiting.get(60, TimeUnit.SECONDS));
    assertEquals(1, most.get());
    finish(shop);
  }

  @Test
  void aKeyWithoutConnectionsGoesAwayWithoutAnybodyAsking() throws Exception {
    var shop = builder().keyIdle(Duration.ofMillis(20)).build();
    var one = shop.pool("one");
    var lease = shop.get("two");
    Fakes.until(() -> shop.stats().letGo() > 0 && one.isClosed());
    assertThrows(PoolClosedException.class, one::get);
    assertEquals(1, shop.stats().leased());
    lease.discard();
    Fakes.until(() -> shop.stats().keys() == 0);
    assertTrue(shop.keys().isEmpty());
    use(shop, "one");
    assertNotSame(one, shop.pool("one"));
    finish(shop);
  }

  @Test
  void theClosingOfAPoolEndsItsKey() throws Exception {
    var shop = builder().build();
    var pool = shop.pool("one");
    var lease = shop.get("one");
    assertEquals(1, pool.close(Duration.ZERO));
    use(shop, "one");
    assertNotSame(pool, shop.pool("one"));
    lease.close();
    assertEquals(2, opened.get("one"));
    finish(shop);
  }

  @Test
  void aGetRacesWithLettingGoAndNeverFails() throws Exception {
    var shop = builder().keyIdle(Duration.ofMillis(1)).build();
    var users = new java.util.ArrayList<java.util.concurrent.Future<Boolean>>();
    for (int i = 0; i < 4; i++) {
      int user = i;
      users.add(
          Threads.begin(
              () -> {
                for (int turn = 0; turn < 100 || shop.stats().letGo() < 20; turn++) {
                  shop.get("key" + user * turn % 100, LONG).discard();
                }
                return true;
              }));
    }
    for (var user : users) {
      assertTrue(user.get(120, TimeUnit.SECONDS));
    }
    Fakes.until(() -> shop.stats().keys() == 0);
    finish(shop);
  }

  private static int descriptors() {
    return new File("/proc/self/fd").list().length;
  }

  @Test
  void nothingIsLeftOfKeysThatPassThrough() throws Exception {
    var shop = builder().maxKeys(10).idleTimeout(LONG).set("budget", budget(2)).build();
    for (int i = 0; i < 30; i++) {
      use(shop, "key" + i);
    }
    int before = descriptors();
    for (int i = 30; i < 300; i++) {
      use(shop, "key" + i);
    }
    assertTrue(descriptors() <= before + 20); // the JVM opens some of its own
    assertTrue(shop.stats().keys() <= 10);
    assertEquals(shop.keys().size(), shop.stats().keys());
    Fakes.until(() -> Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("libpool-shop/")).count() <= 20);
    finish(shop);
  }

  @Test
  void aClosedOneLendsNothingAndDrains() throws Exception {
    var shop = builder().build();
    var lease = shop.get("one");
    use(shop, "two");
    assertEquals(1, shop.close(Duration.ZERO));
    for (String key : List.of("one", "three")) {
      var closed = assertThrows(PoolClosedException.class, () -> shop.get(key));
      assertEquals("shop/" + key + ": the group is closed", closed.getMessage());
    }
    var closing = Threads.begin(() -> shop.close(LONG) == 0);
    lease.close();
    assertTrue(closing.get(60, TimeUnit.SECONDS));
    finish(shop);
  }
}
