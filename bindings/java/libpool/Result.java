// SPDX-License-Identifier: MIT
package libpool;

import java.sql.SQLException;
import java.sql.Statement;

/** A result, which knows its statement as its user sees it. */
abstract class Result extends Tracked {
  final Statement parent; // null: of metadata, or of a value

  Result(ConnectionHandle handle, Statement parent) {
    super(handle);
    this.parent = parent;
  }

  public final Statement getStatement() throws SQLException {
    handle.requireOpen();
    return parent;
  }
}
