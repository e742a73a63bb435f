// SPDX-License-Identifier: MIT
/** What Spring Boot finds by itself. */
package libpool.spring;
