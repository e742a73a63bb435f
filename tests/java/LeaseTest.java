// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Lending and giving back. */
class LeaseTest {
  private final Fakes fakes = new Fakes();

  @AfterEach
  void everythingWasClosedOnce() {
    fakes.finish();
  }

  @Test
  void theSameConnectionComesBack() throws Exception {
    try (var pool = fakes.pool(1)) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
        assertSame(first, lease.conn());
        assertTrue(first.isOpen());
        assertEquals(1, pool.stats().leased());
      }
      assertEquals(1, pool.len());
      System.gc();
      try (var lease = pool.get(Duration.ofSeconds(1))) {
        assertSame(first, lease.conn());
      }
      assertEquals(1, pool.stats().opened());
      assertEquals(2, pool.stats().lent());
    }
  }

  @Test
  void closingTwiceIsHarmlessAlsoWhenSomebodyElseHasTheConnection() throws Exception {
    try (var pool = fakes.pool(1)) {
      var first = pool.get();
      first.close();
      first.close();
      first.discard();
      try (var second = pool.get()) {
        first.close();
        assertEquals(1, pool.stats().leased());
        assertTrue(second.conn().isOpen());
        assertNull(pool.tryGet());
      }
      assertEquals(2, pool.stats().lent());
    }
  }

  @Test
  void useAfterCloseIsToldAndReachesNobody() throws Exception {
    try (var pool = fakes.pool(1)) {
      var stale = pool.get();
      stale.close();
      try (var lease = pool.get()) {
        assertNotNull(lease.conn());
        String message = assertThrows(IllegalStateException.class, stale::conn).getMessage();
        assertEquals("no such lease: it was put back already or never given", message);
        assertThrows(IllegalStateException.class, () -> stale.tag("x"));
      }
    }
  }

  @Test
  void whatIsDiscardedIsClosed() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Fake first = lease.conn();
      lease.discard();
      Fakes.until(() -> first.closed() == 1);
      try (var again = pool.get()) {
        assertNotSame(first, again.conn());
      }
      assertEquals(1, pool.stats().closedUnusable());
    }
  }

  @Test
  void anyThreadMayClose() throws Exception {
    try (var pool = fakes.pool(1)) {
      var lease = pool.get();
      Thread thread = new Thread(lease::close);
      thread.start();
      thread.join();
      assertEquals(1, pool.len());
      assertThrows(IllegalStateException.class, lease::conn);
    }
  }

  @Test
  void tryGetOpensWhereThereIsRoomAndNeverWaits() throws Exception {
    try (var pool = fakes.pool(2)) {
      var first = pool.tryGet();
      var second = pool.tryGet();
      assertNotSame(first.conn(), second.conn());
      assertNull(pool.tryGet());
      assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ZERO));
      second.close();
      try (var third = pool.get(Duration.ZERO)) {
        assertNotNull(third.conn());
      }
      first.close();
    }
  }

  @Test
  void whatIsTooMuchIsClosedOnReturn() throws Exception {
    try (var pool = fakes.builder().maxIdle(1).build()) {
      var first = pool.get();
      var second = pool.get();
      first.close();
      second.close();
      Fakes.until(() -> pool.len() == 1);
      Fakes.until(() -> pool.stats().closedSurplus() == 1);
    }
  }

  @Test
  void aResetRunsOncePerLeaseAndItsFailureCloses() throws Exception {
    try (var pool = fakes.builder().maxOpen(1).resetter(Fake::reset).build()) {
      var lease = pool.get();
      Fake first = lease.conn();
      lease.close();
      lease.close();
      assertEquals(1, first.resets());
      fakes.failResets(new IOException("no reset"));
      pool.get().close();
      Fakes.until(() -> first.closed() == 1);
      fakes.failResets(null);
      pool.get().close();
      assertEquals(1, pool.len());
    }
  }

  @Test
  void aResetInTheBackgroundIsRunByAnotherThread() throws Exception {
    var threads = new ConcurrentLinkedQueue<String>();
    Resetter<Fake> resetter = fake -> threads.add(Thread.currentThread().getName());
    try (var pool =
        fakes.builder().name("clean").maxOpen(1).resetter(resetter).set("background_reset", 1).build()) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
      }
      try (var lease = pool.get(Duration.ofSeconds(60))) {
        assertSame(first, lease.conn());
        assertEquals(List.of("libpool-clean"), List.copyOf(threads));
      }
    }
  }

  @Test
  void leasesAreListedWithTheirTags() throws Exception {
    try (var pool = fakes.pool(3)) {
      assertEquals(List.of(), pool.leases());
      try (var tagged = pool.get();
          var other = pool.get()) {
        tagged.tag("größe 🎈");
        List<LeaseInfo> leases = pool.leases();
        assertEquals(List.of(1L, 2L), leases.stream().map(LeaseInfo::connection).sorted().toList());
        assertEquals(List.of("", "größe 🎈"), leases.stream().map(LeaseInfo::tag).sorted().toList());
        assertTrue(leases.stream().allMatch(lease -> lease.thread() > 0 && lease.lease() > 0));
      }
      assertEquals(List.of(), pool.leases());
    }
  }

  @Test
  void aCloserThatThrowsFreesThePlaceAllTheSame() throws Exception {
    var failures = new IOException("no close");
    try (var pool =
        Pool.builder(fakes::open)
            .closer(
                fake -> {
                  fake.close();
                  throw failures;
                })
            .maxOpen(1)
            .build()) {
      for (int i = 0; i < 3; i++) {
        pool.get().discard();
      }
      Fakes.until(() -> pool.stats().closeFailures() == 3);
      assertEquals(0, pool.stats().open());
    }
  }

  @Test
  void aCheckerIsAskedBeforeLending() throws Exception {
    try (var pool =
        fakes.builder().maxOpen(1).checkAfter(Duration.ZERO).checker(Fake::check).build()) {
      Fake first;
      try (var lease = pool.get()) {
        first = lease.conn();
      }
      try (var lease = pool.get()) {
        assertSame(first, lease.conn());
      }
      first.kill();
      try (var lease = pool.get()) {
        assertNotSame(first, lease.conn());
      }
      assertEquals(1, first.closed());
      assertEquals(1, pool.stats().checkFailures());
    }
  }

  @Test
  void aTagAndAReportShow() throws Exception {
    try (var pool = fakes.builder().name("größe 🎈").maxOpen(1).build()) {
      try (var lease = pool.get()) {
        lease.tag("naïve");
        assertThrows(IllegalArgumentException.class, () -> lease.tag("na\0ve"));
        lease.tag(null);
        assertTrue(pool.report(Format.PROMETHEUS).contains("größe 🎈"), pool.report(Format.PROMETHEUS));
        assertTrue(pool.report(Format.JSON).startsWith("{"));
        assertTrue(pool.report(Format.TEXT).contains("größe 🎈"));
      }
      for (int i = 0; i < 1023; i++) { // one in 1,024 is timed
        pool.get().close();
      }
      assertEquals(1, pool.stats().use().count());
      assertTrue(pool.stats().use().maxNs() > 0);
    }
  }
}
