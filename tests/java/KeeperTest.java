// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What happens by time alone, and leaks. */
class KeeperTest {
  private final Fakes fakes = new Fakes();

  @AfterEach
  void everythingWasClosedOnce() {
    fakes.finish();
  }

  @Test
  void minIdleIsFilledAndRefilled() throws Exception {
    try (var pool = fakes.builder().minIdle(2).maxOpen(4).build()) {
      Fakes.until(() -> pool.len() == 2);
      try (var lease = pool.get()) {
        Fakes.until(() -> pool.len() == 2);
        assertEquals(3, pool.stats().open());
      }
      pool.flush();
      Fakes.until(() -> pool.len() >= 2 && fakes.closed() >= 3); // two who refill may open one more
    }
  }

  @Test
  void initialMayBeMoreThanMinIdle() throws Exception {
    try (var pool = fakes.builder().minIdle(20).initial(30).build()) {
      assertEquals(30, pool.len());
      assertEquals(30, fakes.opened());
      pool.get().close();
      assertEquals(30, pool.len());
    }
  }

  @Test
  void anIdlePoolHasNoThreadOrOneThatSleeps() throws Exception {
    try (var timeless = fakes.builder().name("timely").maxOpen(2).build();
        var idle = fakes.builder().name("idle").maxLifetime(Duration.ofHours(1)).build();
        var busy = fakes.builder().initial(1).keepalive(Duration.ofMillis(5)).checker(Fake::check).build()) {
      timeless.get().close();
      idle.get().close();
      Fakes.until(() -> Threads.named("libpool-idle").count() == 1 && isAtWork(Keeper.class, "libpool-idle"));
      long before;
      int looks = 0;
      do { // a machine that is busy may let it begin to sleep late
        before = Threads.sleepsOf("libpool-idle");
        long enough = busy.stats().checks() + 100;
        Fakes.until(() -> busy.stats().checks() >= enough);
      } while (before != Threads.sleepsOf("libpool-idle") && ++looks < 20);
      assertEquals(before, Threads.sleepsOf("libpool-idle"));
      Fakes.until(() -> Threads.named("libpool-timely").count() == 0); // what opened its connection ends by itself
    }
    Fakes.until(() -> Threads.named("libpool-idle").count() == 0);
  }

  /** Whether there is a thread of that name that runs this class; those that open and close have the same name. */
  private static boolean isAtWork(Class<?> type, String name) {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(each -> each.getKey().getName().equals(name))
        .flatMap(each -> Arrays.stream(each.getValue()))
        .anyMatch(frame -> frame.getClassName().equals(type.getName()));
  }

  @Test
  void aKeeperThatSleepsIsToldWhatIsDueSooner() throws Exception {
    try (var pool = fakes.builder().minIdle(1).maxIdle(1).maxLifetime(Duration.ofHours(1)).build()) {
      Fakes.until(() -> pool.len() == 1);
      for (int i = 0; i < 20; i++) {
        try (var lease = pool.get()) {
          Fakes.until(() -> pool.len() == 1);
        }
        Fakes.until(() -> pool.stats().open() == 1);
      }
    }
  }

  @Test
  void aForgottenPoolIsCollectedWithItsThread() throws Exception {
    var builder = Pool.builder(Object::new).name("gone").initial(1).idleTimeout(Duration.ofHours(1));
    var pool = new WeakReference<>(builder.build());
    Fakes.until(() -> Threads.named("libpool-gone").count() == 1);
    Fakes.until(
        () -> {
          System.gc();
          return pool.get() == null && Threads.named("libpool-gone").count() == 0;
        });
  }

  @Test
  void minOpenIsFilledAndLentOnesCount() throws Exception {
    try (var pool = fakes.builder().minOpen(2).maxOpen(4).build()) {
      Fakes.until(() -> pool.len() == 2);
      try (var lease = pool.get()) {
        assertEquals(2, pool.stats().open());
      }
      pool.flush();
      Fakes.until(() -> pool.len() == 2 && fakes.closed() == 2);
    }
  }

  @Test
  void aPoolMayBeginPaused() throws Exception {
    try (var pool = fakes.builder().initial(1).maxOpen(2).paused(true).build()) {
      assertEquals(1, pool.len());
      assertNull(pool.tryGet());
      assertEquals(0, pool.resume());
      pool.get().close();
      assertEquals(1, pool.stats().opened());
    }
  }

  @Test
  void aServerThatFailsIsAskedAgainLater() throws Exception {
    fakes.failOpens(new IOException("down"));
    try (var pool =
        fakes.builder().minIdle(1).retryMin(Duration.ofMillis(10)).retryMax(Duration.ofMillis(20)).build()) {
      Fakes.until(() -> pool.stats().openFailures() >= 3);
      fakes.failOpens(null);
      Fakes.until(() -> pool.len() == 1);
    }
  }

  @Test
  void whatIsIdleForTooLongIsClosed() throws Exception {
    try (var pool = fakes.builder().idleTimeout(Duration.ofMillis(40)).build()) {
      pool.get().close();
      Fakes.until(() -> pool.stats().closedIdle() == 1);
      assertEquals(0, pool.len());
      assertEquals(1, fakes.closed());
    }
  }

  @Test
  void whatIsTooOldIsClosed() throws Exception {
    try (var pool = fakes.builder().maxLifetime(Duration.ofMillis(80)).build()) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
        Thread.sleep(150);
        assertTrue(first.isOpen()); // lent
      }
      Fakes.until(() -> !first.isOpen());
      try (var lease = pool.get()) {
        assertNotSame(first, lease.conn());
      }
      assertTrue(pool.stats().closedLifetime() >= 1);
    }
  }

  @Test
  void whatIsIdleIsKeptAliveAndTheDeadAreFound() throws Exception {
    try (var pool = fakes.builder().keepalive(Duration.ofMillis(20)).checker(Fake::check).build()) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
      }
      Fakes.until(() -> pool.stats().checks() >= 2);
      assertTrue(first.isOpen());
      assertEquals(1, pool.stats().open()); // idle, or checked at this moment
      first.kill();
      Fakes.until(() -> !first.isOpen());
    }
  }

  @Test
  void aLeaseThatIsOutForTooLongIsReportedOnce() throws Exception {
    var leaks = new ConcurrentLinkedQueue<Leak>();
    try (var pool =
        fakes.builder().name("leaky").leakAfter(Duration.ofMillis(300)).leakReport(leaks::add).build()) {
      try (var lease = pool.get()) {
        Fakes.until(() -> !leaks.isEmpty());
        untilAnotherIsReported(pool, leaks);
        assertTrue(lease.conn().isOpen());
      }
      pool.get().close();
      untilAnotherIsReported(pool, leaks);
    }
    assertEquals(leaks.size(), leaks.stream().map(Leak::where).distinct().count()); // each lease has a place of its own
    assertEquals("leaky", leaks.peek().pool());
    assertFalse(leaks.peek().lost());
    assertTrue(
        List.of(leaks.peek().where().getStackTrace()).stream()
            .anyMatch(frame -> frame.getMethodName().equals("aLeaseThatIsOutForTooLongIsReportedOnce")));
  }

  /** The thread that got it stood still for so long, before it had noted where it was. */
  @Test
  void aLeaseThatIsOutForTooLongBeforeItIsWatchedIsReportedOnceItIs() throws Exception {
    var leaks = new ConcurrentLinkedQueue<Leak>();
    var told = new CountDownLatch(1);
    PoolBuilder<Fake, IOException> builder = fakes.builder().leakAfter(Duration.ofMillis(20)).leakReport(leaks::add);
    try (var pool = builder.events(event -> told.countDown()).set("event_mask", 1L << CoreConstants.POOL_EVENT_LEAKED).build()) {
      pool.get().close();
      var lease = new Lease<>(pool);
      lease.number = pool.begin(0, 0);
      assertTrue(told.await(60, TimeUnit.SECONDS));
      assertEquals(0, leaks.size());
      pool.watch(lease, lease.number);
      assertEquals(1, leaks.size());
      lease.close();
    }
    assertEquals(1, leaks.size());
  }

  /** Of a lease that is as long out as those before it have to be, for a second report. */
  private static void untilAnotherIsReported(Pool<Fake, IOException> pool, Collection<Leak> leaks) throws Exception {
    int before = leaks.size();
    try (var lease = pool.get()) {
      Fakes.until(() -> leaks.size() > before);
      assertTrue(lease.conn().isOpen());
    }
  }

  @Test
  void aLostLeaseIsReportedAndItsPlaceIsFreeAgain() throws Exception {
    var leaks = new ConcurrentLinkedQueue<Leak>();
    try (var pool = fakes.builder().maxOpen(1).leakReport(leaks::add).build()) {
      Fake lost = pool.get().conn();
      untilCollected(leaks);
      assertTrue(leaks.peek().lost());
      try (var lease = pool.get(Duration.ofSeconds(60))) {
        assertNotSame(lost, lease.conn());
      }
      Fakes.until(() -> !lost.isOpen());
      Fake kept;
      try (var lease = pool.get()) {
        kept = lease.conn();
      }
      loseOne();
      try (var lease = pool.get()) {
        assertSame(kept, lease.conn());
      }
    }
    assertEquals(1, leaks.size());
  }

  @Test
  void aGetThatFailsWithItsConnectionInHandIsNoLeak() throws Exception {
    var leaks = new ConcurrentLinkedQueue<Leak>();
    try (var pool = fakes.builder().maxOpen(1).leakReport(leaks::add).build()) {
      var failing =
          new Holding<>(pool) {
            @Override
            void begin() {
              throw new IllegalStateException("its driver refuses it");
            }
          };
      assertThrows(IllegalStateException.class, () -> pool.get(failing, 60_000));
      assertNull(failing.watch);
      pool.get(Duration.ofMinutes(1)).close();
    }
    assertEquals(0, leaks.size());
  }

  private static void untilCollected(Collection<Leak> leaks) throws InterruptedException {
    Fakes.until(
        () -> {
          System.gc();
          return !leaks.isEmpty();
        });
  }

  /** What was lost before this is, has been seen to. */
  private void loseOne() throws Exception {
    var leaks = new ConcurrentLinkedQueue<Leak>();
    try (var pool = fakes.builder().leakReport(leaks::add).build()) {
      assertTrue(pool.get().conn().isOpen());
      untilCollected(leaks);
    }
  }
}
