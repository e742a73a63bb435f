// SPDX-License-Identifier: MIT
package libpool;

/** Which waiter is served first when every waiter is late. */
public enum Order {
  /** Waiters are served in order of arrival, within {@code fairness}. */
  FIFO,
  /** The newest first while the pool is overloaded: some in time are better than all late. */
  LIFO,
  /** While the pool is overloaded, the late get a {@link PoolOverloadException}. */
  SHED
}
