// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;

/** The settings of a {@link DriverPool}. */
public final class DriverPoolBuilder extends Settings<DriverPoolBuilder> {
  private final String driver; // null: by URL
  private final String address; // or URL

  DriverPoolBuilder(String driver, String address) {
    this.driver = driver;
    this.address = address;
    openers(2);
  }

  /** The name is the URL's, unless one is set. */
  DriverPoolBuilder(String url) {
    this(null, url);
    name = "";
  }

  @Override
  DriverPoolBuilder self() {
    return this;
  }

  /**
   * This many threads of the library open connections; at least 1.
   *
   * @param openers how many
   * @return this
   */
  public DriverPoolBuilder openers(int openers) {
    return set("openers", openers);
  }

  /**
   * How long a call takes at most; -1 ms: no limit.
   *
   * @param callTimeout how long; -1 ms: no limit
   * @return this
   */
  public DriverPoolBuilder callTimeout(Duration callTimeout) {
    return set("call_timeout_ms", Millis.of(callTimeout));
  }

  /**
   * Loads the driver, makes the pool and opens its first {@link #initial} connections.
   *
   * @return the pool
   * @throws IllegalArgumentException if a setting, the address or the URL is wrong
   * @throws PoolException if there is no such driver, or a connection could not be opened
   *
   */
  public DriverPool build() {
    Text.whole("the address", address);
    Config config = config();
    try {
      if (driver == null) {
        Library.provideDrivers();
        Core.pool_url_settings(config, address);
      } else {
        Library.provideDriver(driver);
      }
      require(config.getOpeners() >= 1, "openers is 0; a pool of a driver needs 1 or more");
      require(config.getKeeper() == CoreConstants.POOL_KEEPER_THREAD, "keeper is manual; it must be thread");
      return driver == null ? byUrl(config) : byDriver(config);
    } finally {
      config.delete();
    }
  }

  private DriverPool byDriver(Config config) {
    return new DriverPool(config, name, Core.pool_driver_new(config, name, driver, address));
  }

  private DriverPool byUrl(Config config) {
    long handle = Core.pool_url_new(config, name, address);
    String called;
    try {
      called = nameOf(handle);
    } catch (Throwable e) {
      Core.pool_free(handle);
      throw e;
    }
    return new DriverPool(config, called, handle);
  }

  /** As the first line of a report has it: {@code pool "NAME"}. */
  private static String nameOf(long handle) {
    String report = Core.pool_report_text(handle, Format.TEXT.ordinal());
    String quoted = report.substring(0, report.indexOf('\n'));
    return quoted.substring("pool \"".length(), quoted.length() - 1).replaceAll("\\\\(.)", "$1");
  }
}
