// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.ResourceBundle;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a pool tells as it happens. */
class EventTest {
  private final Fakes fakes = new Fakes();
  private final Queue<Event> events = new ConcurrentLinkedQueue<>();

  @AfterEach
  void everythingWasClosedOnce() {
    fakes.finish();
  }

  private List<String> names() {
    return events.stream().map(Event::name).toList();
  }

  private Event last(String name) throws InterruptedException {
    Fakes.until(() -> names().contains(name));
    return events.stream().filter(event -> event.name().equals(name)).reduce((one, next) -> next).orElseThrow();
  }

  /** Keeps lines with their levels. */
  private static final class Log implements System.Logger {
    private final Queue<String> lines = new ConcurrentLinkedQueue<>();

    @Override
    public String getName() {
      return "test";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String line, Throwable thrown) {
      lines.add(level + " " + line);
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
      lines.add(level + " " + format);
    }
  }

  @Test
  void theLifeOfAConnectionIsToldInOrder() throws Exception {
    var pool = fakes.builder().name("told").maxOpen(1).events(events::add).build();
    try (var lease = pool.get()) {
      lease.tag("report");
    }
    pool.close();
    assertEquals(
        List.of("pool_created", "opening", "opened", "lent", "returned", "pool_closed", "closed"), names());
    Event returned = last("returned");
    assertEquals("told", returned.pool());
    assertEquals(List.of(1L, 0L), List.of(returned.connection(), returned.lost()));
    assertEquals("report", returned.tag());
    assertTrue(returned.thread() > 0 && returned.lease() > 0);
    assertNull(returned.reason());
    assertEquals("closed", last("closed").reason());
    assertTrue(last("opened").duration().toNanos() > 0);
  }

  @Test
  void theMaskChoosesAndAGetThatWaitsEndsInOneEvent() throws Exception {
    long mask = 1L << CoreConstants.POOL_EVENT_TIMED_OUT;
    try (var pool = fakes.builder().maxOpen(1).events(events::add).set("event_mask", mask).build()) {
      try (var lease = pool.get()) {
        var timeout = assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20)));
        assertEquals(timeout.getMessage(), last("timed_out").message());
        assertEquals(timeout.code(), last("timed_out").code());
        assertTrue(lease.conn().isOpen());
      }
    }
    assertEquals(List.of("timed_out"), names());
  }

  @Test
  void linesAreLoggedWithTheirLevels() throws Exception {
    var log = new Log();
    try (var pool = fakes.builder().name("down").log(log).build()) {
      fakes.failOpens(new IOException("no {0} 'server'"));
      assertThrows(IOException.class, pool::get);
      Fakes.until(() -> !log.lines.isEmpty());
    }
    assertEquals(
        List.of("WARNING down: could not open a connection: java.io.IOException: no {0} 'server'"),
        List.copyOf(log.lines));
  }

  @Test
  void aLeakIsAnEventAndALineAndAReport() throws Exception {
    var log = new Log();
    var leaks = new ConcurrentLinkedQueue<Leak>();
    try (var pool =
        fakes
            .builder()
            .events(events::add)
            .log(log)
            .leakAfter(Duration.ofSeconds(1)) // it has its tag by then
            .leakReport(leaks::add)
            .set("event_mask", 1L << CoreConstants.POOL_EVENT_LEAK_RETURNED)
            .build()) {
      try (var lease = pool.get()) {
        lease.tag("slow");
        Fakes.until(() -> !leaks.isEmpty());
      }
      assertEquals("slow", last("leak_returned").tag());
      Fakes.until(() -> log.lines.size() == 2);
    }
    assertEquals(List.of("leak_returned"), names()); // as the mask says
    String line = log.lines.peek();
    assertTrue(line.matches("WARNING pool: lease \\d+ of thread \\d+, slow is out for \\d+ ms already; .*"), line);
  }

  @Test
  void oneThatFailsToListenHindersNobody() throws Exception {
    try (var pool =
        fakes
            .builder()
            .maxOpen(1)
            .events(
                event -> {
                  events.add(event);
                  throw new IllegalStateException("listener");
                })
            .build()) {
      for (int i = 0; i < 3; i++) {
        pool.get().discard();
      }
      Fakes.until(() -> names().stream().filter("closed"::equals).count() == 3);
    }
  }

  @Test
  void oneThatHangsHoldsUpNeitherACloseNorAGet() throws Exception {
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch gate = new CountDownLatch(1);
    Pool<Fake, IOException> pool =
        fakes
            .builder()
            .maxOpen(1)
            .events(
                event -> {
                  entered.countDown();
                  try {
                    gate.await();
                  } catch (InterruptedException e) {
                    fakes.fault("a listener was interrupted");
                  }
                  events.add(event);
                })
            .build();
    pool.get().close();
    assertTrue(entered.await(60, TimeUnit.SECONDS));
    try {
      for (Duration drain : List.of(Duration.ofMillis(50), Duration.ZERO)) {
        assertEquals(0, Threads.begin(() -> pool.close(drain)).get(60, TimeUnit.SECONDS));
      }
      var get = Threads.begin(() -> assertThrows(PoolClosedException.class, pool::get));
      get.get(60, TimeUnit.SECONDS);
    } finally {
      gate.countDown();
    }
    last("get_failed"); // the thread that tells goes on
    assertEquals(
        List.of("pool_created", "opening", "opened", "lent", "returned", "pool_closed", "closed", "get_failed"), names());
  }

  @Test
  void aListenerMayUseAndCloseThePool() throws Exception {
    var pools = new ConcurrentLinkedQueue<Pool<Fake, IOException>>();
    Pool<Fake, IOException> pool =
        fakes
            .builder()
            .maxOpen(1)
            .events(
                event -> {
                  events.add(event);
                  if (event.name().equals("returned")) {
                    pools.remove().close();
                  }
                })
            .build();
    pools.add(pool);
    pool.get().close();
    assertEquals("closed", last("closed").reason());
    last("pool_closed");
    assertEquals(0, pool.stats().open());
  }
}
