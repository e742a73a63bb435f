// SPDX-License-Identifier: MIT
package libpool;

import org.jspecify.annotations.Nullable;

/**
 * The user as which a data source opens connections. Its text does not have the password.
 *
 * @param username null: none
 * @param password null: none
 */
public record Credentials(@Nullable String username, @Nullable String password) {
  /**
   * The same as the constructor.
   *
   * @param username null: none
   * @param password null: none
   * @return the credentials
   */
  public static Credentials of(@Nullable String username, @Nullable String password) {
    return new Credentials(username, password);
  }

  Credentials withUsername(String other) {
    return new Credentials(other, password);
  }

  Credentials withPassword(String other) {
    return new Credentials(username, other);
  }

  @Override
  public String toString() {
    return "Credentials[username=" + username + "]";
  }
}
