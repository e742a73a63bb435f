// SPDX-License-Identifier: MIT
package libpool;

/** The connection of a lease broke during a call. It is not lent again. */
public final class PoolBrokenException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolBrokenException(String message) {
    super(CoreConstants.POOL_E_BROKEN, message);
  }
}
