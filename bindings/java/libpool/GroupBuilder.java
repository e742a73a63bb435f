// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * The settings of a {@link Group}: those of the pool of each key, and its own. {@code initial} must be 0. Since 0.1.
 *
 * @param <C> the kind of connection
 * @param <X> what its opener may throw
 */
public final class GroupBuilder<C, X extends Exception> extends Settings<GroupBuilder<C, X>> {
  final KeyedOpener<C, X> opener;
  BiConsumer<? super String, ? super PoolBuilder<C, X>> prepare = (key, pool) -> {};
  private Consumer<PoolBuilder<C, X>> all = pool -> {}; // what each has that is no setting
  long keyIdleMs; // 0: the library's default, as the following
  int maxKeys;

  GroupBuilder(KeyedOpener<C, X> opener) {
    this.opener = opener;
    name = "group";
  }

  @Override
  GroupBuilder<C, X> self() {
    return this;
  }

  /**
   * A key that has had no connection for this long is let go of; a minute by default.
   *
   * @param keyIdle how long; -1 ms: never
   * @return this
   */
  public GroupBuilder<C, X> keyIdle(Duration keyIdle) {
    keyIdleMs = Millis.of(keyIdle);
    require(keyIdleMs != 0, "key_idle_ms is 0; it must be from 1 to a year, or -1 (never)");
    return this;
  }

  /**
   * At most this many keys at one time; 10,000 by default.
   *
   * @param maxKeys how many
   * @return this
   */
  public GroupBuilder<C, X> maxKeys(int maxKeys) {
    require(maxKeys > 0, "max_keys is " + maxKeys + "; it must be from 1 to 1000000");
    this.maxKeys = maxKeys;
    return this;
  }

  /**
   * Closes a connection, as {@link PoolBuilder#closer}.
   *
   * @param closer closes a connection
   * @return this
   */
  public GroupBuilder<C, X> closer(Closer<? super C> closer) {
    return each(pool -> pool.closer(closer));
  }

  /**
   * Finds out whether a connection is still good, as {@link PoolBuilder#checker}.
   *
   * @param checker says whether a connection is good
   * @return this
   */
  public GroupBuilder<C, X> checker(Checker<? super C> checker) {
    return each(pool -> pool.checker(checker));
  }

  /**
   * Makes a returned connection clean for its next user, as {@link PoolBuilder#resetter}.
   *
   * @param resetter makes a connection clean
   * @return this
   */
  public GroupBuilder<C, X> resetter(Resetter<? super C> resetter) {
    return each(pool -> pool.resetter(resetter));
  }

  /**
   * Receives reports of leases that are out for too long or lost, as {@link PoolBuilder#leakReport}.
   *
   * @param leakReport is told of each
   * @return this
   */
  public GroupBuilder<C, X> leakReport(Consumer<? super Leak> leakReport) {
    return each(pool -> pool.leakReport(leakReport));
  }

  /**
   * Receives what happens in the pools, as {@link PoolBuilder#events}.
   *
   * @param events is told of each
   * @return this
   */
  public GroupBuilder<C, X> events(Consumer<? super Event> events) {
    return each(pool -> pool.events(events));
  }

  /**
   * Receives lines about what is rare, as {@link PoolBuilder#log}.
   *
   * @param log gets the lines
   * @return this
   */
  public GroupBuilder<C, X> log(System.Logger log) {
    return each(pool -> pool.log(log));
  }

  private GroupBuilder<C, X> each(Consumer<PoolBuilder<C, X>> more) {
    all = all.andThen(more);
    return this;
  }

  /**
   * Says what is special to a key before its pool is made, as {@code maxOpen}. It may be called in vain.
   *
   * @param prepare gets the key and the builder of its pool
   * @return this
   */
  public GroupBuilder<C, X> prepare(BiConsumer<? super String, ? super PoolBuilder<C, X>> prepare) {
    this.prepare = Objects.requireNonNull(prepare, "prepare");
    return this;
  }

  /** Of the pool of a key, without what is special to it. */
  PoolBuilder<C, X> builderOf(String key) {
    PoolBuilder<C, X> builder = new PoolBuilder<>(() -> opener.open(key));
    builder.putAll(this);
    all.accept(builder);
    builder.name = name + "/" + key; // a key may have any character
    return builder;
  }

  /**
   * Makes the group, without any pool.
   *
   * @return the group
   * @throws IllegalArgumentException if a setting is wrong
   */
  public Group<C, X> build() {
    return new Group<>(this);
  }
}
