# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'libpool/connection_pool' unless defined?(ConnectionPool::TimedStack)
