// SPDX-License-Identifier: MIT
/** The meters of a data source for Micrometer. */
package libpool.micrometer;
