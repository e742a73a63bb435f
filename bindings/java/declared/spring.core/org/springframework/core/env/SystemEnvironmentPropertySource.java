// SPDX-License-Identifier: MIT
package org.springframework.core.env;

public class SystemEnvironmentPropertySource {}
