// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind.handler;

import org.springframework.boot.context.properties.bind.BindHandler;

public class NoUnboundElementsBindHandler implements BindHandler {
  public NoUnboundElementsBindHandler(BindHandler parent) {}
}
