// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

public class UnboundConfigurationPropertiesException extends RuntimeException {
  private static final long serialVersionUID = 1;
}
