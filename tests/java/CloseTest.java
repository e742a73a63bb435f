// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Closing a pool, also while it is used. */
class CloseTest {
  private final Fakes fakes = new Fakes();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void everythingWasClosedOnce() throws Exception {
    threads.shutdownNow();
    assertTrue(threads.awaitTermination(60, TimeUnit.SECONDS));
    fakes.finish();
  }

  @Test
  void aClosedPoolLendsNothing() throws Exception {
    var pool = fakes.pool(2);
    pool.get().close();
    pool.close();
    pool.close();
    assertEquals(0, pool.close(Duration.ZERO));
    var closed = assertThrows(PoolClosedException.class, pool::get);
    assertEquals("pool: pool is closed", closed.getMessage());
    assertEquals(-3, closed.code());
    assertThrows(PoolClosedException.class, pool::tryGet);
    assertThrows(PoolClosedException.class, () -> pool.get(Duration.ofSeconds(1)));
    assertThrows(PoolClosedException.class, pool::pause);
    assertThrows(PoolClosedException.class, () -> pool.resize(3));
    assertEquals(0, pool.len());
    assertEquals(0, pool.stats().open());
    assertEquals(1, pool.stats().closed());
  }

  @Test
  void whatIsClosedAsItGoesEndsOnce() throws Exception {
    var ends = new AtomicInteger();
    var remains = new Remains(new Object(), ends::incrementAndGet);
    Fakes.until(() -> collected(ends));
    remains.close();
    for (int i = 0; i < 10; i++) {
      System.gc();
      new Remains(this, () -> {}); // which looks for what is gone
    }
    assertEquals(1, ends.get());
  }

  private static boolean collected(AtomicInteger ends) {
    System.gc();
    return ends.get() == 1;
  }

  @Test
  void whatIsLentIsClosedWhenItComesBack() throws Exception {
    var pool = fakes.pool(2);
    var lease = pool.get();
    pool.get().close();
    assertEquals(1, pool.close(Duration.ZERO));
    assertEquals(1, pool.close(Duration.ofMillis(5)));
    assertTrue(lease.conn().isOpen());
    lease.close();
    assertEquals(0, pool.close(Duration.ofSeconds(60)));
  }

  @Test
  void whatIsBeingClosedIsNotCounted() throws Exception {
    var begun = new CountDownLatch(1);
    var mayEnd = new CountDownLatch(1);
    var pool =
        fakes
            .builder()
            .closer(
                fake -> {
                  begun.countDown();
                  mayEnd.await();
                  fake.close();
                })
            .build();
    pool.promptnessMs = 60_000;
    pool.get().discard();
    begun.await();
    var closing = new FutureTask<>(() -> pool.close(Duration.ZERO));
    Thread closer = new Thread(closing);
    closer.start();
    Fakes.until(() -> closing.isDone() || closer.getState() == Thread.State.TIMED_WAITING);
    mayEnd.countDown();
    assertEquals(0, closing.get());
  }

  @Test
  void closeDrains() throws Exception {
    var pool = fakes.pool(2);
    var lease = pool.get();
    Future<Integer> closing = threads.submit(() -> pool.close(Duration.ofSeconds(60)));
    Fakes.until(pool::isClosed);
    assertEquals(1, pool.close(Duration.ZERO));
    assertFalse(closing.isDone());
    lease.close();
    assertEquals(0, closing.get(60, TimeUnit.SECONDS));
  }

  @Test
  void whoWaitsIsTold() throws Exception {
    var pool = fakes.pool(1);
    var lease = pool.get();
    Future<?>[] waiting = new Future<?>[5];
    for (int i = 0; i < waiting.length; i++) {
      waiting[i] = threads.submit(() -> pool.get());
    }
    Fakes.until(() -> pool.stats().waiting() == waiting.length);
    assertEquals(1, pool.close(Duration.ZERO));
    for (Future<?> each : waiting) {
      var failure = assertThrows(ExecutionException.class, () -> each.get(60, TimeUnit.SECONDS));
      assertEquals(PoolClosedException.class, failure.getCause().getClass());
    }
    lease.close();
    assertEquals(0, pool.close(Duration.ofSeconds(60))); // the last connection may be closed by another thread
  }

  @Test
  void whatIsBeingOpenedIsClosedAtOnce() throws Exception {
    var mayOpen = new CountDownLatch(1);
    Pool<Fake, Exception> pool =
        Pool.<Fake, Exception>builder(
                () -> {
                  mayOpen.await();
                  return fakes.open();
                })
            .build();
    Future<?> opening = threads.submit(() -> pool.get());
    Fakes.until(() -> pool.stats().opening() == 1);
    assertEquals(1, pool.close(Duration.ZERO));
    Future<Integer> closing = threads.submit(() -> pool.close(Duration.ofSeconds(60)));
    mayOpen.countDown();
    var failure = assertThrows(ExecutionException.class, () -> opening.get(60, TimeUnit.SECONDS));
    assertEquals(PoolClosedException.class, failure.getCause().getClass());
    assertEquals(0, closing.get(60, TimeUnit.SECONDS));
    assertEquals(1, fakes.closed());
  }

  @Test
  void anInterruptEndsTheDrainAndStays() throws Exception {
    var pool = fakes.pool(1);
    var lease = pool.get();
    Thread.currentThread().interrupt();
    pool.close();
    assertTrue(Thread.interrupted());
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, () -> pool.close(Duration.ofSeconds(60)));
    lease.close();
    Fakes.until(() -> pool.stats().open() == 0);
  }

  @Test
  void aPoolThatCannotBeFilledIsClosed() throws Exception {
    int[] opened = {0};
    var builder =
        Pool.builder(
                () -> {
                  if (opened[0]++ == 2) {
                    throw new IOException("third");
                  }
                  return fakes.open();
                })
            .initial(3)
            .maxOpen(3);
    assertEquals("third", assertThrows(IOException.class, builder::build).getMessage());
    assertEquals(2, fakes.closed());
    try (var pool = fakes.builder().initial(3).build()) {
      assertEquals(3, pool.len());
    }
  }

  @Test
  void manyPoolsComeAndGo() throws Exception {
    for (int i = 0; i < 300; i++) {
      try (var pool = fakes.pool(3);
          var lease = pool.get();
          var other = pool.get()) {
        lease.conn().use();
        other.conn().use();
      }
    }
  }
}
