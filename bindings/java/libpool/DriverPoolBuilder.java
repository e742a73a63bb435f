// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;
import java.util.Objects;

/** The settings of a {@link DriverPool}. */
public final class DriverPoolBuilder extends Settings<DriverPoolBuilder> {
  private final String driver;
  private final String address;
  private int openers = 2;
  private Duration callTimeout = Duration.ofMillis(-1);

  DriverPoolBuilder(String driver, String address) {
    this.driver = driver;
    this.address = address;
  }

  @Override
  DriverPoolBuilder self() {
    return this;
  }

  /** So many threads of the library open connections; at least 1. */
  public DriverPoolBuilder openers(int openers) {
    this.openers = openers;
    return this;
  }

  /** How long a call takes at most; -1 ms: no limit. */
  public DriverPoolBuilder callTimeout(Duration callTimeout) {
    this.callTimeout = Objects.requireNonNull(callTimeout, "callTimeout");
    return this;
  }

  /**
   * Loads the driver, makes the pool and opens its first {@link #initial} connections.
   *
   * @throws IllegalArgumentException if a setting or the address is wrong
   * @throws PoolException if there is no such driver, or a connection could not be opened
   */
  public DriverPool build() {
    if (openers < 1) {
      throw new IllegalArgumentException("openers is " + openers + "; it must be 1 or more");
    }
    Library.provideDriver(driver);
    Config config = config();
    try {
      config.setInitial(initial);
      config.setPaused(paused ? 1 : 0);
      config.setOpeners(openers);
      config.setCall_timeout_ms(Millis.of(callTimeout));
      return new DriverPool(config, name, driver, address);
    } finally {
      config.delete();
    }
  }
}
