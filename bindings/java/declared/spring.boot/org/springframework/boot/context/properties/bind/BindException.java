// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

public class BindException extends RuntimeException {
  private static final long serialVersionUID = 1;
}
