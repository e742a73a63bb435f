// SPDX-License-Identifier: MIT
package org.springframework.beans.factory.config;

public interface ConfigurableBeanFactory {
  BeanDefinition getMergedBeanDefinition(String beanName);
}
