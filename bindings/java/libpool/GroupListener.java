// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.WeakReference;

/** A thread that hears what a group's library tells, and keeps the time of its keys. It does not keep the group alive. */
final class GroupListener implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final int ENDS = -2;
  private static final int AFTER_ERROR_MS = 1000;

  private final WeakReference<Group<?, ?>> group;
  private final int bell; // a descriptor, see bindings/bell.h

  private GroupListener(Group<?, ?> group, int bell) {
    this.group = new WeakReference<>(group);
    this.bell = bell;
  }

  static void start(Group<?, ?> group, String name, long handle) {
    int bell = Step.groupBell(handle);
    if (bell < 0) {
      throw new PoolException(CoreConstants.POOL_E_SYSTEM, name + ": no descriptor for this group can be had");
    }
    Thread thread = new Thread(null, new GroupListener(group, bell), "libpool-" + name + "-bell", 0, false);
    thread.setContextClassLoader(null);
    thread.setDaemon(true);
    try {
      thread.start();
    } catch (Throwable e) {
      Step.closeBell(bell);
      throw e;
    }
  }

  @Override
  public void run() {
    for (int ms = attend(); ms != ENDS; ms = attend()) {
      Step.awaitFor(bell, ms);
    }
    Step.closeBell(bell);
  }

  /** In a frame of its own, so that nothing of the thread that waits refers to the group. */
  private int attend() {
    Group<?, ?> kept = group.get();
    if (kept == null || kept.isClosed()) {
      return ENDS;
    }
    try {
      long ns = kept.attend();
      return ns == Step.NEVER ? -1 : (int) Math.min(Integer.MAX_VALUE, ns / 1_000_000 + 1);
    } catch (Throwable e) { // memory is short, perhaps
      LOG.log(System.Logger.Level.WARNING, "what a group was told could not be done", e);
      return AFTER_ERROR_MS;
    }
  }
}
