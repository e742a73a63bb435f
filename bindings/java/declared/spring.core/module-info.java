// SPDX-License-Identifier: MIT
module spring.core {
  exports org.springframework.core.env;
}
