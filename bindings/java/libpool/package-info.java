// SPDX-License-Identifier: MIT
/**
 * Pools of connections: {@link libpool.Pool} of anything, {@link libpool.PooledDataSource} of JDBC's, and {@link
 * libpool.DriverPool} of those that a driver of the library opens.
 */
@NullMarked
package libpool;

import org.jspecify.annotations.NullMarked;
