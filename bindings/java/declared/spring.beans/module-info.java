// SPDX-License-Identifier: MIT
module spring.beans {
  exports org.springframework.beans.factory;
  exports org.springframework.beans.factory.config;
  exports org.springframework.beans.factory.support;
}
