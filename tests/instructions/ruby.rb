# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Lends a connection as many times as it is told: for a counter of instructions.
# usage: ruby.rb TIMES
require 'libpool'

pool = Libpool::Pool.new(max_open: 1) { Object.new }
Integer(ARGV[0]).times { pool.with { nil } }
