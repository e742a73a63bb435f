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
    assertTrue(threads.awaitTermination(60, TimeUnit.SECONDS));
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
    var late = new CountDownLatch(1);
    try (var pool =
        Pool.builder(
                () -> {
                  late.await();
                  return fakes.open();
                })
            .maxOpen(1)
            .build()) {
      String message =
          assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20))).getMessage();
      assertTrue(
          message.matches("pool: no connection in time: 0 ms went by in the queue, \\d{2,} ms in open.*"),
          message);
      late.countDown();
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
      try (var lease = pool.get(Duration.ofSeconds(60))) { // for an open may take longer
        for (int i = 0; i < 5; i++) {
          var thrown = new AtomicReference<PoolTimeoutException>();
          long took =
              millis(
                  () -> {
                    thrown.set(assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(50))));
                    return null;
                  });
          assertTrue(took >= 50 && took < 60_000, "took " + took + " ms");
          String message = thrown.get().getMessage();
          String expected =
              "short: no connection in time: \\d+ ms went by in the queue, 0 ms in open or check; "
                  + "1 of 1 are open, 1 leased, 0 idle, 0 wait(; the oldest lease is out for \\d+ ms)?"
                  + (Runtime.version().feature() < 21 ? HELD_BY_WAITERS : "");
          assertTrue(message.matches(expected), message);
          assertEquals(-4, thrown.get().code());
        }
        long took = millis(() -> assertThrows(PoolTimeoutException.class, pool::get));
        assertTrue(took >= 30 && took < 60_000, "took " + took + " ms");
        assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofNanos(1)));
        assertTrue(lease.conn().isOpen());
      }
      assertEquals(7, pool.stats().timedOut());
      pool.set("get_timeout_ms", 60_000); // for as long the close waits, too
      assertEquals(0, pool.stats().waiting());
    }
  }

  @Test
  void aPoolSaysHowItIs() throws Exception {
    try (var pool = fakes.builder().name("orders").maxOpen(1).build()) {
      assertEquals(
          new Health(Health.State.HEALTHY, "orders: healthy; 0 of 1 are open, 0 leased, 0 idle, 0 wait"), pool.health(null));
      try (var lease = pool.get()) {
        assertTrue(lease.conn().isOpen());
        assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(10)));
        for (Duration patience : List.of(Duration.ofHours(1), Duration.ofDays(300_000), Duration.ofSeconds(Long.MAX_VALUE))) {
          assertEquals(Health.State.BUSY, pool.health(patience).state());
        }
        assertThrows(IllegalArgumentException.class, () -> pool.health(Duration.ofMillis(-1)));
        assertThrows(IllegalArgumentException.class, () -> pool.health(Duration.ofSeconds(Long.MIN_VALUE)));
        while (pool.health(Duration.ofMillis(1)).state() != Health.State.STUCK) Thread.onSpinWait();
        assertTrue(pool.health(Duration.ofMillis(1)).reason().startsWith("orders: stuck: nothing came back for "));
      }
      assertEquals(Health.State.HEALTHY, pool.health(null).state());
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
      thread.join(60_000);
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
      assertEquals("pool: this pool is not paused", message);
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
      Fakes.until(() -> fakes.closed() == 2);
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

  /** Has a thread with little stack dive, from a place a little further down each time. */
  static void overflow(int times, Below below) throws Exception {
    int[] overflows = {0};
    for (int i = 0; i < times; i++) {
      int frames = i % 20;
      Thread deep =
          new Thread(
              null,
              () -> {
                try {
                  below.dive(frames);
                } catch (StackOverflowError e) {
                  overflows[0]++;
                } catch (Exception e) {
                  overflows[0] = Integer.MIN_VALUE;
                }
              },
              "deep",
              200_000);
      deep.start();
      deep.join();
    }
    assertEquals(times, overflows[0]);
  }

  private void nothingIsLost(Pool<Fake, IOException> pool) throws Exception {
    pool.adopt(); // as the next get does that is not served at once
    Fakes.until(() -> pool.stats().leased() + pool.stats().opening() + pool.stats().waiting() == 0);
    Fakes.until(() -> pool.stats().open() == pool.stats().idle());
    Fakes.until(() -> pool.refills.get() == 0); // else the keeper looks each second for what is over
    assertEquals(0, pool.pending());
    pool.close();
    fakes.finish();
  }

  /** Dives with so many frames above. */
  interface Below {
    void dive(int frames) throws Exception;
  }

  @Test
  void aStackOverflowInAGetLosesNoPlace() throws Exception {
    overflowInGets(fakes.builder().initial(4000).maxIdle(100_000).build(), 100_000);
  }

  /** Each get has a connection opened, so a thread is started in the last of the stack as well. */
  @Test
  void aStackOverflowInAGetThatOpensLosesNoPlace() throws Exception {
    overflowInGets(fakes.builder().maxOpen(10_000).maxIdle(1).build(), 10_000);
  }

  /** As of one whose stack ended before it could leave. */
  @Test
  void aGetThatIsGivenUpWaitsNoMore() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).build()) {
      var get = new Get<>(pool, 60_000, 0, false);
      pool.waiters().enter(1);
      get.entered = 1;
      pool.attends(1);
      get.attends = true;
      assertEquals(2, pool.pending());
      get.settle(pool);
      assertEquals(0, pool.pending());
    }
  }

  /** Of a pool that lends so many at most. */
  private void overflowInGets(Pool<Fake, IOException> pool, int most) throws Exception {
    var held = new Lease<?>[most];
    overflow(
        20,
        frames -> {
          try {
            diveBelow(frames, pool, held);
          } finally {
            giveBack(held);
          }
        });
    nothingIsLost(pool);
  }

  /** As of a get whose stack ended before it had read what the library said. */
  @Test
  void aPlaceInTheQueueOfWhichNobodyKnowsIsGivenUp() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).build()) {
      Lease<Fake> lent = pool.get();
      new Debt(pool.begin(60_000, 0)).settle(pool);
      Fakes.until(() -> pool.stats().waiting() == 0);
      lent.close();
      pool.get(Duration.ofMinutes(1)).close();
    }
    fakes.finish();
  }

  private static void giveBack(Lease<?>[] held) {
    for (int i = 0; i < held.length && held[i] != null; i++) {
      held[i].close();
      held[i] = null;
    }
  }

  @Test
  void aStackOverflowInACloseLosesNoPlace() throws Exception {
    for (boolean discards : new boolean[] {false, true}) {
      var pool = fakes.builder().resetter(Fake::reset).initial(1000).maxIdle(100_000).build();
      var held = new Lease<?>[100_000];
      overflow(
          20,
          frames -> {
            for (int i = 0; i < 1000; i++) {
              held[i] = pool.get();
            }
            try {
              endBelow(frames, held, discards);
            } finally { // a close that had no stack at all may be called once more
              giveBack(held);
            }
          });
      nothingIsLost(pool);
    }
  }

  private static void endBelow(int frames, Lease<?>[] held, boolean discards) {
    if (frames > 0) {
      endBelow(frames - 1, held, discards);
    } else {
      endAll(held, 0, discards);
    }
  }

  /** Ends a lease in each frame, the same once more if there are no others. */
  private static void endAll(Lease<?>[] held, int depth, boolean discards) {
    Lease<?> lease = held[depth % 1000];
    if (discards) {
      lease.discard();
    } else {
      lease.close();
    }
    endAll(held, depth + 1, discards);
  }
}
