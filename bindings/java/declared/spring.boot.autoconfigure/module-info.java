// SPDX-License-Identifier: MIT
module spring.boot.autoconfigure {
  exports org.springframework.boot.autoconfigure;
  exports org.springframework.boot.autoconfigure.condition;
}
