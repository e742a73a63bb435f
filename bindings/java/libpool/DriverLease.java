// SPDX-License-Identifier: MIT
package libpool;

import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The right to use one connection of a {@link DriverPool} until it is closed. Closing it gives the connection back; once
 * is enough, more often is harmless. Any thread may close it.
 */
public final class DriverLease implements AutoCloseable {
  private final DriverPool pool;
  private final AtomicLong number = new AtomicLong(); // 0: ended

  DriverLease(DriverPool pool) {
    this.pool = pool;
  }

  DriverLease lend(long number) {
    this.number.set(number);
    return this;
  }

  private long number() {
    long lease = number.get();
    if (lease == 0) {
      throw PoolException.of(CoreConstants.POOL_E_STALE, Core.pool_strerror(CoreConstants.POOL_E_STALE));
    }
    return lease;
  }

  /**
   * Calls a method of the server and waits for its reply.
   *
   * @param args in the notation of the driver: for jsonrpc one JSON value
   * @return the reply in the same notation
   * @throws PoolRemoteException if the server answers with an error; the connection is good
   * @throws PoolBrokenException if the connection broke; it is not lent again
   * @throws PoolTimeoutException if there was no reply within callTimeout
   * @throws IllegalStateException if the lease was closed
   * @throws InterruptedException if the thread is interrupted; the call goes on, and its reply is dropped
   */
  public byte[] call(String method, byte[] args) throws InterruptedException {
    return pool.await(begin(method, args));
  }

  /**
   * Calls a method of the server. The future completes in a thread of {@link java.util.concurrent.ForkJoinPool#commonPool()}
   * and fails as {@link #call} does; to cancel it does not end the call. The lease may be closed meanwhile.
   */
  public CompletableFuture<byte[]> callAsync(String method, byte[] args) {
    return begin(method, args).thenApplyAsync(DriverPool::reply);
  }

  private Mail.Question begin(String method, byte[] args) {
    Objects.requireNonNull(method, "method");
    Objects.requireNonNull(args, "args");
    return pool.begin(number(), method, args);
  }

  /** Gives the connection back. */
  @Override
  public void close() {
    long lease = number.getAndSet(0);
    if (lease != 0) {
      Mail.put(lease);
    }
  }

  /** The same as {@link #close()}, but the connection is closed and not lent again. */
  public void discard() {
    long lease = number.getAndSet(0);
    if (lease != 0) {
      Core.pool_mark_unusable(lease);
      Mail.put(lease);
    }
  }
}
