// SPDX-License-Identifier: MIT
module org.jspecify {
  exports org.jspecify.annotations;
}
