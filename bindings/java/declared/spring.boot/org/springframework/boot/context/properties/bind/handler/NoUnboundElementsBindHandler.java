// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind.handler;

import java.util.function.Function;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;

public class NoUnboundElementsBindHandler implements BindHandler {
  public NoUnboundElementsBindHandler(
      BindHandler parent, Function<ConfigurationPropertySource, Boolean> filter) {}
}
