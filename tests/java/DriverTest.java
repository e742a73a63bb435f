// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pools with a driver of the library: jsonrpc, against a server that misbehaves on demand, and against one in C. */
class DriverTest {
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final int CLIMBS = 8;
  private RpcServer server;

  @BeforeEach
  void start() throws Exception {
    server = new RpcServer();
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String call(DriverLease lease, String method, String args) throws InterruptedException {
    return new String(lease.call(method, bytes(args)), StandardCharsets.UTF_8);
  }

  private DriverPool pool(int maxOpen) {
    return DriverPool.builder("jsonrpc", server.address()).maxOpen(maxOpen).build();
  }

  private static void untilNothingIsLent(DriverPool pool) throws InterruptedException {
    Fakes.until(() -> pool.stats().leased() == 0 && pool.stats().waiting() == 0);
  }

  @Test
  void aServerInCIsCalled() throws Exception {
    Process process = new ProcessBuilder(System.getProperty("libpool.arith")).start();
    try (var out = new BufferedReader(new InputStreamReader(process.getInputStream()));
        var pool = DriverPool.open("jsonrpc", out.readLine());
        var lease = pool.get(LONG)) {
      assertEquals("56", call(lease, "Arith.Mul", "{\"A\": 7, \"B\": 8}"));
      var failure = assertThrows(PoolRemoteException.class, () -> call(lease, "Arith.Div", "{\"A\": 7, \"B\": 0}"));
      assertEquals("divide by zero", failure.getMessage());
      assertEquals("42", call(lease, "Arith.Mul", "{\"A\": 6, \"B\": 7}"));
    } finally {
      process.destroy();
    }
  }

  @Test
  void aReplyIsWhatTheServerSent() throws Exception {
    try (var pool = pool(2);
        var lease = pool.get(LONG)) {
      for (String value : new String[] {"1", "null", "\"\u00e4\u20ac\ud83d\ude00\"", "[1,{\"a\":[]}]", "\"" + "x".repeat(100_000) + "\""}) {
        assertEquals(value, call(lease, "Echo", value));
      }
      assertArrayEquals(bytes("2"), lease.callAsync("Echo", bytes("2")).get(60, TimeUnit.SECONDS));
    }
  }

  @Test
  void anErrorOfTheServerLeavesTheConnectionGood() throws Exception {
    try (var pool = pool(1)) {
      for (int i = 0; i < 3; i++) {
        try (var lease = pool.get(LONG)) {
          var failure = assertThrows(PoolRemoteException.class, () -> call(lease, "Refuse", "1"));
          assertEquals("not for you: \u00e4", failure.getMessage());
          assertEquals(-6, failure.code());
          Throwable asynchronous =
              assertThrows(ExecutionException.class, () -> lease.callAsync("Refuse", bytes("1")).get()).getCause();
          assertInstanceOf(PoolRemoteException.class, asynchronous);
        }
      }
      assertEquals(1, pool.stats().opened());
    }
  }

  @Test
  void leasesAreListedWithTheirTags() throws Exception {
    try (var pool = pool(1)) {
      var lease = pool.get(LONG);
      lease.tag("naïve");
      assertEquals(List.of("naïve"), pool.leases().stream().map(LeaseInfo::tag).toList());
      assertThrows(IllegalArgumentException.class, () -> lease.tag("na\0ve"));
      assertThrows(IllegalArgumentException.class, () -> lease.call("Arith\0.Mul", new byte[] {'1'}));
      lease.tag(null);
      assertEquals(List.of(""), pool.leases().stream().map(LeaseInfo::tag).toList());
      lease.close();
      assertEquals(List.of(), pool.leases());
      assertThrows(IllegalStateException.class, () -> lease.tag("late"));
    }
  }

  @Test
  void theEndOfTheStackLosesNoLease() throws Exception {
    try (var pool = pool(CLIMBS)) {
      for (Consumer<DriverLease> end :
          List.<Consumer<DriverLease>>of(DriverLease::close, DriverLease::discard, DriverLease::discardBroken)) {
        end.accept(pool.get(LONG));
        atTheEndOfTheStack(
                () -> {
                  DriverLease lease = pool.tryGet();
                  if (lease != null) {
                    end.accept(lease);
                  }
                })
            .join();
        untilNothingIsLent(pool);
      }
      pool.get(LONG).close();
    }
  }

  @Test
  void aGetThatWaitsAtTheEndOfTheStackLeavesTheQueue() throws Exception {
    try (var pool = pool(1)) {
      DriverLease held = pool.get(LONG);
      var interrupted = new AtomicInteger();
      Thread getter =
          atTheEndOfTheStack(
              () -> {
                try {
                  pool.get(Duration.ofHours(1)).close();
                } catch (InterruptedException e) {
                  interrupted.incrementAndGet();
                }
              });
      while (getter.isAlive()) {
        if (getter.getState() == Thread.State.WAITING) {
          getter.interrupt();
        }
        Thread.onSpinWait();
      }
      assertTrue(interrupted.get() > 0);
      Fakes.until(() -> pool.stats().waiting() == 0);
      held.close();
      untilNothingIsLent(pool);
      pool.get(LONG).close();
    }
  }

  /** In a thread with a stack that ends soon. */
  private static Thread atTheEndOfTheStack(Runnable attempt) {
    Runnable attempts =
        () -> {
          for (int i = 0; i < 5; i++) {
            begin(i, attempt);
          }
        };
    Thread thread = new Thread(null, attempts, "short of stack", 256 << 10);
    thread.start();
    return thread;
  }

  /** Deeper by some frames, so that the stack ends elsewhere. */
  private static int begin(int deeper, Runnable attempt) {
    return deeper == 0 ? climb(attempt) : begin(deeper - 1, attempt) + 1;
  }

  /** Where the stack has ended once, there is one frame more for each attempt. Returns for how many it was enough. */
  private static int climb(Runnable attempt) {
    int climbed = 0;
    try {
      climbed = climb(attempt);
    } catch (StackOverflowError e) {
      // one frame up, then
    }
    if (climbed < CLIMBS) {
      attempt.run();
      climbed++;
    }
    return climbed;
  }

  @Test
  void aLeaseThatComesWhileThereIsNoMemoryIsNotLost() throws Exception {
    try (var pool = pool(1)) {
      comeTo(pool, () -> null); // once with memory, for what a JVM does when something is called first
      comeTo(pool, DriverTest::allMemory);
      untilNothingIsLent(pool);
    }
  }

  /** A lease is put, and comes to a get that waits. */
  private static void comeTo(DriverPool pool, Supplier<Object> taking) throws Exception {
    DriverLease held = pool.get(LONG);
    var getting = Threads.begin(() -> pool.get(LONG));
    Fakes.until(() -> pool.stats().waiting() == 1);
    Thread mail = thread("libpool-mail");
    Object taken = taking.get();
    held.close();
    while (mail.isAlive() && !getting.isDone()) {
      Thread.onSpinWait();
    }
    Reference.reachabilityFence(taken);
    taken = null;
    getting.get(60, TimeUnit.SECONDS).close();
  }

  private static Thread thread(String name) {
    return Thread.getAllStackTraces().keySet().stream().filter(each -> each.getName().equals(name)).findAny().get();
  }

  /** A list of all that the JVM had to give. */
  private static Object allMemory() {
    Object[] list = null;
    for (int size = 1 << 20; size > 0; size >>= 10) {
      try {
        for (; ; ) {
          Object[] larger = {list, new byte[size]};
          list = larger;
        }
      } catch (OutOfMemoryError e) {
        // what is left is less than that
      }
    }
    return list;
  }

  @Test
  void aConnectionThatBreaksIsReplaced() throws Exception {
    try (var pool = pool(1)) {
      for (String method : new String[] {"Die", "Garbage"}) {
        try (var lease = pool.get(LONG)) {
          assertThrows(PoolBrokenException.class, () -> call(lease, method, "1"));
        }
        try (var lease = pool.get(LONG)) {
          assertEquals("3", call(lease, "Echo", "3"));
        }
      }
      assertEquals(3, pool.stats().opened());
    }
  }

  @Test
  void aCallThatTakesTooLongTimesOut() throws Exception {
    try (var pool =
            DriverPool.builder("jsonrpc", server.address()).maxOpen(1).callTimeout(Duration.ofMillis(20)).build();
        var lease = pool.get(LONG)) {
      assertThrows(PoolTimeoutException.class, () -> call(lease, "Hang", "1"));
      server.letGo();
    }
  }

  @Test
  void anInterruptEndsTheWaitForAReplyAndTheCallGoesOn() throws Exception {
    try (var pool = pool(1)) {
      try (var lease = pool.get(LONG)) {
        var calling = Threads.begin(() -> call(lease, "Hang", "1"));
        Thread.sleep(5); // it may be interrupted before or while it waits
        calling.interrupt();
        assertInstanceOf(
            InterruptedException.class, assertThrows(ExecutionException.class, calling::get).getCause());
        assertEquals("1", call(lease, "Echo", "1"));
        server.letGo();
        assertEquals("2", call(lease, "Echo", "2"));
      }
      untilNothingIsLent(pool);
      assertEquals(0, pool.close(LONG));
    }
  }

  @Test
  void anInterruptEndsTheWaitForAConnection() throws Exception {
    try (var pool = pool(1)) {
      DriverLease only = pool.get(LONG);
      for (int i = 0; i < 50; i++) {
        var waiting = Threads.begin(() -> pool.get(LONG));
        if (i % 2 == 0) {
          Fakes.until(() -> pool.stats().waiting() == 1);
        }
        waiting.interrupt();
        assertInstanceOf(
            InterruptedException.class, assertThrows(ExecutionException.class, waiting::get).getCause());
      }
      only.close();
      untilNothingIsLent(pool);
      pool.get(LONG).close();
    }
  }

  /** Connections that come at the moment of an interrupt go back. */
  @Test
  void noLeaseIsLostAmongInterrupts() throws Exception {
    try (var pool = pool(2)) {
      List<Threads.Task<Void>> tasks = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        tasks.add(
            Threads.prepare(
                () -> {
                  for (int k = 0; k < 500; k++) {
                    try (var lease = pool.get(LONG)) {
                      assertEquals("" + k, call(lease, "Echo", "" + k));
                      tasks.get(k % 4).interrupt();
                    } catch (InterruptedException e) {
                      // as asked
                    }
                  }
                  return null;
                }));
      }
      tasks.forEach(Threads.Task::start);
      for (Threads.Task<Void> task : tasks) {
        task.get(600, TimeUnit.SECONDS);
      }
      untilNothingIsLent(pool);
      DriverLease first = pool.get(LONG);
      pool.get(LONG).close();
      first.close();
      assertEquals(0, pool.close(LONG));
    }
  }

  @Test
  void aHundredCallsAreUnderWayAtOneTime() throws Exception {
    try (var pool = pool(3)) {
      List<CompletableFuture<byte[]>> replies = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        try (var lease = pool.get(LONG)) { // given back at once, and the call goes on
          replies.add(lease.callAsync(i % 2 == 0 ? "Hang" : "Echo", bytes("" + i)));
        }
      }
      for (int i = 1; i < 100; i += 2) {
        assertArrayEquals(bytes("" + i), replies.get(i).get(60, TimeUnit.SECONDS));
      }
      server.letGo();
      for (int i = 0; i < 100; i += 2) {
        assertArrayEquals(bytes("1"), replies.get(i).get(60, TimeUnit.SECONDS));
      }
    }
  }

  @Test
  void aLeaseThatHasEndedCallsNothing() throws Exception {
    try (var pool = pool(1)) {
      DriverLease lease = pool.get(LONG);
      lease.close();
      assertThrows(IllegalStateException.class, () -> call(lease, "Echo", "1"));
      assertThrows(IllegalStateException.class, () -> lease.callAsync("Echo", bytes("1")));
      lease.close();
      lease.discard();
      try (var other = pool.tryGet()) {
        assertThrows(NullPointerException.class, () -> other.call(null, bytes("1")));
        assertThrows(NullPointerException.class, () -> other.call("Echo", null));
        assertThrows(IllegalArgumentException.class, () -> call(other, "Echo", "no JSON"));
        assertNull(pool.tryGet());
      }
      DriverLease last = pool.get(LONG);
      last.discard();
      assertEquals(0, pool.len());
    }
  }

  @Test
  void aPoolIsClosedWhileACallIsUnderWay() throws Exception {
    try (var pool = pool(1)) {
      var lease = pool.get(LONG);
      var calling = Threads.begin(() -> call(lease, "Hang", "1"));
      var waiting = Threads.begin(() -> pool.get(LONG));
      Fakes.until(() -> pool.stats().waiting() == 1);
      assertEquals(1, pool.close(Duration.ZERO));
      assertInstanceOf(PoolClosedException.class, assertThrows(ExecutionException.class, waiting::get).getCause());
      assertThrows(PoolClosedException.class, pool::tryGet);
      assertThrows(PoolClosedException.class, pool::get);
      server.letGo();
      assertEquals("1", calling.get(60, TimeUnit.SECONDS));
      var draining = Threads.begin(() -> pool.close(LONG));
      lease.close();
      assertEquals(0, draining.get(60, TimeUnit.SECONDS));
    }
  }

  @Test
  void aPoolIsControlled() throws Exception {
    try (var pool = pool(1)) {
      var lease = pool.get(LONG);
      assertEquals(1, pool.flush());
      assertEquals(1, pool.pause());
      lease.close();
      Fakes.until(() -> pool.stats().closedFlushed() == 1);
      assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(1)));
      assertEquals(0, pool.resume());
      assertThrows(IllegalArgumentException.class, pool::resume);
      assertEquals(0, pool.resize(2));
      assertThrows(IllegalArgumentException.class, () -> pool.resize(-1));
      var first = pool.get(LONG);
      var second = pool.get(LONG);
      assertEquals(1, pool.resize(1));
      first.close();
      second.close();
      Fakes.until(() -> pool.stats().closedResized() == 1 && pool.len() == 1);
    }
  }

  @Test
  void aUrlSaysAll() throws Exception {
    String url = "jsonrpc://" + server.address();
    try (var pool = DriverPool.builder(url + "?pool.max_open=1&pool.get_timeout_ms=20").maxOpen(7).build();
        var lease = pool.get(LONG)) {
      assertEquals("56", call(lease, "Echo", "56"));
      assertThrows(PoolTimeoutException.class, pool::get);
      assertEquals("jsonrpc", pool.name());
    }
    try (var pool = DriverPool.open(url.replace("jsonrpc:", "JSONRPC:") + "?pool.name=the%20%22url%5c")) {
      assertEquals("the \"url\\", pool.name());
    }
    try (var pool = DriverPool.builder(url).name("mine").build()) {
      assertEquals("mine", pool.name());
    }
  }

  @Test
  void aUrlThatIsWrongIsToldByTheLibrary() {
    Map.of(
            "nowhere", "SCHEME:",
            "jsonrpc://a:1\0", "zero character",
            "jsonrpc://a:99999", "65535",
            "jsonrpc://a", "port is missing",
            "jsonrpc://a:1?pool.max_opne=1", "\"max_opne\"; did you mean max_open?",
            "jsonrpc://a:1?x=1", "unknown option",
            "jsonrpc://a:1?pool.keeper=manual", "keeper is manual",
            "jsonrpc://a:1?pool.openers=0", "openers is 0",
            "jsonrpc://u:zq@a:1", "jsonrpc: ",
            "jsonrpc://u:zq@a:1?pool.queue=x", "queue is \"x\"")
        .forEach((url, message) -> {
          String told = assertThrows(IllegalArgumentException.class, () -> DriverPool.open(url), url).getMessage();
          assertTrue(told.contains(message) && !told.contains("zq"), told);
        });
    String told = assertThrows(PoolException.class, () -> DriverPool.open("jsonrcp://u:zq@a:1")).getMessage();
    assertTrue(told.startsWith("no driver for the scheme 'jsonrcp' (did you mean 'jsonrpc'?)"), told);
    assertThrows(NullPointerException.class, () -> DriverPool.open(null));
  }

  @Test
  void whatCannotBeIsToldAtOnce() throws Exception {
    String none = assertThrows(PoolException.class, () -> DriverPool.open("nosuch", "x")).getMessage();
    assertTrue(none.startsWith("no driver 'nosuch'"), none);
    for (String name : new String[] {"", "../x", "a b", "x".repeat(1000)}) {
      assertThrows(IllegalArgumentException.class, () -> DriverPool.open(name, "x"));
    }
    for (String address : new String[] {"", "nowhere", "127.0.0.1:99999", "unix:"}) {
      assertThrows(IllegalArgumentException.class, () -> DriverPool.open("jsonrpc", address), address);
    }
    assertThrows(NullPointerException.class, () -> DriverPool.open(null, "x"));
    assertThrows(NullPointerException.class, () -> DriverPool.open("jsonrpc", null));
    assertThrows(
        IllegalArgumentException.class, () -> DriverPool.builder("jsonrpc", server.address()).maxOpen(-1).build());
    assertThrows(
        IllegalArgumentException.class, () -> DriverPool.builder("jsonrpc", server.address()).openers(0).build());
    try (var pool = pool(1)) {
      assertThrows(IllegalArgumentException.class, () -> pool.get(Duration.ofMillis(-1)));
    }
  }

  @Test
  void aServerThatIsNotThereFailsTheGet() throws Exception {
    server.close();
    try (var pool = pool(1)) {
      var failure = assertThrows(PoolOpenException.class, () -> pool.get(LONG));
      assertTrue(failure.getMessage().contains("onnect"), failure.getMessage());
    }
    assertThrows(
        PoolOpenException.class,
        () -> DriverPool.builder("jsonrpc", server.address()).maxOpen(1).initial(1).build());
  }

  @Test
  void aTimeoutIsKept() throws Exception {
    try (var pool = pool(1);
        var only = pool.get(LONG)) {
      assertNotNull(only);
      assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20)));
      assertEquals(1, pool.stats().timedOut());
    }
  }

  @Test
  void aLeaseThatNobodyHasAnyMoreComesBack() throws Exception {
    try (var pool =
        DriverPool.builder("jsonrpc", server.address()).maxOpen(1).leakAfter(Duration.ofHours(1)).build()) {
      assertEquals("1", call(pool.get(LONG), "Echo", "1"));
      Fakes.until(
          () -> {
            System.gc();
            return pool.stats().leased() == 0;
          });
      assertEquals(1, pool.stats().closedUnusable());
      try (var lease = pool.get(LONG)) {
        assertEquals("2", call(lease, "Echo", "2"));
      }
    }
  }

  @Test
  void poolsThatNobodyClosesAreCollected() throws Exception {
    CompletableFuture<byte[]> reply = null;
    for (int i = 0; i < 20; i++) {
      var lease = pool(1).get(LONG);
      reply = lease.callAsync("Echo", bytes("" + i));
    }
    System.gc();
    assertEquals("19", new String(reply.get(60, TimeUnit.SECONDS), StandardCharsets.UTF_8));
    assertSame(true, reply.isDone());
  }
}
