// SPDX-License-Identifier: MIT
package libpool;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The watches of one pool, by the numbers of their leases. The library tells once that a lease is out for too long, and may
 * tell it before the thread that got the lease has begun its watch. That word is kept here until the watch begins.
 *
 * <p>Shared: both maps, without a lock. Either the watch is there before the word is looked for, or the word is there before
 * the watch is. The thread that removes the word reports the leak, so that is done once.
 */
final class Watches {
  private final Map<Long, Watch> watches = new ConcurrentHashMap<>();
  private final Map<Integer, Long> words = new ConcurrentHashMap<>(); // by slots, so those that nobody waits for stay few

  /** Returns whether its lease is to be reported now. */
  boolean begin(Watch watch) {
    watches.put(watch.number(), watch);
    return words.remove(slot(watch.number()), watch.number());
  }

  void end(Watch watch) {
    watches.remove(watch.number());
  }

  /** The lease is over, though its user has not ended it. */
  void end(long number) {
    Watch watch = watches.get(number);
    if (watch != null) {
      watch.end();
    }
  }

  /** The library tells of a lease. Returns its watch if it is to be reported now; null: when that begins, if it ever does. */
  Watch tell(long number) {
    words.put(slot(number), number);
    Watch watch = watches.get(number);
    return watch != null && words.remove(slot(number), number) ? watch : null;
  }

  private static int slot(long number) {
    return (int) number & Table.SLOT_MASK;
  }
}
