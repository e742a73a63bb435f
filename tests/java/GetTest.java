// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Opening and waiting, and what goes wrong meanwhile. */
class GetTest {
  private static final String HELD_BY_WAITERS = "; each was held by a thread that itself waited for this pool";
  private final Fakes fakes = new Fakes();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void everythingWasClosedOnce() throws Exception {
    threads.shutdownNow();
    assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
    fakes.finish();
  }

  private static long millis(Callable<?> call) throws Exception {
    long began = System.nanoTime();
    call.call();
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
  }

  private static void untilWaiting(Pool<?, ?> pool, long waiting) throws InterruptedException {
    Fakes.until(() -> pool.stats().waiting() == waiting);
  }

  // ---- opening

  @Test
  void whatTheOpenerThrowsIsThrownAsItIs() throws Exception {
    try (var pool = fakes.pool(1)) {
      List<Throwable> failures =
          List.of(new IOException("checked"), new IllegalStateException("unchecked"), new StackOverflowError("error"));
      for (Throwable failure : failures) {
        fakes.failOpens(failure);
        assertSame(failure, assertThrows(Throwable.class, pool::get));
        assertSame(failure, assertThrows(Throwable.class, pool::tryGet));
      }
      assertEquals(0, pool.stats().open());
      assertEquals(6, pool.stats().openFailures());
      fakes.failOpens(null);
      pool.get().close(); // the place was not lost
    }
  }

  @Test
  void anOpenerThatReturnsNullIsTold() throws Exception {
    try (Pool<Fake, RuntimeException> pool = Pool.builder(() -> (Fake) null).maxOpen(1).build()) {
      for (int i = 0; i < 3; i++) {
        assertEquals(
            "the opener returned null", assertThrows(NullPointerException.class, pool::get).getMessage());
      }
      assertEquals(0, pool.stats().open());
    }
  }

  @Test
  void aFailedOpenLetsTheNextWaiterTry() throws Exception {
    var mayFail = new CountDownLatch(1);
    var first = new AtomicBoolean(true);
    try (var pool =
        Pool.builder(
                () -> {
                  if (first.getAndSet(false)) {
                    mayFail.await();
                    throw new IOException("first");
                  }
                  return fakes.open();
                })
            .maxOpen(1)
            .build()) {
      Future<?> failing = threads.submit(() -> pool.get());
      Fakes.until(() -> pool.stats().opening() == 1);
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      mayFail.countDown();
      Throwable failure = assertThrows(Exception.class, failing::get).getCause();
      assertEquals("first", failure.getMessage());
      waiting.get(60, TimeUnit.SECONDS).close();
    }
  }

  @Test
  void theBreakerFailsFastWithTheLastFailureAsItsCause() throws Exception {
    try (var pool =
        fakes.builder().retryMin(Duration.ofMillis(20)).retryMax(Duration.ofMillis(20)).breakerAfter(2).build()) {
      var failure = new IOException("down");
      fakes.failOpens(failure);
      Fakes.until(
          () -> {
            try {
              pool.tryGet();
            } catch (PoolOpenException e) {
              assertSame(failure, e.getCause());
              assertEquals(-5, e.code());
              return true;
            } catch (IOException e) {
              assertSame(failure, e);
            }
            return false;
          });
      fakes.failOpens(null);
      Fakes.until(
          () -> {
            try (var lease = pool.tryGet()) {
              return lease != null;
            } catch (IOException | PoolOpenException e) {
              return false;
            }
          });
    }
  }

  @Test
  void anOpenThatOutlastsTheTimeoutIsKeptForTheNext() throws Exception {
    try (var pool =
        Pool.builder(
                () -> {
                  Thread.sleep(60);
                  return fakes.open();
                })
            .maxOpen(1)
            .build()) {
      String message =
          assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20))).getMessage();
      assertTrue(
          message.matches("pool: no connection in time: 0 ms went by in the queue, \\d{2,} ms in open.*"),
          message);
      Fakes.until(() -> pool.len() == 1);
      pool.tryGet().close();
      assertEquals(1, fakes.opened());
    }
  }

  // ---- waiting

  @Test
  void whoWaitsGetsWhatIsGivenBack() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Fake connection = lease.conn();
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      lease.close();
      try (var next = waiting.get(60, TimeUnit.SECONDS)) {
        assertSame(connection, next.conn());
      }
    }
  }

  @Test
  void whoWaitsForADiscardedOneOpens() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      lease.discard();
      waiting.get(60, TimeUnit.SECONDS).close();
      assertEquals(2, fakes.opened());
    }
  }

  @Test
  void waitersAreServedInOrder() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).fairness(Duration.ZERO).build()) {
      var lease = pool.get();
      var order = new ConcurrentLinkedQueue<Integer>();
      List<Future<?>> futures = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        int number = i;
        futures.add(
            threads.submit(
                () -> {
                  try (var mine = pool.get()) {
                    return order.add(number);
                  }
                }));
        untilWaiting(pool, i + 1);
      }
      lease.close();
      for (Future<?> future : futures) {
        future.get(60, TimeUnit.SECONDS);
      }
      assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), List.copyOf(order));
    }
  }

  @Test
  void aTimeoutIsKept() throws Exception {
    try (var pool = fakes.builder().name("short").maxOpen(1).getTimeout(Duration.ofMillis(30)).build()) {
      try (var lease = pool.get()) {
        for (int i = 0; i < 5; i++) {
          var thrown = new AtomicReference<PoolTimeoutException>();
          long took =
              millis(
                  () -> {
                    thrown.set(assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(50))));
                    return null;
                  });
          assertTrue(took >= 50 && took < 5000, "took " + took + " ms");
          String message = thrown.get().getMessage();
          String expected =
              "short: no connection in time: \\d+ ms went by in the queue, 0 ms in open or check; "
                  + "1 are open, 1 leased, 0 idle, 0 wait"
                  + (Runtime.version().feature() < 21 ? HELD_BY_WAITERS : "");
          assertTrue(message.matches(expected), message);
          assertEquals(-4, thrown.get().code());
        }
        long took = millis(() -> assertThrows(PoolTimeoutException.class, pool::get));
        assertTrue(took >= 30 && took < 5000, "took " + took + " ms");
        assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofNanos(1)));
        assertTrue(lease.conn().isOpen());
      }
      assertEquals(7, pool.stats().timedOut());
      assertEquals(0, pool.stats().waiting());
    }
  }

  @Test
  void aTimeoutSaysThatThePoolIsPaused() throws Exception {
    try (var pool = fakes.builder().name("quiet").paused(true).build()) {
      String message = assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20))).getMessage();
      String expected =
          "quiet: no connection in time: \\d+ ms went by in the queue, 0 ms in open or check; "
              + "0 are open, 0 leased, 0 idle, 0 wait; the pool is paused";
      assertTrue(message.matches(expected), message);
    }
  }

  @Test
  void forEverIsLonger() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Future<Lease<Fake>> waiting =
          threads.submit(() -> pool.get(java.time.temporal.ChronoUnit.FOREVER.getDuration()));
      untilWaiting(pool, 1);
      lease.close();
      waiting.get(60, TimeUnit.SECONDS).close();
    }
  }

  @Test
  void tooManyWaitersAreRefused() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).maxWaiters(1).build()) {
      var lease = pool.get();
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      var refused = assertThrows(PoolOverloadException.class, pool::get);
      assertEquals("pool: too many are waiting or under way already", refused.getMessage());
      assertNull(pool.tryGet());
      lease.close();
      waiting.get(60, TimeUnit.SECONDS).close();
    }
  }

  @Test
  void anInterruptEndsTheWait() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      var cleared = new AtomicBoolean();
      Thread thread =
          new Thread(
              () -> {
                assertThrows(InterruptedException.class, pool::get);
                cleared.set(!Thread.currentThread().isInterrupted());
              });
      thread.start();
      untilWaiting(pool, 1);
      thread.interrupt();
      thread.join(10_000);
      assertFalse(thread.isAlive());
      assertTrue(cleared.get());
      assertEquals(0, pool.stats().waiting());
      assertEquals(1, pool.stats().cancelled());
      Thread.currentThread().interrupt(); // before the wait
      assertThrows(InterruptedException.class, pool::get);
      Thread.currentThread().interrupt();
      lease.close(); // who need not wait does not look
      pool.get().close();
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void aPausedPoolMakesWaitAndAResumedOneServes() throws Exception {
    try (var pool = fakes.pool(2)) {
      assertEquals(0, pool.pause());
      assertEquals(0, pool.pause());
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      assertEquals(1, pool.resume());
      assertFalse(waiting.isDone());
      assertEquals(0, pool.resume());
      waiting.get(60, TimeUnit.SECONDS).close();
      String message = assertThrows(IllegalArgumentException.class, pool::resume).getMessage();
      assertEquals("pool is not paused", message);
    }
  }

  @Test
  void aLargerPoolServesWhoWaits() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Future<Lease<Fake>> waiting = threads.submit(() -> pool.get());
      untilWaiting(pool, 1);
      pool.resize(2);
      waiting.get(60, TimeUnit.SECONDS).close();
      lease.close();
      assertEquals(0, pool.resize(1));
      assertEquals(1, pool.len());
      assertEquals(1, fakes.closed());
    }
  }

  @Test
  void aFlushReplaces() throws Exception {
    try (var pool = fakes.pool(2)) {
      var lease = pool.get();
      pool.get().close();
      assertEquals(2, pool.flush());
      assertEquals(1, fakes.closed());
      lease.close();
      assertEquals(2, fakes.closed());
      pool.get().close();
      assertEquals(3, fakes.opened());
    }
  }

  // ---- stack

  /** Gets a connection in each frame, until the stack is full. */
  private static void dive(Pool<Fake, IOException> pool, Lease<?>[] held, int depth) throws Exception {
    held[depth] = pool.get();
    dive(pool, held, depth + 1);
  }

  /** Somebody else's frames, which move the place where the stack is full. */
  private static void diveBelow(int frames, Pool<Fake, IOException> pool, Lease<?>[] held) throws Exception {
    if (frames > 0) {
      diveBelow(frames - 1, pool, held);
    } else {
      dive(pool, held, 0);
    }
  }

  @Test
  void aStackOverflowInAGetLosesNoPlace() throws Exception {
    int[] overflows = {0};
    try (var pool = fakes.builder().initial(4000).maxIdle(100_000).build()) {
      var held = new Lease<?>[100_000];
      for (int i = 0; i < 20; i++) {
        int frames = i;
        Thread deep =
            new Thread(
                null,
                () -> {
                  try {
                    diveBelow(frames, pool, held);
                  } catch (StackOverflowError e) {
                    overflows[0]++;
                  } catch (Exception e) {
                    fakes.fault(e.toString());
                  }
                },
                "deep",
                200_000);
        deep.start();
        deep.join();
        for (int j = 0; j < held.length && held[j] != null; j++) {
          held[j].close();
          held[j] = null;
        }
      }
      assertEquals(20, overflows[0]);
      pool.adopt(); // as the next get does that is not served at once
      Fakes.until(() -> pool.stats().leased() == 0 && pool.stats().open() == pool.stats().idle());
    }
  }
}
