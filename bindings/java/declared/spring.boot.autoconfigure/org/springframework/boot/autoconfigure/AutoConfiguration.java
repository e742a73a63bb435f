// SPDX-License-Identifier: MIT
package org.springframework.boot.autoconfigure;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

@Retention(RetentionPolicy.RUNTIME)
public @interface AutoConfiguration {
  String[] beforeName() default {};
}
