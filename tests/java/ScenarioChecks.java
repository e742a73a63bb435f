// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The cases of the common list that are no list of steps. */
final class ScenarioChecks {
  private static final Duration LONG = Duration.ofSeconds(60);

  private final JsonObject scenario;
  private final Fakes fakes = new Fakes();

  ScenarioChecks(JsonObject scenario) {
    this.scenario = scenario;
  }

  void run(String name) throws Exception {
    switch (name) {
      case "no_factory" -> noFactory();
      case "interrupt_at_every_point" -> interruptAtEveryPoint();
      case "random_cancellations" -> randomCancellations();
      case "many_waiters" -> manyWaiters();
      default -> throw new AssertionError("no such check for Java: " + name);
    }
    fakes.finish();
  }

  private int number(String name) {
    return scenario.get(name).getAsInt();
  }

  private int cap() {
    return scenario.getAsJsonObject("pool").get("max_open").getAsInt();
  }

  /** Nobody has a connection or waits for one, and all that the pool may have can be lent at one time. */
  private static void nothingIsLost(Pool<Fake, ?> pool, int cap) throws Exception {
    PoolStats stats = pool.stats();
    assertEquals(0, stats.leased());
    assertEquals(0, stats.waiting());
    assertEquals(0, stats.opening());
    assertEquals(stats.open(), stats.idle());
    List<Lease<Fake>> leases = new ArrayList<>();
    for (int i = 0; i < cap; i++) {
      leases.add(pool.get(LONG));
    }
    assertNull(pool.tryGet());
    leases.forEach(Lease::close);
    assertEquals(0, pool.close(LONG));
  }

  private static void noFactory() {
    assertThrows(NullPointerException.class, () -> Pool.builder(null));
  }

  // ---- interrupts

  private void interruptAtEveryPoint() throws Exception {
    onThreadOfItsOwn(this::before);
    whileWaiting();
    whileOpening();
    onThreadOfItsOwn(this::whileUsing);
    whileClosing();
  }

  private interface Body {
    void run() throws Exception;
  }

  private static void onThreadOfItsOwn(Body body) throws Exception {
    Threads.begin(
            () -> {
              body.run();
              return null;
            })
        .get(60, TimeUnit.SECONDS);
  }

  /** A get that need not wait is served, and its thread remains interrupted; one that would have to wait gets nothing. */
  private void before() throws Exception {
    try (var pool = fakes.pool(1)) {
      Thread.currentThread().interrupt();
      Lease<Fake> opened = pool.tryGet();
      opened.close();
      Lease<Fake> idle = pool.get(LONG);
      assertTrue(Thread.currentThread().isInterrupted());
      assertThrows(InterruptedException.class, () -> pool.get(LONG));
      assertFalse(Thread.currentThread().isInterrupted());
      assertEquals(0, pool.stats().waiting());
      idle.close();
      nothingIsLost(pool, 1);
    }
  }

  private void whileWaiting() throws Exception {
    try (var pool = fakes.pool(1)) {
      Lease<Fake> only = pool.get(LONG);
      for (int i = 0; i < 100; i++) {
        var waiting = Threads.begin(() -> pool.get(LONG));
        Fakes.until(() -> pool.stats().waiting() == 1);
        waiting.interrupt();
        assertInterrupted(waiting);
        assertEquals(0, pool.stats().waiting());
      }
      only.close();
      nothingIsLost(pool, 1);
    }
  }

  private static void assertInterrupted(Threads.Task<?> task) {
    Throwable failure = assertThrows(ExecutionException.class, () -> task.get(60, TimeUnit.SECONDS)).getCause();
    assertSame(InterruptedException.class, failure.getClass());
  }

  /** The wait ends, the open goes on, and its connection is for the next. */
  private void whileOpening() throws Exception {
    var opening = new CountDownLatch(1);
    var mayOpen = new CountDownLatch(1);
    var interrupted = new AtomicInteger();
    Opener<Fake, IOException> opener =
        () -> {
          opening.countDown();
          try {
            mayOpen.await();
          } catch (InterruptedException e) {
            interrupted.incrementAndGet();
          }
          return fakes.open();
        };
    try (var pool = Pool.builder(opener).maxOpen(1).build()) {
      var getting = Threads.begin(() -> pool.get(LONG));
      opening.await();
      getting.interrupt();
      assertInterrupted(getting);
      mayOpen.countDown();
      Fakes.until(() -> pool.len() == 1);
      assertEquals(0, interrupted.get());
      nothingIsLost(pool, 1);
    }
  }

  /** Also what runs while the lease ends does not mind, and the interrupt stays for who asked for it. */
  private void whileUsing() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).resetter(Fake::reset).build()) {
      Lease<Fake> kept = pool.get(LONG);
      Thread.currentThread().interrupt();
      kept.conn().use();
      kept.close();
      assertEquals(1, pool.stats().idle());
      pool.tryGet().discard();
      assertTrue(Thread.interrupted());
      Fakes.until(() -> pool.stats().open() == 0); // a thread of the pool closes it
      nothingIsLost(pool, 1);
    }
  }

  private void whileClosing() throws Exception {
    try (var pool = fakes.pool(1)) {
      Lease<Fake> lease = pool.get(LONG);
      var draining = Threads.begin(() -> pool.close(LONG));
      Fakes.until(pool::isClosed);
      draining.interrupt();
      assertInterrupted(draining);
      var closing =
          Threads.begin(
              () -> {
                pool.close();
                return Thread.currentThread().isInterrupted();
              });
      closing.interrupt();
      assertTrue(closing.get(60, TimeUnit.SECONDS), "the interrupt got lost");
      assertEquals(1, pool.stats().leased());
      lease.close();
      assertEquals(0, pool.close(LONG));
    }
  }

  // ---- many

  private void randomCancellations() throws Exception {
    int cancellations = number("cancellations");
    int count = number("workers");
    var pool = fakes.pool(cap());
    var served = new AtomicInteger();
    var cancelled = new AtomicInteger();
    List<Threads.Task<Void>> workers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      var random = new SplittableRandom(i);
      workers.add(
          Threads.prepare(
              () -> {
                while (cancelled.get() < cancellations) {
                  if (random.nextInt(3) == 0) {
                    workers.get(random.nextInt(count)).interrupt();
                  }
                  try (var lease = pool.get(LONG)) {
                    served.incrementAndGet();
                    lease.conn().use();
                    for (int k = random.nextInt(8); k > 0; k--) {
                      Thread.yield(); // so that others have to wait
                    }
                    if (random.nextInt(100) == 0) {
                      lease.discard();
                    }
                  } catch (InterruptedException e) {
                    cancelled.incrementAndGet();
                  }
                }
                return null;
              }));
    }
    workers.forEach(Threads.Task::start);
    for (Threads.Task<Void> worker : workers) {
      worker.get(600, TimeUnit.SECONDS); // their yields last long on a machine that is busy
    }
    assertTrue(served.get() > 0, "nobody was served");
    long ended = pool.stats().lent(); // also those that came at the moment of an interrupt, which nobody got
    assertTrue(ended >= served.get() && ended <= served.get() + cancelled.get(), () -> ended + " leases ended, " + served + " were served");
    nothingIsLost(pool, cap());
  }

  /** Platform threads are threads of the system; then it is only seen that the pool takes none. */
  private void manyWaiters() throws Exception {
    int waiters = number("waiters");
    int own = Threads.VIRTUAL ? 0 : waiters;
    var pool = fakes.pool(cap());
    List<Lease<Fake>> held = new ArrayList<>();
    for (int i = 0; i < cap(); i++) {
      held.add(pool.get(LONG));
    }
    List<Threads.Task<Void>> waiting = new ArrayList<>();
    for (int i = 0; i < waiters; i++) {
      waiting.add(
          Threads.begin(
              () -> {
                try (var lease = pool.get(LONG)) {
                  lease.conn().use();
                }
                return null;
              }));
    }
    Fakes.until(() -> pool.stats().waiting() == waiters);
    int threads = Threads.ofTheSystem() - own;
    assertTrue(threads <= number("threads_at_most"), () -> "the process has " + threads + " threads");
    held.forEach(Lease::close);
    for (Threads.Task<Void> each : waiting) {
      each.get(60, TimeUnit.SECONDS);
    }
    assertEquals(waiters, pool.stats().waited());
    nothingIsLost(pool, cap());
  }
}
