// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * A pool of connections of a driver of the library, which opens, checks and closes them on threads of its own. What one
 * does with a connection is to call methods of its server.
 *
 * <pre>{@code
 * try (var pool = DriverPool.open("jsonrpc://localhost:1234?pool.max_open=5");
 *     var lease = pool.get(Duration.ofSeconds(1))) {
 *   byte[] product = lease.call("Arith.Mul", "{\"A\": 7, \"B\": 8}".getBytes(StandardCharsets.UTF_8));
 * }
 * }</pre>
 *
 * All methods may be called by any thread at any moment.
 */
public final class DriverPool extends CommonPool {
  private volatile boolean looksForLeaks;
  private final Mail mail = Mail.mail();
  private final Mail.Subscription subscription = mail.subscribe();

  DriverPool(Config config, String name, long handle) {
    super(config, name, handle);
    looksForLeaks = config.getLeak_after_ms() > 0;
    freer.endsWith(subscription);
  }

  /**
   * Begins to make a pool.
   *
   * @param driver its name: the library looks for {@code pool-NAME.so}
   * @param address in the driver's own notation; for jsonrpc {@code HOST:PORT} or {@code unix:/PATH}
   *
   * @return a builder
   */
  public static DriverPoolBuilder builder(String driver, String address) {
    return new DriverPoolBuilder(
        Objects.requireNonNull(driver, "driver"), Objects.requireNonNull(address, "address"));
  }

  /**
   * Begins to make a pool of what a URL names, as in {@code jsonrpc://localhost:1234?pool.max_open=5}: the driver by the
   * scheme, a setting of the pool by each parameter {@code pool.NAME}, which goes before that of the builder, and the
   * rest as the driver understands it. A pool without a name is called as the scheme.
   *
   *
   * @param url as the driver knows it
   * @return a builder
   */
  public static DriverPoolBuilder builder(String url) {
    return new DriverPoolBuilder(Objects.requireNonNull(url, "url"));
  }

  /**
   * Makes a pool of what a URL names; see {@link #builder(String)}.
   *
   * @param url as the driver knows it
   * @return the pool
   */
  public static DriverPool open(String url) {
    return builder(url).build();
  }

  /**
   * Makes a pool with the usual settings.
   *
   * @param driver its name
   * @param address in the driver's own notation
   * @return the pool
   */
  public static DriverPool open(String driver, String address) {
    return builder(driver, address).build();
  }

  /**
   * The same as {@link #get(Duration)} with the configured timeout.
   *
   * @return a lease
   * @throws InterruptedException if the thread is interrupted while it waits
   */
  public DriverLease get() throws InterruptedException {
    return get(getTimeoutMs);
  }

  /**
   * Gets a connection: an idle one, else the next that is opened or given back.
   *
   * @param timeout 0 or more
   * @return a lease
   * @throws PoolOpenException if it could not be opened
   * @throws PoolTimeoutException if the time is over
   * @throws PoolClosedException if the pool is closed, also meanwhile
   * @throws PoolOverloadException if too many are waiting
   * @throws InterruptedException if the thread is interrupted while it waits; then it has got nothing
   *
   */
  public DriverLease get(Duration timeout) throws InterruptedException {
    return get(atLeastZero(timeout, "timeout"));
  }

  /**
   * Gets an idle connection; null if there is none now.
   *
   * @return a lease, or null
   */
  public @Nullable DriverLease tryGet() {
    DriverLease lease = prepare();
    long number = Mail.get(handle);
    if (number == CoreConstants.POOL_E_TIMEOUT) {
      return null;
    }
    if (number < 0) {
      throw PoolException.of((int) number, name + ": " + Core.pool_strerror((int) number));
    }
    return lease.lend(number);
  }

  private DriverLease get(long timeoutMs) throws InterruptedException {
    DriverLease lease = prepare();
    long number = Mail.look(handle);
    if (number == 0) {
      Mail.Letter letter = mail.get(this, handle, timeoutMs);
      if (letter.result() < 0) {
        throw failure(letter);
      }
      number = letter.result();
    }
    return lease.lend(number);
  }

  /** Before there is anything that a lack of memory or stack could lose. */
  private DriverLease prepare() {
    Stack.requireForGet();
    return new DriverLease(this);
  }

  @Override
  void follow(String setting, long value) {
    super.follow(setting, value);
    if (setting.equals("leak_after_ms")) {
      looksForLeaks = value > 0;
    }
  }

  /** Whether a lease that nobody has any more is to be found. */
  boolean looksForLeaks() {
    return looksForLeaks;
  }

  /** For a lease. */
  Mail.Letter begin(long lease, String method, byte[] args) {
    return mail.call(this, lease, method, args);
  }

  /** For a lease: waits for the reply. After an interrupt the call goes on by itself. */
  byte[] await(Mail.Letter letter) throws InterruptedException {
    try {
      return reply(mail.await(letter));
    } catch (InterruptedException e) {
      mail.giveUp(letter);
      throw e;
    }
  }

  static byte[] reply(Mail.Letter letter) {
    if (letter.result() < 0) {
      throw failure(letter);
    }
    return letter.text();
  }

  private static RuntimeException failure(Mail.Letter letter) {
    int code = (int) letter.result();
    return PoolException.of(code, letter.text() == null ? Core.pool_strerror(code) : Text.string(letter.text()));
  }

  /**
   * Replaces all connections; see {@link Pool#flush()}.
   *
   * @return how many connections are concerned
   */
  public int flush() {
    try {
      return Core.pool_flush(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Ends the waits of all gets that wait now; see {@link Pool#evict()}.
   *
   * @return how many
   */
  public int evict() {
    try {
      return Core.pool_evict(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Lends nothing until {@link #resume()}; see {@link Pool#pause()}.
   *
   * @return how many connections are in use
   */
  public int pause() {
    try {
      return Core.pool_pause(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Takes one {@link #pause()} back; see {@link Pool#resume()}.
   *
   * @return how many pauses remain
   */
  public int resume() {
    try {
      return Core.pool_resume(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Changes the hard cap; see {@link Pool#resize(int)}.
   *
   * @param maxOpen how many; 0: no hard cap
   * @return how many connections are still too many
   */
  public int resize(int maxOpen) {
    try {
      return Core.pool_resize(handle, maxOpen);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** The library waits in a thread of its own, because nobody can interrupt it. */
  @Override
  int drain(long drainMs) throws InterruptedException {
    freer.close();
    int open = closeFor(0);
    if (open == 0 || drainMs == 0) {
      return open;
    }
    CompletableFuture<Integer> left = new CompletableFuture<>();
    Thread thread = new Thread(() -> left.complete(closeFor(drainMs)), "libpool-close");
    thread.setDaemon(true);
    thread.start();
    try {
      return left.get();
    } catch (ExecutionException e) {
      throw new AssertionError("a close does not fail", e);
    }
  }

  private int closeFor(long drainMs) {
    try {
      int open = Core.pool_close(handle, drainMs);
      if (open == 0) {
        remains.close();
        subscription.end();
      }
      return open;
    } finally {
      Reference.reachabilityFence(this);
    }
  }
}
