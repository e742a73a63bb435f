// SPDX-License-Identifier: MIT
module micrometer.core {
  exports io.micrometer.core.instrument;
  exports io.micrometer.core.instrument.binder;
}
