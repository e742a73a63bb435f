# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'lib/libpool/version'

# In a checkout of the repository the C library and the wrapper lie elsewhere, so there is more to do than RubyGems and
# Bundler know of: `gem build` lays the sources out here for as long as it runs, and `bundle install` of a Gemfile with
# `path:` compiles the extension, which Bundler itself does for `git:` only.  Staged folders (see stage) have it all.
checkout = File.exist?(File.join(__dir__, '../pool.i'))
command = checkout ? [File.basename($PROGRAM_NAME)[/\A(gem|bundler?)/], ARGV.grep_v(/\A-/).first] : []
case command
in ['gem', 'build']
  staged = %w[README.md LICENSE CHANGELOG.md ext/libpool/core] +
           %w[pool_wrap.c bell.c bell.h inbox.c inbox.h].map { |file| "ext/libpool/#{file}" }
  at_exit { staged.each { |name| system('rm', '-rf', File.join(__dir__, name)) } }
  system(File.join(__dir__, 'stage'), __dir__) || raise('libpool could not be staged, see above')
in ['bundle' | 'bundler', nil | 'install' | 'update' | 'add']
  of_git = __dir__.include?('/bundler/gems/')
  of_git || system(File.join(__dir__, 'compile')) || raise('libpool could not be compiled, see above')
else # it is loaded, from wherever it is
end

Gem::Specification.new do |spec|
  spec.name = 'libpool'
  spec.version = Libpool::VERSION
  spec.summary = 'A thread-safe connection pool, written in C, with order among waiters, a breaker and leak reports'
  spec.description = 'Lends connections of any kind to threads and fibers, in order within a bound, and loses none ' \
                     'when code raises, is interrupted or forks.'
  spec.authors = ['The libpool authors']
  spec.license = 'MIT'
  spec.homepage = 'https://libpool.example'
  spec.metadata = { 'homepage_uri' => spec.homepage, 'source_code_uri' => "#{spec.homepage}/source",
                    'changelog_uri' => "#{spec.homepage}/CHANGELOG.md",
                    'documentation_uri' => "#{spec.homepage}/docs/ruby.md", 'rubygems_mfa_required' => 'true' }
  spec.files = Dir.chdir(__dir__) { Dir['lib/**/*.rb', 'sig/**/*.rbs', 'README.md', 'LICENSE', 'CHANGELOG.md'] }
  if (platform = ENV.fetch('LIBPOOL_GEM_PLATFORM', nil)) # with an extension that tools/package has compiled
    abi = RbConfig::CONFIG['ruby_version'].split('.').first(2).map(&:to_i)
    spec.platform = platform
    spec.required_ruby_version = [">= #{abi.join('.')}", "< #{abi[0]}.#{abi[1] + 1}.dev"]
    spec.files << 'lib/libpool/native.so'
  else
    spec.required_ruby_version = '>= 3.1'
    spec.files += Dir.chdir(__dir__) { Dir['ext/libpool/*.{c,h,rb}', 'ext/libpool/core/**/*.{c,h,def}'] }
    spec.extensions = ['ext/libpool/extconf.rb']
  end
end
