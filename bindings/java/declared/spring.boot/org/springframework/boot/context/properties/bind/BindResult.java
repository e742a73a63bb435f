// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

public final class BindResult<T> {}
