# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'lib/libpool/version'

# Built in a staged folder (see stage), where the C library and the generated wrapper lie beside the extension.
Gem::Specification.new do |spec|
  spec.name = 'libpool'
  spec.version = Libpool::VERSION
  spec.summary = 'One thread-safe connection pool, written in C, for every language'
  spec.description = 'Lends connections of any kind to threads and fibers: as fast as a method call, in order, and ' \
                     'safe when code raises, is interrupted or forks.'
  spec.authors = ['The libpool authors']
  spec.license = 'MIT'
  spec.required_ruby_version = '>= 3.1'
  spec.files = Dir['lib/**/*.rb', 'ext/**/*.{c,h,def,rb}', 'README.md', 'LICENSE']
  spec.extensions = ['ext/libpool/extconf.rb']
end
