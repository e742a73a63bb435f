// SPDX-License-Identifier: MIT
/** The metrics of a data source for OpenTelemetry. */
package libpool.opentelemetry;
