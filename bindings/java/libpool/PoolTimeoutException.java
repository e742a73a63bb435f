// SPDX-License-Identifier: MIT
package libpool;

/** No connection came in time; the message says where the time went. */
public final class PoolTimeoutException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolTimeoutException(String message) {
    super(CoreConstants.POOL_E_TIMEOUT, message);
  }
}
