// SPDX-License-Identifier: MIT
package libpool;

/** Opens keep failing, so none was tried; the cause is the last failure that was seen. */
public final class PoolOpenException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolOpenException(String message) {
    super(CoreConstants.POOL_E_OPEN, message);
  }
}
