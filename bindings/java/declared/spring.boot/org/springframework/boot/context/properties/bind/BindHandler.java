// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

public interface BindHandler {
  BindHandler DEFAULT = new BindHandler() {};
}
