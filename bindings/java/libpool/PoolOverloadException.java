// SPDX-License-Identifier: MIT
package libpool;

/** Too many are waiting already. */
public final class PoolOverloadException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolOverloadException(String message) {
    super(CoreConstants.POOL_E_OVERLOAD, message);
  }
}
