// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.source;

public interface ConfigurationPropertySource {
  Object getUnderlyingSource();
}
