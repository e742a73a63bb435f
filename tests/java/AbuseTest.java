// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.NotSerializableException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** What nobody should do: it is told clearly or harmless, and neither the process nor the pool is worse for it. */
class AbuseTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private final Fakes fakes = new Fakes();

  private static void stillWorks(Pool<?, ?> pool, int cap) throws Exception {
    assertEquals(0, pool.stats().leased());
    assertEquals(0, pool.stats().opening());
    List<Lease<?>> leases = new ArrayList<>();
    for (int i = 0; i < cap; i++) {
      leases.add(pool.get(LONG));
    }
    leases.forEach(Lease::close);
    assertEquals(0, pool.close(LONG));
  }

  private static int overflow(int depth) {
    return overflow(depth + 1) + 1;
  }

  /** Errors of every kind, also those that come when there is hardly any stack or memory left. */
  private static void fail(int way) throws Exception {
    switch (way % 5) {
      case 0 -> overflow(0);
      case 1 -> {
        List<long[]> all = new ArrayList<>();
        while (true) {
          all.add(new long[1 << 24]);
        }
      }
      case 2 -> throw new Error("an error");
      case 3 -> throw new ThreadDeath();
      default -> throw new Exception("an exception") {
          private static final long serialVersionUID = 1;

          @Override
          public String toString() {
            throw new IllegalStateException("and it will not say which");
          }
        };
    }
  }

  @Test
  void openersMayThrowAnything() throws Exception {
    for (int i = 0; i < 5; i++) {
      int way = i;
      var failing = new AtomicReference<>(true);
      var pool =
          Pool.builder(
                  () -> {
                    if (failing.get()) {
                      fail(way);
                    }
                    return fakes.open();
                  })
              .maxOpen(2)
              .build();
      assertThrows(Throwable.class, pool::get);
      assertThrows(Throwable.class, pool::tryGet);
      assertEquals(0, pool.stats().open());
      failing.set(false);
      stillWorks(pool, 2);
    }
    fakes.finish();
  }

  @Test
  void whatElseIsCalledMayThrowAnything() throws Exception {
    for (int i = 0; i < 5; i++) {
      int way = i;
      var pool =
          Pool.builder(fakes::open)
              .maxOpen(1)
              .checkAfter(Duration.ZERO)
              .checker(
                  fake -> {
                    fail(way);
                    return true;
                  })
              .resetter(
                  fake -> {
                    if (fakes.opened() % 2 == 0) {
                      fail(way);
                    }
                  })
              .closer(
                  fake -> {
                    fake.close();
                    fail(way);
                  })
              .build();
      for (int k = 0; k < 3; k++) {
        try (var lease = pool.get(LONG)) { // a new one each time
          lease.conn().use();
        }
      }
      stillWorks(pool, 1);
    }
    fakes.finish();
  }

  /** A lease may get lost so, as any object may whose method has no stack; but the pool goes on. */
  @Test
  void whoHasHardlyAnyStackBreaksNothing() throws Exception {
    var pool = fakes.pool(1);
    pool.get().close();
    for (int i = 0; i < 20; i++) {
      assertThrows(StackOverflowError.class, () -> dig(pool));
    }
    PoolStats stats = pool.stats();
    assertEquals(1, stats.open());
    assertEquals(1, stats.idle() + stats.leased());
    Duration drain = stats.leased() == 0 ? LONG : Duration.ZERO; // the keeper may be at it, too
    assertEquals(stats.leased(), pool.close(drain));
  }

  private static int dig(Pool<Fake, IOException> pool) throws IOException {
    Lease<Fake> lease = pool.tryGet();
    if (lease != null) {
      lease.close();
    }
    return dig(pool) + 1;
  }

  @Test
  void aLeaseThatTwoCloseAtOnceEndsOnce() throws Exception {
    for (boolean resets : new boolean[] {false, true}) {
      var builder = fakes.builder().maxOpen(1);
      var pool = (resets ? builder.resetter(Fake::reset) : builder).build();
      var barrier = new CyclicBarrier(2);
      var lent = new AtomicReference<Lease<Fake>>();
      int rounds = 2000;
      var other =
          Threads.begin(
              () -> {
                for (int i = 0; i < rounds; i++) {
                  barrier.await();
                  if (i % 3 == 0) {
                    lent.get().discard();
                  } else {
                    lent.get().close();
                  }
                  barrier.await();
                }
                return null;
              });
      for (int i = 0; i < rounds; i++) {
        Lease<Fake> lease = pool.get(LONG);
        Fake fake = lease.conn();
        int before = fake.resets();
        lent.set(lease);
        barrier.await();
        lease.close();
        barrier.await();
        assertTrue(fake.resets() - before <= (resets ? 1 : 0));
        assertThrows(IllegalStateException.class, lease::conn);
        assertEquals(0, pool.stats().leased());
      }
      other.get(60, TimeUnit.SECONDS);
      assertEquals(rounds, pool.stats().lent());
      stillWorks(pool, 1);
    }
    fakes.finish();
  }

  @Test
  void aPoolMayBeUsedFromWhatItCalls() throws Exception {
    var self = new AtomicReference<Pool<Fake, Exception>>();
    var inner = new AtomicReference<Lease<Fake>>();
    var nests = new AtomicBoolean(true);
    var pool =
        Pool.<Fake, Exception>builder(
                () -> {
                  if (nests.getAndSet(false)) {
                    inner.set(self.get().get(LONG));
                  }
                  return fakes.open();
                })
            .maxOpen(2)
            .checkAfter(Duration.ZERO)
            .checker(fake -> self.get().stats().open() > 0)
            .resetter(fake -> assertSame(null, self.get().tryGet()))
            .closer(
                fake -> {
                  fake.close();
                  assertTrue(self.get().report(Format.JSON).length() > 0);
                })
            .build();
    self.set(pool);
    Lease<Fake> outer = pool.get(LONG);
    assertNotSame(outer.conn(), inner.get().conn());
    outer.discard();
    inner.get().discard();
    assertEquals(0, pool.stats().leased());
    assertEquals(0, pool.close(LONG));
    fakes.finish();
  }

  @Test
  void aPoolMayBeClosedFromItsOpener() throws Exception {
    var self = new AtomicReference<Pool<Fake, Exception>>();
    var pool =
        Pool.<Fake, Exception>builder(
                () -> {
                  assertEquals(1, self.get().close(Duration.ZERO));
                  return fakes.open();
                })
            .maxOpen(1)
            .build();
    self.set(pool);
    assertThrows(PoolClosedException.class, () -> pool.get(LONG));
    assertEquals(0, pool.close(LONG));
    assertEquals(1, fakes.opened());
    fakes.finish();
  }

  @Test
  void timesAndTagsMakeSense() throws Exception {
    try (var pool = fakes.pool(1)) {
      for (Duration negative : new Duration[] {Duration.ofNanos(-1), Duration.ofSeconds(Long.MIN_VALUE)}) {
        assertThrows(IllegalArgumentException.class, () -> pool.get(negative));
        assertThrows(IllegalArgumentException.class, () -> pool.close(negative));
      }
      assertThrows(NullPointerException.class, () -> pool.get(null));
      assertThrows(NullPointerException.class, () -> pool.close(null));
      assertThrows(NullPointerException.class, () -> pool.report(null));
      try (var lease = pool.get(Duration.ofSeconds(Long.MAX_VALUE))) {
        for (String tag : new String[] {null, "", "x".repeat(100_000), "\ud800", "\u00e4\u20ac"}) {
          lease.tag(tag);
        }
        assertThrows(IllegalArgumentException.class, () -> lease.tag("a\0b"));
      }
      assertThrows(IllegalArgumentException.class, pool::resume);
      assertThrows(IllegalArgumentException.class, () -> pool.resize(-1));
      assertThrows(IllegalArgumentException.class, () -> pool.resize(Integer.MIN_VALUE));
    }
  }

  @Test
  void whatIsThrownMayBeSerialized() throws Exception {
    try (var pool = fakes.pool(1);
        var lease = pool.get()) {
      assertInstanceOf(Fake.class, lease.conn());
      var failure = assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(1)));
      var bytes = new ByteArrayOutputStream();
      try (var out = new ObjectOutputStream(bytes)) {
        out.writeObject(failure);
        assertThrows(NotSerializableException.class, () -> out.writeObject(lease));
        assertThrows(NotSerializableException.class, () -> out.writeObject(pool));
      }
      try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
        var read = assertInstanceOf(PoolTimeoutException.class, in.readObject());
        assertEquals(failure.getMessage(), read.getMessage());
        assertEquals(failure.code(), read.code());
      }
    }
  }

  @Test
  void aPoolThatNobodyClosesIsCollected() throws Exception {
    List<WeakReference<Object>> pools = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      var pool = fakes.builder().name("forgotten").maxOpen(2).build();
      pool.get();
      pool.get().close();
      pools.add(new WeakReference<>(pool));
    }
    Fakes.until(
        () -> {
          System.gc();
          return pools.stream().allMatch(pool -> pool.get() == null);
        });
  }

  @Test
  void twoClassLoadersShareTheLibrary() throws Exception {
    URL jar = Pool.class.getProtectionDomain().getCodeSource().getLocation();
    List<Object> connections = new ArrayList<>();
    List<Object> pools = new ArrayList<>();
    try (var loader = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader())) {
      Class<?> type = loader.loadClass("libpool.Pool");
      assertNotSame(Pool.class, type);
      Class<?> openerType = loader.loadClass("libpool.Opener");
      Object opener =
          java.lang.reflect.Proxy.newProxyInstance(
              loader, new Class<?>[] {openerType}, (self, method, arguments) -> new Object());
      Object builder = type.getMethod("builder", openerType).invoke(null, opener);
      Object theirs = call(builder, "build");
      pools.add(theirs);
      try (var ours = fakes.pool(4)) {
        for (int i = 0; i < 100; i++) {
          Object lease = call(theirs, "get");
          try (var own = ours.get()) {
            own.conn().use();
            connections.add(call(lease, "conn"));
          }
          call(lease, "close");
        }
      }
      assertEquals(1, connections.stream().distinct().count());
      call(theirs, "close");
      InvocationTargetException failure = assertThrows(InvocationTargetException.class, () -> call(theirs, "get"));
      assertEquals("libpool.PoolClosedException", failure.getCause().getClass().getName());
      assertSame(loader, failure.getCause().getClass().getClassLoader());
    }
    fakes.finish();
  }

  private static Object call(Object object, String name) throws Exception {
    Method method = object.getClass().getMethod(name);
    return method.invoke(object);
  }
}
