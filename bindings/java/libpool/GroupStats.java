// SPDX-License-Identifier: MIT
package libpool;

/**
 * What a {@link Group} has and has done. Since 0.1.
 *
 * @param keys that have a pool now
 * @param made pools, since the group began
 * @param letGo of these
 * @param refused gets that maxKeys refused
 * @param open connections of all pools together, and so on
 * @param idle of these
 * @param leased of these
 * @param waiting gets in the queues of all pools
 */
public record GroupStats(
    long keys, long made, long letGo, long refused, long open, long idle, long leased, long waiting) {}
