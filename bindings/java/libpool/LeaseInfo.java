// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;

/**
 * A lease that is out.
 *
 * @param lease its number
 * @param connection that of its connection, counted from 1 in each pool
 * @param thread which thread of the system got it, as gettid() numbers them; 0: not known
 * @param held for how long it has been out, as far as is known
 * @param tag what {@link Lease#tag} noted, or ""
 */
public record LeaseInfo(long lease, long connection, long thread, Duration held, String tag) {}
