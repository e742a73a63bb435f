// SPDX-License-Identifier: MIT
package libpool;

import java.sql.SQLException;

/** Says as which user to open a connection, for each anew: for passwords that are valid for a while only. */
@FunctionalInterface
public interface CredentialsProvider {
  /**
   * Is called by the threads of the pool, by several at one time.
   *
   * @return a name and a password
   * @throws SQLException if there are none now: then the open has failed
   *
   */
  Credentials getCredentials() throws SQLException;
}
