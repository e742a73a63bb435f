// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** Opens connections that note what happens to them, and knows all of them. */
final class Fakes {
  private final Collection<Fake> all = new ConcurrentLinkedQueue<>();
  private final Collection<String> faults = new ConcurrentLinkedQueue<>();
  private final AtomicInteger count = new AtomicInteger();
  private volatile IOException resetFailure;
  private volatile Throwable openFailure;

  Fake open() throws IOException {
    Throwable failure = openFailure;
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
    if (failure != null) {
      throw (IOException) failure;
    }
    Fake fake = new Fake(this, count.incrementAndGet());
    all.add(fake);
    return fake;
  }

  PoolBuilder<Fake, IOException> builder() {
    return Pool.builder(this::open);
  }

  Pool<Fake, IOException> pool(int maxOpen) throws IOException {
    return builder().maxOpen(maxOpen).build();
  }

  void failOpens(Throwable failure) {
    openFailure = failure;
  }

  void failResets(IOException failure) {
    resetFailure = failure;
  }

  IOException resetFailure() {
    return resetFailure;
  }

  void fault(String what) {
    faults.add(what);
  }

  int opened() {
    return all.size();
  }

  long closed() {
    return all.stream().filter(fake -> fake.closed() == 1).count();
  }

  /** At the end: each was closed once, and nothing went wrong meanwhile. */
  void finish() {
    assertEquals(List.of(), List.copyOf(faults));
    assertEquals(all.size(), closed());
  }

  /** Waits until it is so; fails after a minute. */
  static void until(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < deadline, "it never came to be so");
      Thread.sleep(1);
    }
  }
}
