// SPDX-License-Identifier: MIT
package libpool;

/** The server answered a call with an error, which is the message. The connection is good. */
public final class PoolRemoteException extends PoolException {
  private static final long serialVersionUID = 1;

  PoolRemoteException(String message) {
    super(CoreConstants.POOL_E_REMOTE, message);
  }
}
