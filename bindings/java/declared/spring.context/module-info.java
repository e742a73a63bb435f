// SPDX-License-Identifier: MIT
module spring.context {
  exports org.springframework.context.annotation;
}
