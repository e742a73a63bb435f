// SPDX-License-Identifier: MIT
package libpool;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** All that want to know of one data source. */
final class Trackers {
  private static final System.Logger LOG = System.getLogger("libpool");

  private final List<Tracker> all = new CopyOnWriteArrayList<>();
  private volatile boolean any; // what gets look at

  boolean isAny() {
    return any;
  }

  /** Returns false if one that equals it is there. */
  synchronized boolean add(Tracker tracker) {
    boolean isNew = !all.contains(tracker);
    if (isNew) {
      all.add(tracker);
      any = true;
    }
    return isNew;
  }

  synchronized void remove(Tracker tracker) {
    all.remove(tracker);
    any = !all.isEmpty();
  }

  void acquired(long ns) {
    tell(tracker -> tracker.acquired(ns));
  }

  void timedOut(long ns) {
    tell(tracker -> tracker.timedOut(ns));
  }

  void failed(long ns) {
    tell(tracker -> tracker.failed(ns));
  }

  void used(long ns) {
    tell(tracker -> tracker.used(ns));
  }

  void opened(long ns) {
    tell(tracker -> tracker.opened(ns));
  }

  void closed() {
    tell(Tracker::closed);
  }

  private void tell(Consumer<Tracker> what) {
    for (Tracker tracker : all) {
      try {
        what.accept(tracker);
      } catch (Throwable e) { // the pool goes on
        LOG.log(System.Logger.Level.WARNING, "a tracker failed", e);
      }
    }
  }
}
