// SPDX-License-Identifier: MIT
package libpool;

import java.sql.SQLException;

/** The user as which a data source opens its next connection. */
final class Login {
  private volatile Credentials credentials = new Credentials(null, null);
  private volatile CredentialsProvider provider; // null: the credentials are those that were set

  /** Those that were set. */
  Credentials set() {
    return credentials;
  }

  void set(Credentials credentials) {
    this.credentials = credentials;
  }

  CredentialsProvider provider() {
    return provider;
  }

  void set(CredentialsProvider provider) {
    this.provider = provider;
  }

  Credentials ask() throws SQLException {
    CredentialsProvider asked = provider;
    if (asked == null) {
      return credentials;
    }
    Credentials answer = asked.getCredentials();
    if (answer == null) {
      throw new SQLException(asked.getClass().getName() + " gave no credentials", "28000");
    }
    return answer;
  }
}
