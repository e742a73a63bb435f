// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

public interface ObservableMeasurement {}
