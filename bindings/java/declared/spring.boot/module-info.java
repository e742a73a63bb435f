// SPDX-License-Identifier: MIT
module spring.boot {
  requires transitive spring.core;

  exports org.springframework.boot.context.properties.bind;
  exports org.springframework.boot.context.properties.bind.handler;
  exports org.springframework.boot.context.properties.source;
}
