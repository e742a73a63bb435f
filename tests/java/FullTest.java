// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A server that takes so many connections and refuses more, and connections that broke. */
class FullTest {
  private final Fakes fakes = new Fakes();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final AtomicInteger taken = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();
  private volatile int limit;

  @AfterEach
  void everythingWasClosedOnce() throws Exception {
    threads.shutdownNow();
    assertTrue(threads.awaitTermination(60, TimeUnit.SECONDS));
    fakes.finish();
  }

  private PoolBuilder<Fake, IOException> full(int limit) {
    this.limit = limit;
    Opener<Fake, IOException> opener =
        () -> {
          if (taken.incrementAndGet() > this.limit) {
            taken.decrementAndGet();
            refused.incrementAndGet();
            throw new IOException("too many connections");
          }
          return fakes.open();
        };
    return Pool.builder(opener)
        .closer(
            connection -> {
              taken.decrementAndGet();
              connection.close();
            });
  }

  /** Begins a get, whose open fails, and which waits. */
  private <T> Future<T> begin(Pool<?, ?> pool, Callable<T> get) throws InterruptedException {
    Future<T> future = threads.submit(get);
    Fakes.until(() -> refused.get() > 0 && pool.stats().waiting() == 1);
    return future;
  }

  // ---- a full server

  @Test
  void noGetFailsBecauseTheServerIsFull() throws Exception {
    noneFails(full(11).maxOpen(20));
    noneFails(
        full(11)
            .maxOpen(20)
            .retryMin(Duration.ofMillis(10))
            .retryMax(Duration.ofSeconds(1))
            .breakerAfter(3));
  }

  private void noneFails(PoolBuilder<Fake, IOException> builder) throws Exception {
    refused.set(0);
    var running = new AtomicInteger(40);
    try (var pool = builder.build()) {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        all.add(
            threads.submit(
                () -> {
                  for (int j = 0; j < 40; j++) {
                    try (var lease = pool.get()) {
                      lease.conn().use();
                      // held until another waits, as long as there are more of them than places
                      Fakes.until(() -> pool.stats().waiting() > 0 || running.get() <= limit);
                    }
                  }
                  running.decrementAndGet();
                  return null;
                }));
      }
      for (Future<?> each : all) {
        each.get(60, TimeUnit.SECONDS);
      }
      assertTrue(refused.get() > 0);
      var stats = pool.stats();
      assertEquals(1600, stats.lent());
      assertEquals(0, stats.waiting() + stats.failedOpen() + stats.failedFast());
    }
  }

  @Test
  void aGetWhoseOpenFailedIsGivenWhatComesBack() throws Exception {
    try (var pool = full(1).maxOpen(2).build()) {
      var held = pool.get();
      Fake connection = held.conn();
      Future<Lease<Fake>> waiting = begin(pool, () -> pool.get());
      held.close();
      try (var lease = waiting.get(60, TimeUnit.SECONDS)) {
        assertSame(connection, lease.conn());
      }
      assertEquals(1, fakes.opened());
    }
  }

  @Test
  void oneThatWaitsInVainIsToldWhyNoneCouldBeOpened() throws Exception {
    try (var pool = full(1).maxOpen(3).build()) {
      try (var held = pool.get()) {
        var timeout = assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofSeconds(1)));
        assertInstanceOf(IOException.class, timeout.getCause());
        assertEquals("too many connections", timeout.getCause().getMessage());
        String why = ".* in open or check: java\\.io\\.IOException: too many connections; [12] of 3 are open, .*"; // it tries still
        assertTrue(timeout.getMessage().matches(why), timeout.getMessage());
        assertTrue(refused.get() >= 2); // it opened again, as the back-off permits
        held.conn().use();
      }
      Fakes.until(() -> pool.stats().open() == 1);
      var stats = pool.stats();
      assertEquals(List.of(1L, 0L, 0L), List.of(stats.timedOut(), stats.cancelled(), stats.waiting()));
      pool.get().close();
      limit = 2;
      try (var one = pool.get();
          var two = pool.get()) { // which succeeds in opening, so there is nothing to say any more
        assertNotSame(one.conn(), two.conn());
        limit = 0;
      }
    }
  }

  @Test
  void nothingIsLeftThatCouldCome() throws Exception {
    try (var pool = full(1).maxOpen(2).build()) {
      var held = pool.get();
      Future<Lease<Fake>> waiting = begin(pool, () -> pool.get());
      limit = 0;
      held.discard();
      Throwable failure = assertThrows(ExecutionException.class, () -> waiting.get(60, TimeUnit.SECONDS)).getCause();
      assertInstanceOf(IOException.class, failure);
      assertEquals("too many connections", failure.getMessage());
      assertNull(failure.getCause());
    }
  }

  @Test
  void oneThatIsInterruptedAfterItsOpenFailedLeavesTheQueue() throws Exception {
    try (var pool = full(1).maxOpen(2).build()) {
      var held = pool.get();
      Future<Lease<Fake>> waiting = begin(pool, () -> pool.get());
      waiting.cancel(true);
      Fakes.until(() -> pool.stats().waiting() == 0);
      held.close();
      pool.get().close();
    }
  }

  @Test
  void anErrorOfTheOpenerLeavesAtOnce() throws Exception {
    try (var pool = fakes.pool(2)) {
      try (var held = pool.get()) {
        fakes.failOpens(new StackOverflowError("error"));
        assertThrows(StackOverflowError.class, pool::get);
        assertEquals(0, pool.stats().waiting());
        held.conn().use();
      }
      pool.get().close();
    }
  }

  @Test
  void thoseThatWaitAreEvicted() throws Exception {
    try (var pool = fakes.pool(1)) {
      try (var held = pool.get()) {
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
          all.add(threads.submit(() -> pool.get()));
        }
        Fakes.until(() -> pool.stats().waiting() == 3);
        assertEquals(3, pool.evict());
        for (Future<?> each : all) {
          Throwable failure = assertThrows(ExecutionException.class, () -> each.get(60, TimeUnit.SECONDS)).getCause();
          assertInstanceOf(PoolEvictedException.class, failure);
        }
        assertEquals(3, pool.stats().evicted());
        held.conn().use();
      }
    }
  }

  // ---- what broke

  @Test
  void aBrokenConnectionThrowsSuspicionOnTheOthers() throws Exception {
    var dead = new AtomicBoolean();
    try (var pool =
        fakes.builder().maxOpen(4).checkAfter(Duration.ofHours(1)).checker(connection -> !dead.get()).build()) {
      List<Lease<Fake>> leases = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        leases.add(pool.get());
      }
      leases.subList(1, 4).forEach(Lease::close);
      dead.set(true);
      leases.get(0).discardBroken();
      leases.get(0).discardBroken();
      Fakes.until(() -> pool.stats().open() == 0);
      assertEquals(1, pool.stats().checkFailures());
      assertEquals(1, pool.stats().closedUnusable());
      assertEquals(4, fakes.closed());
    }
  }

  @Test
  void aCheckThatTakesTooLongHasFailed() throws Exception {
    try (var pool =
        fakes
            .builder()
            .maxOpen(1)
            .checkAfter(Duration.ZERO)
            .checkTimeout(Duration.ofMillis(5))
            .checker(
                connection -> {
                  Thread.sleep(20);
                  return true;
                })
            .build()) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
      }
      try (var lease = pool.get()) {
        assertNotSame(first, lease.conn());
      }
      assertEquals(1, pool.stats().checkFailures());
    }
  }
}
