// SPDX-License-Identifier: MIT
package libpool;

/**
 * A lease that was not closed in time, or never will be.
 *
 * @param pool the name of the pool
 * @param lost whether nobody has the lease any more; then its connection was closed and its place is free again
 * @param where the code that got it: a trace of the moment
 */
public record Leak(String pool, boolean lost, Throwable where) {}
