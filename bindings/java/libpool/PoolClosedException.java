// SPDX-License-Identifier: MIT
package libpool;

/** The pool is closed. */
public final class PoolClosedException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolClosedException(String message) {
    super(CoreConstants.POOL_E_CLOSED, message);
  }
}
