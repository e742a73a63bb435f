// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Pools by key, for tenants, endpoints, or the databases of a server, which share one limit by the setting {@code
 * budget}. All methods may be called by any thread at any moment. Since 0.1.
 *
 * <p>The pool of a key is made when the key is asked for first, and let go of when it has had no connection for a while. It
 * is called NAME/KEY in messages and reports. A key is a text of 1 to 255 bytes in UTF-8.
 *
 * <pre>{@code
 * Group<Line, IOException> shop =
 *     Group.<Line, IOException>builder(tenant -> Line.dial(server.getLocalPort(), tenant))
 *         .name("shop")
 *         .set("budget", "process:shop?limit=4")
 *         .keyIdle(Duration.ofMinutes(10))
 *         .build();
 * }</pre>
 *
 * <pre>{@code
 * try (var lease = shop.get(tenant)) {
 *   return lease.conn().ask("hello");
 * }
 * }</pre>
 *
 * @param <C> the kind of connection
 * @param <X> what its opener may throw, which is what a get may throw
 */
public final class Group<C, X extends Exception> extends Drained {
  private final GroupBuilder<C, X> builder;
  private final long handle; // valid as long as this object
  private final Remains remains;
  private final ReentrantLock lock = new ReentrantLock(); // for changes of the following
  private final Map<String, Pool<C, X>> pools = new ConcurrentHashMap<>();
  private final Map<Long, Entry<C, X>> entries = new ConcurrentHashMap<>(); // by the numbers that the library has
  private volatile boolean closed;

  private record Entry<C, X extends Exception>(String key, Pool<C, X> pool) {}

  Group(GroupBuilder<C, X> builder) {
    this.builder = builder;
    PoolBuilder<C, X> like = builder.builderOf("");
    Config config = like.config();
    try {
      handle = create(builder, like, config);
      getTimeoutMs = config.getGet_timeout_ms();
    } finally {
      config.delete();
    }
    long freed = handle;
    remains = new Remains(this, () -> Step.groupFree(freed));
    GroupListener.start(this, builder.name, handle);
  }

  private static long create(GroupBuilder<?, ?> builder, PoolBuilder<?, ?> like, Config config) {
    long[] made = new long[1];
    byte[] name = builder.name.getBytes(StandardCharsets.UTF_8);
    int abilities = Pool.abilities(like, config);
    return answered(
        made, Step.groupMake(Config.getCPtr(config), name, abilities, builder.keyIdleMs, builder.maxKeys, made));
  }

  private static long answered(long[] made, byte[] message) {
    if (made[0] < 0 && made[0] >= Step.ERRORS_END) {
      throw PoolException.of((int) made[0], message);
    }
    return made[0];
  }

  /**
   * Begins to build a group.
   *
   * @param <C> the kind of connection
   * @param <X> what the opener may throw
   * @param opener opens a connection of a key; what it throws, a get throws
   * @return a builder
   */
  public static <C, X extends Exception> GroupBuilder<C, X> builder(KeyedOpener<C, X> opener) {
    return new GroupBuilder<>(Objects.requireNonNull(opener, "opener"));
  }

  /** {@return its name, with which those of its pools begin} */
  public String name() {
    return builder.name;
  }

  // ---- gets

  private interface Lending<C, X extends Exception> {
    Lease<C> from(Pool<C, X> pool) throws X, InterruptedException;
  }

  /**
   * The same as {@link #get(String, Duration)} with the configured timeout.
   *
   * @param key the key
   * @return a lease
   * @throws X what the opener throws
   * @throws InterruptedException if the thread is interrupted while it waits
   */
  public Lease<C> get(String key) throws X, InterruptedException {
    return lend(key, Pool::get);
  }

  /**
   * Gets a connection of a key, as {@link Pool#get(Duration)} of its pool, which is made if there is none.
   *
   * @param key the key
   * @param timeout for waiting and opening together; 0 or more
   * @return a lease
   * @throws X what the opener throws, if no other connection may come
   * @throws PoolOverloadException if maxKeys keys have connections, or too many are waiting
   * @throws PoolClosedException if the group is closed
   * @throws InterruptedException if the thread is interrupted while it waits
   */
  public Lease<C> get(String key, Duration timeout) throws X, InterruptedException {
    return lend(key, pool -> pool.get(timeout));
  }

  /**
   * Gets a connection of a key without waiting for others, as {@link Pool#tryGet()}.
   *
   * @param key the key
   * @return a lease, or null if there is none now
   * @throws X what the opener throws
   */
  public @Nullable Lease<C> tryGet(String key) throws X {
    try {
      return lend(key, Pool::tryGet);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** A pool that is closed when a get comes to it was let go of meanwhile: then the key has another. */
  private Lease<C> lend(String key, Lending<C, X> lending) throws X, InterruptedException {
    Pool<C, X> pool = pool(key);
    for (; ; ) {
      try {
        return lending.from(pool);
      } catch (PoolClosedException e) {
        Pool<C, X> another = make(key, pool);
        if (another == pool) {
          throw e;
        }
        pool = another;
      }
    }
  }

  /**
   * The pool of a key, to look at it or to steer it; it is made if there is none. It is closed when its key is let go of, and
   * the group then has another; to close it ends the key.
   *
   * @param key the key
   * @return its pool
   */
  public Pool<C, X> pool(String key) {
    Pool<C, X> pool = pools.get(Objects.requireNonNull(key, "key"));
    return pool != null && !pool.isClosed() ? pool : make(key, pool);
  }

  /**
   * The pool of a key, where the group knows none but one that is closed.
   *
   * @param stale that one, or null
   */
  private Pool<C, X> make(String key, Pool<C, X> stale) {
    PoolBuilder<C, X> of = builder.builderOf(key);
    builder.prepare.accept(key, of);
    of.name = builder.name + "/" + key;
    Config config = of.config();
    lock.lock();
    try {
      Pool<C, X> found = pools.get(key);
      return found != null && found != stale && !found.isClosed() ? found : make(key, of, config);
    } finally {
      lock.unlock();
      config.delete();
      attend();
    }
  }

  private Pool<C, X> make(String key, PoolBuilder<C, X> of, Config config) {
    Pool<C, X> fresh = new Pool<>(of, config, this, key.getBytes(StandardCharsets.UTF_8));
    Entry<C, X> known = entries.putIfAbsent(fresh.handle, new Entry<>(key, fresh));
    if (known != null) {
      fresh.freer.leaveAlone(); // the pool is open after all, and has its object
      return known.pool();
    }
    pools.put(key, fresh);
    fresh.begin();
    return fresh;
  }

  /** For a new pool: that of the library, which is its own from then on. */
  long make(byte[] key, Config config) {
    long[] made = new long[1];
    return answered(made, Step.groupPool(handle, key, Config.getCPtr(config), made));
  }

  // ---- what the library tells

  /** Does what is to be done. Returns in how many nanoseconds to ask again. */
  long attend() {
    long[] news = new long[3];
    for (; ; ) {
      Step.groupNext(handle, news);
      Reference.reachabilityFence(this);
      if (news[0] == Step.GONE) {
        Entry<C, X> gone = forget(news[1]);
        if (gone != null) {
          gone.pool().closeQuickly();
        }
      } else if (news[0] == Step.STEERED) {
        Entry<C, X> steered = entries.get(news[1]);
        if (steered != null && !steered.pool().isClosed()) {
          steered.pool().attendToOthers();
        }
      } else {
        return news[2];
      }
    }
  }

  private Entry<C, X> forget(long number) {
    lock.lock();
    try {
      Entry<C, X> gone = entries.remove(number);
      if (gone != null) {
        pools.remove(gone.key(), gone.pool());
      }
      return gone;
    } finally {
      lock.unlock();
    }
  }

  boolean isClosed() {
    return closed;
  }

  // ---- all of them

  /** {@return the keys that have a pool, in no order} */
  public List<String> keys() {
    attend();
    return List.copyOf(pools.keySet());
  }

  /** {@return counts; each pool is asked, so it takes as long as there are keys} */
  public GroupStats stats() {
    long[] n = new long[8];
    Step.groupStats(handle, n);
    Reference.reachabilityFence(this);
    return new GroupStats(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]);
  }

  @Override
  int drain(long drainMs) throws InterruptedException {
    closed = true;
    Step.groupClose(handle);
    remains.close(); // each pool has its own
    List<Pool<C, X>> all = entries.values().stream().map(Entry::pool).toList();
    int open = 0;
    for (Pool<C, X> pool : all) {
      open += pool.drain(0); // none waits for another
    }
    if (open == 0 || drainMs == 0) {
      return open;
    }
    long began = System.nanoTime();
    open = 0;
    for (Pool<C, X> pool : all) {
      long left = drainMs - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
      open += pool.drain(drainMs < 0 ? -1 : Math.max(0, left));
    }
    return open;
  }
}
