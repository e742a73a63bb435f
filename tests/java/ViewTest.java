// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Lending and giving back by the library's words, without a call. */
class ViewTest {
  private static final int TIMED = 1024; // one of so many leases of a connection

  private final Fakes fakes = new Fakes();

  @AfterEach
  void everythingWasClosedOnce() {
    fakes.finish();
  }

  /** A failure does not wait for long for what it has left out. */
  private PoolBuilder<Fake, IOException> builder(int size) {
    return fakes.builder().maxOpen(size).getTimeout(Duration.ofSeconds(5));
  }

  private Pool<Fake, IOException> pool(int size) throws IOException {
    return builder(size).build();
  }

  /** Gives the first lease of each slot back, which is timed. */
  private static <X extends Exception> void use(Pool<?, X> pool, int connections) throws Exception {
    List<Lease<?>> leases = new ArrayList<>();
    for (int i = 0; i < connections; i++) {
      leases.add(pool.get());
    }
    leases.forEach(Lease::close);
  }

  private static <T> T inThread(Thread thread, FutureTask<T> task) throws Exception {
    thread.start();
    T result = task.get();
    thread.join();
    return result;
  }

  private static <T> T inAnother(Callable<T> what) throws Exception {
    FutureTask<T> task = new FutureTask<>(what);
    return inThread(new Thread(task), task);
  }

  @Test
  void aGetAndItsPutNeedNoCall() throws Exception {
    try (var pool = pool(1)) {
      use(pool, 1);
      for (int i = 0; i < 3; i++) {
        long lease = pool.view.take(pool.view.home());
        assertNotEquals(0, lease);
        assertFalse(pool.view.asksWhether(pool.view.home(), lease));
        assertEquals(1, pool.stats().leased());
        assertTrue(pool.view.give(lease));
        assertFalse(pool.view.asksAfter(lease));
        assertEquals(1, pool.stats().idle());
      }
      assertEquals(4, pool.stats().lent());
    }
  }

  @Test
  void aLeaseEndsOnceAndItsNumberIsNeverThatOfAnother() throws Exception {
    try (var pool = pool(1)) {
      Set<Long> seen = new HashSet<>();
      for (int i = 0; i < 100; i++) {
        var lease = pool.get();
        long number = lease.peek();
        assertTrue(seen.add(number));
        lease.close();
        assertFalse(pool.view.give(number));
      }
      assertEquals(100, pool.stats().lent());
    }
  }

  @Test
  void aPausedOrClosedPoolLendsNothingWithoutACall() throws Exception {
    var pool = pool(1);
    use(pool, 1);
    pool.pause();
    assertEquals(0, pool.view.take(pool.view.home()));
    pool.resume();
    long lease = pool.view.take(pool.view.home());
    assertNotEquals(0, lease);
    pool.close(Duration.ZERO);
    assertTrue(pool.view.asksWhether(pool.view.home(), lease));
    assertTrue(pool.view.give(lease));
    assertTrue(pool.view.asksAfter(lease));
    pool.settle(new Debt(Step.given(lease)), false);
    assertEquals(0, pool.view.take(pool.view.home()));
    pool.close();
  }

  /** Whether the library is asked about the lease that this thread takes next; it is given back. */
  private static boolean asks(Pool<Fake, IOException> pool) throws Exception {
    for (; ; ) {
      long lease = pool.view.take(pool.view.home());
      if (lease == 0) {
        use(pool, 1); // the last lease was ended by a call, so this one is not guessed
        continue;
      }
      boolean asks = pool.view.asksWhether(pool.view.home(), lease);
      if (asks && !isStillLent(pool, lease)) {
        continue; // a machine that is busy let it be idle for too long
      }
      pool.settle(new Debt(lease), false);
      if ((lease & TIMED - 1 << 20) != 0) {
        return asks;
      }
    }
  }

  private static boolean isStillLent(Pool<Fake, IOException> pool, long lease) {
    Step step = Step.of(Step.taken(pool.handle, 0, lease));
    pool.heed(step);
    pool.hand(step);
    return step.result == lease;
  }

  /** Asks twice within a tick; returns what came of the second, and leaves the tick. */
  private static boolean asksAgain(Pool<Fake, IOException> pool) throws Exception {
    for (; ; ) {
      long tick = Step.tick();
      asks(pool);
      boolean again = asks(pool);
      if (Step.tick() == tick) {
        Fakes.until(() -> Step.tick() != tick);
        return again;
      }
    }
  }

  @Test
  void theLibraryIsAskedOnceInATickAboutAConnectionThatTimeLimits() throws Exception {
    try (var pool = builder(1).maxLifetime(Duration.ofHours(1)).build()) {
      for (int i = 0; i < 10; i++) {
        assertFalse(asksAgain(pool));
        assertTrue(asks(pool));
      }
    }
  }

  @Test
  void theLibraryIsAskedEachTimeWhereALeaseIsMoreThanAMatterOfTime() throws Exception {
    var limited = builder(1).maxLifetime(Duration.ofHours(1));
    try (var pool = limited.build();
        var counted = limited.set("max_uses", 1_000_000).build();
        var told = builder(1).maxLifetime(Duration.ofHours(1)).events(event -> {}).build()) {
      assertTrue(asksAgain(counted));
      assertTrue(asksAgain(told));
      assertFalse(asksAgain(pool));
      pool.set("idle_timeout_ms", 5);
      assertTrue(asksAgain(pool));
      pool.set("idle_timeout_ms", 3_600_000);
      assertFalse(asksAgain(pool));
    }
  }

  @Test
  void theLibraryIsAskedInTheSameTickWhetherAPoolIsPaused() throws Exception {
    try (var pool = builder(1).maxLifetime(Duration.ofHours(1)).build()) {
      for (boolean within = false; !within; ) {
        long tick = Step.tick();
        asks(pool);
        long lease = pool.view.take(pool.view.home());
        if (lease == 0) {
          continue; // a timed lease ended by a call
        }
        pool.pause();
        boolean asks = pool.view.asksWhether(pool.view.home(), lease);
        within = Step.tick() == tick;
        pool.settle(new Debt(lease), false);
        pool.resume();
        assertTrue(asks || !within);
      }
    }
  }

  @Test
  void theLibraryIsAskedAboutAnotherConnectionInTheSameTick() throws Exception {
    try (var pool = builder(2).maxLifetime(Duration.ofHours(1)).build()) {
      use(pool, 2);
      for (boolean within = false; !within; ) {
        long tick = Step.tick();
        asks(pool);
        boolean asks;
        try (var lease = pool.get()) {
          use(pool, 1);
          asks = asks(pool);
          assertTrue(lease.conn().isOpen());
        }
        within = Step.tick() == tick;
        assertTrue(asks || !within);
      }
    }
  }

  @Test
  void oneOfSoManyLeasesIsTimed() throws Exception {
    try (var pool = pool(1)) {
      use(pool, 1);
      int begins = 0;
      int ends = 0;
      for (int i = 0; i < 2 * TIMED; i++) {
        long lease = pool.view.take(pool.view.home());
        if (lease == 0) {
          use(pool, 1); // a timed lease ended by a call, so the next is not guessed
          continue;
        }
        begins += pool.view.asksWhether(pool.view.home(), lease) ? 1 : 0;
        if (!pool.view.give(lease)) {
          ends++;
          Step.of(Step.end(lease));
        }
      }
      assertEquals(2, begins);
      assertEquals(2, ends);
    }
  }

  @Test
  void aConnectionThatIsToBeResetIsGivenBackByACall() throws Exception {
    try (var pool = builder(1).resetter(Fake::reset).build()) {
      use(pool, 1);
      try (var lease = pool.get()) {
        assertTrue((lease.peek() & TIMED - 1 << 20) != 0);
        assertFalse(pool.view.give(lease.peek()));
        assertEquals(1, pool.stats().leased());
      }
      assertEquals(1, pool.stats().idle());
    }
  }

  @Test
  void aPutTellsTheLibraryOfASlotAtWhichNobodyLooks() throws Exception {
    int size = 80; // more than the bits of one word; a scan clears those that are set in vain, but the first few
    try (var pool = pool(size)) {
      use(pool, size);
      List<Lease<Fake>> leases = new ArrayList<>();
      for (int i = 0; i < size; i++) {
        leases.add(pool.get());
      }
      int unseen = 0;
      for (Lease<Fake> lease : leases) {
        assertTrue(pool.view.give(lease.peek()));
        boolean asks = pool.view.asksAfter(lease.peek());
        unseen += asks ? 1 : 0;
        if (asks) {
          pool.settle(new Debt(Step.given(lease.peek())), false);
        }
      }
      assertTrue(unseen > 0);
      assertEquals(size, (int) inAnother(() -> took(pool, size)));
      assertEquals(size, pool.stats().opened());
    }
  }

  private static int took(Pool<Fake, IOException> pool, int most) throws IOException {
    List<Lease<Fake>> leases = new ArrayList<>();
    for (int i = 0; i < most; i++) {
      Lease<Fake> lease = pool.tryGet();
      if (lease != null) {
        leases.add(lease);
      }
    }
    leases.forEach(Lease::close);
    return leases.size();
  }

  @Test
  void whoWaitsIsToldOfWhatIsGivenBack() throws Exception {
    try (var pool = pool(1)) {
      use(pool, 1);
      var held = pool.get();
      FutureTask<Integer> waits = new FutureTask<>(() -> took(pool.get(Duration.ofSeconds(60))));
      Thread waiter = new Thread(waits);
      waiter.start();
      Fakes.until(() -> pool.stats().waiting() == 1);
      held.close();
      Fakes.until(waits::isDone);
      assertEquals(1, waits.get());
      waiter.join();
    }
  }

  private static int took(Lease<Fake> lease) {
    lease.close();
    return 1;
  }

  /** Two threads whose homes are at one place, and one connection: each has a lease of its own. */
  @Test
  void theThreadThatHasALeaseIsKnown() throws Exception {
    try (var pool = pool(1)) {
      use(pool, 1);
      long first = holder(pool);
      assertEquals(first, holder(pool));
      int home = View.first(Thread.currentThread().getId());
      Thread other;
      FutureTask<Long> task;
      do {
        task = new FutureTask<>(() -> holder(pool));
        other = new Thread(task);
      } while (View.first(other.getId()) != home);
      assertNotEquals(first, (long) inThread(other, task));
      assertEquals(first, holder(pool));
    }
  }

  private static long holder(Pool<Fake, IOException> pool) throws Exception {
    try (var lease = pool.get()) {
      assertNotNull(lease.conn());
      return pool.leases().get(0).thread();
    }
  }

  @Test
  void whatAnotherThreadHasIsNotTaken() throws Exception {
    try (var pool = pool(1)) {
      use(pool, 1);
      long lease = pool.view.take(pool.view.home());
      assertNotEquals(0, lease);
      assertEquals(0, pool.view.take(pool.view.home()));
      assertTrue(pool.view.give(lease));
      assertEquals(1, (int) inAnother(() -> took(pool, 1)));
      assertEquals(0, pool.view.take(pool.view.home()), "its generation is another");
    }
  }
}
