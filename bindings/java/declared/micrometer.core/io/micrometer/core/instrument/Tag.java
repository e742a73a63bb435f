// SPDX-License-Identifier: MIT
package io.micrometer.core.instrument;

public interface Tag {}
