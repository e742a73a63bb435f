// SPDX-License-Identifier: MIT
package libpool;

/** Gives up the native pool when nobody can use its object any more. */
final class Freer implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");

  private final long handle;
  private final String name;
  private volatile boolean closed;
  private volatile Keeper keeper; // null: the pool has none

  Freer(long handle, String name) {
    this.handle = handle;
    this.name = name;
  }

  /** It is closed in time. */
  void close() {
    closed = true;
  }

  /** It ends with the pool. */
  void setKeeper(Keeper keeper) {
    this.keeper = keeper;
  }

  @Override
  public void run() {
    if (keeper != null) {
      keeper.end();
    }
    if (!closed) {
      LOG.log(System.Logger.Level.WARNING, "{0}: nobody has this pool any more, and it was never closed", name);
    }
    if (keeper != null) {
      Step.ring(handle); // its listener ends
    }
    Core.pool_free(handle);
  }
}
