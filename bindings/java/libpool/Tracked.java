// SPDX-License-Identifier: MIT
package libpool;

/** What is closed with its connection if its user does not close it. */
abstract class Tracked extends Guarded {
  boolean isListed; // or was; set before its user has it
  Tracked next; // these two belong to the handle
  Tracked previous;

  Tracked(ConnectionHandle handle) {
    super(handle);
  }
}
