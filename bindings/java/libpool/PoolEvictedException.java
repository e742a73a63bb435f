// SPDX-License-Identifier: MIT
package libpool;

/** {@link Pool#evict()} has ended the wait. */
public final class PoolEvictedException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolEvictedException(String message) {
    super(CoreConstants.POOL_E_EVICTED, message);
  }
}
