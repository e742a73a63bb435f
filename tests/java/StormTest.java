// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Many threads, and interrupts at any moment. */
class StormTest {
  private final Fakes fakes = new Fakes();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  private interface Body {
    void run(SplittableRandom random) throws Exception;
  }

  private List<Thread> start(int count, Body body) {
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int seed = i;
      Thread thread =
          new Thread(
              () -> {
                try {
                  body.run(new SplittableRandom(seed));
                } catch (Throwable e) {
                  failure.compareAndSet(null, e);
                }
              });
      threads.add(thread);
      thread.start();
    }
    return threads;
  }

  private void finish(List<Thread> threads) throws Exception {
    for (Thread thread : threads) {
      thread.join(100_000);
      assertTrue(!thread.isAlive(), "a thread hangs");
    }
    if (failure.get() != null) {
      throw new AssertionError(failure.get());
    }
  }

  private void nothingIsLost(Pool<Fake, IOException> pool, int cap) throws Exception {
    PoolStats stats = pool.stats();
    assertEquals(0, stats.leased());
    assertEquals(0, stats.waiting());
    assertEquals(stats.open(), stats.idle());
    List<Lease<Fake>> leases = new ArrayList<>();
    for (int i = 0; i < cap; i++) {
      leases.add(pool.get(Duration.ofSeconds(1)));
    }
    leases.forEach(Lease::close);
    assertEquals(0, pool.close(Duration.ofSeconds(60)));
    fakes.finish();
  }

  @Test
  void manyThreadsShareFewConnections() throws Exception {
    for (Duration fairness : new Duration[] {Duration.ZERO, Duration.ofMillis(1)}) {
      var pool = fakes.builder().maxOpen(3).maxOpening(1).fairness(fairness).resetter(Fake::reset).build();
      finish(
          start(
              12,
              random -> {
                for (int i = 0; i < 1500; i++) {
                  try (var lease = pool.get(Duration.ofSeconds(60))) {
                    lease.conn().use();
                    if (random.nextInt(8) == 0) {
                      Thread.yield();
                    }
                    if (random.nextInt(50) == 0) {
                      lease.discard();
                    }
                  }
                }
              }));
      assertEquals(12 * 1500, pool.stats().lent());
      nothingIsLost(pool, 3);
    }
  }

  @Test
  void shortTimeoutsLoseNothing() throws Exception {
    var pool = fakes.pool(2);
    var served = new AtomicInteger();
    finish(
        start(
            8,
            random -> {
              for (int i = 0; i < 400; i++) {
                try (var lease = pool.get(Duration.ofMillis(1 + random.nextInt(3)))) {
                  lease.conn().use();
                  served.incrementAndGet();
                  if (random.nextInt(4) == 0) {
                    Thread.sleep(1);
                  }
                } catch (PoolTimeoutException e) {
                  // as asked
                }
              }
            }));
    assertTrue(served.get() > 100, served + " were served");
    nothingIsLost(pool, 2);
  }

  @Test
  void tenThousandInterruptsLoseNoLease() throws Exception {
    var pool = fakes.pool(2);
    var interrupted = new AtomicInteger();
    var served = new AtomicInteger();
    int wanted = 10_000;
    List<Thread> workers =
        start(
            6,
            random -> {
              while (interrupted.get() < wanted) {
                try (var lease = pool.get(Duration.ofSeconds(60))) {
                  lease.conn().use();
                  served.incrementAndGet();
                  if (random.nextInt(20) == 0) {
                    lease.discard();
                  }
                  for (int i = random.nextInt(3000); i > 0; i--) {
                    Thread.onSpinWait();
                  }
                } catch (InterruptedException e) {
                  interrupted.incrementAndGet();
                }
              }
            });
    var random = new SplittableRandom(4711);
    while (interrupted.get() < wanted && workers.stream().anyMatch(Thread::isAlive)) {
      workers.get(random.nextInt(workers.size())).interrupt();
      for (int i = random.nextInt(2000); i > 0; i--) {
        Thread.onSpinWait();
      }
    }
    finish(workers);
    assertTrue(served.get() > 1000, served + " were served");
    assertTrue(interrupted.get() >= wanted);
    nothingIsLost(pool, 2);
  }

  @Test
  void amidATumultEachEventIsToldOrCounted() throws Exception {
    var told = new AtomicLong();
    var lost = new AtomicLong();
    long mask = 1L << CoreConstants.POOL_EVENT_LENT | 1L << CoreConstants.POOL_EVENT_TIMED_OUT;
    var pool =
        fakes
            .builder()
            .maxOpen(3)
            .resetter(Fake::reset)
            .events(
                event -> {
                  told.incrementAndGet();
                  lost.addAndGet(event.lost());
                })
            .set("event_mask", mask)
            .set("background_reset", 1)
            .build();
    finish(
        start(
            8,
            random -> {
              for (int i = 0; i < 500; i++) {
                try (var lease = pool.get(Duration.ofMillis(1 + random.nextInt(20)))) {
                  lease.conn().use();
                  if (random.nextInt(20) == 0) {
                    Thread.sleep(1);
                  }
                } catch (PoolTimeoutException e) {
                  // counted below
                }
              }
            }));
    Fakes.until(() -> pool.stats().leased() == 0 && pool.stats().idle() == pool.stats().open());
    nothingIsLost(pool, 3);
    var stats = pool.stats();
    assertEquals(stats.lent() + stats.timedOut(), told.get() + lost.get());
  }

  @Test
  void closingAmidATumultLosesNothing() throws Exception {
    for (int round = 0; round < 50; round++) {
      var pool = fakes.pool(3);
      List<Thread> workers =
          start(
              6,
              random -> {
                try {
                  for (; ; ) {
                    try (var lease = pool.get()) {
                      lease.conn().use();
                    }
                  }
                } catch (PoolClosedException e) {
                  // as it should be
                }
              });
      Thread.sleep(round % 5);
      assertEquals(0, pool.close(Duration.ofSeconds(60)));
      finish(workers);
    }
    fakes.finish();
  }
}
