// SPDX-License-Identifier: MIT
package org.springframework.beans.factory;

public interface ListableBeanFactory {
  boolean containsBeanDefinition(String beanName);
}
