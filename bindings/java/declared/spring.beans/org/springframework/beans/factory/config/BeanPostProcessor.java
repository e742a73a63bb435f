// SPDX-License-Identifier: MIT
package org.springframework.beans.factory.config;

public interface BeanPostProcessor {
  default Object postProcessBeforeInitialization(Object bean, String beanName) {
    throw new AssertionError();
  }
}
