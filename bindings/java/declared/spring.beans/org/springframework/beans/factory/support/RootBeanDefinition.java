// SPDX-License-Identifier: MIT
package org.springframework.beans.factory.support;

import java.lang.reflect.Method;
import org.springframework.beans.factory.config.BeanDefinition;

public class RootBeanDefinition implements BeanDefinition {
  public Method getResolvedFactoryMethod() {
    throw new AssertionError();
  }
}
