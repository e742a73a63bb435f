// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;

/** The settings of a {@link DriverPool}. */
public final class DriverPoolBuilder extends Settings<DriverPoolBuilder> {
  private final String driver;
  private final String address;

  DriverPoolBuilder(String driver, String address) {
    this.driver = driver;
    this.address = address;
    openers(2);
  }

  @Override
  DriverPoolBuilder self() {
    return this;
  }

  /** So many threads of the library open connections; at least 1. */
  public DriverPoolBuilder openers(int openers) {
    return set("openers", openers);
  }

  /** How long a call takes at most; -1 ms: no limit. */
  public DriverPoolBuilder callTimeout(Duration callTimeout) {
    return set("call_timeout_ms", Millis.of(callTimeout));
  }

  /**
   * Loads the driver, makes the pool and opens its first {@link #initial} connections.
   *
   * @throws IllegalArgumentException if a setting or the address is wrong
   * @throws PoolException if there is no such driver, or a connection could not be opened
   */
  public DriverPool build() {
    Library.provideDriver(driver);
    Config config = config();
    try {
      require(config.getOpeners() >= 1, "openers is 0; a pool of a driver needs 1 or more");
      require(config.getKeeper() == CoreConstants.POOL_KEEPER_THREAD, "keeper is manual; it must be thread");
      return new DriverPool(config, name, driver, address);
    } finally {
      config.delete();
    }
  }
}
