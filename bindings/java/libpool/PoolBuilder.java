// SPDX-License-Identifier: MIT
package libpool;

import java.util.Objects;
import java.util.function.Consumer;

/**
 * The settings of a pool and what it does with its connections.
 *
 * @param <C> the kind of connection
 * @param <X> what its opener may throw
 */
public final class PoolBuilder<C, X extends Exception> extends Settings<PoolBuilder<C, X>> {
  final Opener<C, X> opener;
  Closer<? super C> closer = PoolBuilder::closeIfPossible;
  Checker<? super C> checker;
  Resetter<? super C> resetter;
  Consumer<? super Leak> leakReport;
  Consumer<? super Event> events;
  System.Logger log;

  PoolBuilder(Opener<C, X> opener) {
    this.opener = opener;
  }

  @Override
  PoolBuilder<C, X> self() {
    return this;
  }

  static void closeIfPossible(Object connection) throws Exception {
    if (connection instanceof AutoCloseable closeable) {
      closeable.close();
    }
  }

  /**
   * Closes a connection; by default what is AutoCloseable is closed and anything else forgotten. Runs in a thread of the
   * pool, also where a lease ends whose connection must not be used again.
   *
   * @param closer closes a connection
   * @return this
   */
  public PoolBuilder<C, X> closer(Closer<? super C> closer) {
    this.closer = Objects.requireNonNull(closer, "closer");
    return this;
  }

  /**
   * Finds out whether a connection is still good; see {@link #checkAfter} and {@link #keepalive}.
   *
   * @param checker says whether a connection is good
   * @return this
   */
  public PoolBuilder<C, X> checker(Checker<? super C> checker) {
    this.checker = Objects.requireNonNull(checker, "checker");
    return this;
  }

  /**
   * Makes a returned connection clean for its next user; if that fails, the connection is closed.
   *
   * @param resetter makes a connection clean
   * @return this
   */
  public PoolBuilder<C, X> resetter(Resetter<? super C> resetter) {
    this.resetter = Objects.requireNonNull(resetter, "resetter");
    return this;
  }

  /**
   * Receives reports of leases that are out for {@link #leakAfter}, and of those that nobody has any more; the
   * connection of the latter is then closed. With this or leakAfter each get takes a stack trace, which costs more than
   * everything else. Without this, but with leakAfter, leaks are logged.
   *
   *
   * @param leakReport is told of each
   * @return this
   */
  public PoolBuilder<C, X> leakReport(Consumer<? super Leak> leakReport) {
    this.leakReport = Objects.requireNonNull(leakReport, "leakReport");
    return this;
  }

  /**
   * Receives what happens, in the pool's own thread and soon after; the setting {@code event_mask} chooses what. Keep it
   * short: meanwhile nothing is done that is due by time. A pool keeps 256 events for it and drops the oldest. Those of
   * each get and close make these slower.
   *
   *
   * @param events is told of each
   * @return this
   */
  public PoolBuilder<C, X> events(Consumer<? super Event> events) {
    this.events = Objects.requireNonNull(events, "events");
    return this;
  }

  /**
   * Receives lines about what is rare: failed opens, leaks, an open breaker, threads that wait for each other.
   *
   * @param log gets the lines
   * @return this
   */
  public PoolBuilder<C, X> log(System.Logger log) {
    this.log = Objects.requireNonNull(log, "log");
    return this;
  }

  /**
   * Makes the pool and opens its first {@link #initial} connections; if one fails, those that were opened are closed.
   *
   * @return the pool
   * @throws X what the opener throws
   * @throws IllegalArgumentException if a setting is wrong
   *
   */
  public Pool<C, X> build() throws X {
    Config config = config();
    try {
      Pool<C, X> pool = new Pool<>(this, config);
      pool.fill(config.getInitial());
      return pool;
    } finally {
      config.delete();
    }
  }
}
