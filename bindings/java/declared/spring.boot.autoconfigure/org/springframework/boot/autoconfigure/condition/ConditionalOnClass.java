// SPDX-License-Identifier: MIT
package org.springframework.boot.autoconfigure.condition;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

@Retention(RetentionPolicy.RUNTIME)
public @interface ConditionalOnClass {
  String[] name() default {};
}
