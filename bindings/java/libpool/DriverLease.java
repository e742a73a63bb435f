// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Cleaner;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The right to use one connection of a {@link DriverPool} until it is closed. Closing it gives the connection back; once
 * is enough, more often is harmless. Any thread may close it.
 */
public final class DriverLease implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final Cleaner CLEANER = Cleaner.create();

  private final DriverPool pool;
  private final Right right;
  private Cleaner.Cleanable cleanable; // null: nobody looks for leaks

  /** What is left of a lease that nobody has any more. */
  private static final class Right implements Runnable {
    private final DriverPool pool;
    private final AtomicLong number = new AtomicLong(); // 0: ended

    private Right(DriverPool pool) {
      this.pool = pool;
    }

    @Override
    public void run() {
      long lost = number.getAndSet(0);
      if (lost != 0) {
        LOG.log(System.Logger.Level.WARNING, "{0}: a lease was lost and never closed", pool.name());
        Core.pool_mark_unusable(lost);
        Mail.put(lost);
      }
    }
  }

  DriverLease(DriverPool pool) {
    this.pool = pool;
    right = new Right(pool);
    if (pool.looksForLeaks()) {
      cleanable = CLEANER.register(this, right);
    }
  }

  DriverLease lend(long number) {
    right.number.set(number);
    return this;
  }

  private long number() {
    long lease = right.number.get();
    if (lease == 0) {
      throw PoolException.of(CoreConstants.POOL_E_STALE, Core.pool_strerror(CoreConstants.POOL_E_STALE));
    }
    return lease;
  }

  /**
   * Calls a method of the server and waits for its reply.
   *
   * @param method as the server calls it
   * @param args in the notation of the driver: for jsonrpc one JSON value
   * @return the reply in the same notation
   * @throws PoolRemoteException if the server answers with an error; the connection is good
   * @throws PoolBrokenException if the connection broke; it is not lent again
   * @throws PoolTimeoutException if there was no reply within callTimeout
   * @throws IllegalStateException if the lease was closed
   * @throws InterruptedException if the thread is interrupted; the call goes on, and its reply is dropped
   *
   */
  public byte[] call(String method, byte[] args) throws InterruptedException {
    return pool.await(begin(method, args));
  }

  /**
   * Calls a method of the server. The future completes in a thread of {@link java.util.concurrent.ForkJoinPool#commonPool()}
   * and fails as {@link #call} does; to cancel it does not end the call. The lease may be closed meanwhile.
   *
   *
   * @param method as the server calls it
   * @param args in the notation of the driver
   * @return the reply, when it has come
   */
  public CompletableFuture<byte[]> callAsync(String method, byte[] args) {
    return begin(method, args).thenApplyAsync(DriverPool::reply);
  }

  private Mail.Letter begin(String method, byte[] args) {
    Text.whole("the method", Objects.requireNonNull(method, "method"));
    Objects.requireNonNull(args, "args");
    return pool.begin(number(), method, args);
  }

  /**
   * Notes what the lease is used for, until it is closed; see {@link DriverPool#leases()}.
   *
   * @param tag a few words, or null for none
   * @throws IllegalStateException if the lease was closed
   */
  public void tag(@Nullable String tag) {
    Core.pool_tag(number(), tag == null ? null : Text.whole("the tag", tag));
  }

  /** Gives the connection back. */
  @Override
  public void close() {
    long lease = take();
    if (lease != 0) {
      Mail.put(lease);
    }
  }

  /** The same as {@link #close()}, but the connection is closed and not lent again. */
  public void discard() {
    long lease = take();
    if (lease != 0) {
      Core.pool_mark_unusable(lease);
      Mail.put(lease);
    }
  }

  /**
   * The same as {@link #discard()} for a connection that broke: the others are under suspicion, and those that are idle
   * are checked. A call that fails with a {@link PoolBrokenException} has done it already.
   */
  public void discardBroken() {
    long lease = take();
    if (lease != 0) {
      Core.pool_mark_broken(lease);
      Mail.put(lease);
    }
  }

  private long take() {
    Stack.requireForClose();
    long lease = right.number.getAndSet(0);
    if (cleanable != null) {
      cleanable.clean();
    }
    return lease;
  }
}
