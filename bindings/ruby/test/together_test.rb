# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'tmpdir'

# Where the real gem connection_pool is installed too, whatever loads it, and in whatever order.
class TogetherTest < Minitest::Test
  GEM = File.join(Gem::Specification.find_by_name('connection_pool').full_gem_path, 'lib')
  DROP_IN = "require 'libpool/connection_pool'"
  WHOSE = <<~'RUBY'
    pool = ConnectionPool.new(size: 1) { :one }
    first = ConnectionPool.instance_method(:initialize).source_location.first.include?('/libpool/')
    Class.new(ConnectionPool::TimedStack).new(size: 1) { 1 }.pop
    puts "drop-in #{first} #{pool.with { |one| one }} #{ConnectionPool::VERSION}"
  RUBY
  OURS = "drop-in true one 3.0.2\n"

  def ruby(*code, paths: [])
    options = (paths + $LOAD_PATH - [GEM]).flat_map { |path| ['-I', path] }
    IO.popen([RbConfig.ruby, '-w', *options, '-e', code.join("\n")], err: %i[child out], &:read)
  end

  def assert_drop_in(*code, **options)
    assert_equal OURS, ruby(*code, WHOSE, **options)
  end

  # The program is told; and if it goes on all the same, it goes on with what it had.
  def assert_refused(load, *code)
    said = ruby(DROP_IN, *code, "begin; #{load}; rescue LoadError => e; puts e.message; end", '$VERBOSE = nil', WHOSE)
    said = said.lines.grep_v(/warning: /)
    assert_match(%r{/connection_pool(/\w+)?\.rb of the gem connection_pool was loaded where}, said.first)
    assert_match(/\Adrop-in true one /, said.last)
  end

  def test_require_finds_the_drop_in
    again = %w[.rb /version /timed_stack /wrapper /fork].map { |part| "p :again if require 'connection_pool#{part}'" }
    assert_drop_in DROP_IN, "p :again if require 'connection_pool'", *again
    assert_drop_in DROP_IN, "$LOAD_PATH.unshift('#{GEM}')", "p :again if require 'connection_pool'"
  end

  def test_a_gem_that_was_activated_before_or_afterwards
    assert_drop_in "gem 'connection_pool'", DROP_IN, "require 'connection_pool'"
    assert_drop_in DROP_IN, "gem 'connection_pool'", "require 'connection_pool'"
    assert_drop_in DROP_IN, "gem 'net-http-persistent'", "require 'net/http/persistent'"
  end

  # It stores connections itself, and was written for connection_pool 2.
  def test_net_http_persistent
    assert_equal "1 Net::HTTP::Persistent::Pool\n", ruby(DROP_IN, '$VERBOSE = nil', <<~'RUBY')
      require 'net/http/persistent'
      server = TCPServer.new('127.0.0.1', 0)
      accepted = 0
      Thread.new do
        loop do
          accepted += 1
          client = server.accept
          Thread.new do
            while client.gets
              nil until client.gets == "\r\n"
              client.write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            end
          end
        end
      end
      http = Net::HTTP::Persistent.new(name: 'shop')
      said = Array.new(3) { http.request(URI("http://127.0.0.1:#{server.addr[1]}/")).body }
      raise said.inspect unless said == %w[ok ok ok]
      puts "#{accepted - 1} #{http.pool.class}"
    RUBY
  end

  def test_bootsnap
    Dir.mktmpdir do |cache|
      caches = %w[iseq yaml json].map { |kind| "compile_cache_#{kind}: false" }
      bootsnap = ["gem 'connection_pool'", "$VERBOSE = nil; require 'bootsnap'",
                  "Bootsnap.setup(cache_dir: '#{cache}', #{caches.join(', ')}); $VERBOSE = true"]
      rest = ["require 'connection_pool'", "require 'connection_pool/version'", "require 'connection_pool/timed_stack'"]
      2.times { assert_drop_in(*bootsnap, DROP_IN, *rest) } # without the cache of paths, and with it
      assert_drop_in(DROP_IN, *bootsnap, *rest)
    end
  end

  def test_zeitwerk
    Dir.mktmpdir do |folder|
      File.write("#{folder}/shop.rb", "require 'connection_pool'\nclass Shop; end\n")
      assert_drop_in DROP_IN, "gem 'connection_pool'", "require 'zeitwerk'",
                     "Zeitwerk::Loader.new.tap { |l| l.push_dir('#{folder}') }.setup", 'Shop.new'
    end
  end

  def test_autoload
    assert_drop_in "gem 'connection_pool'", "autoload :ConnectionPool, 'connection_pool'", DROP_IN
    assert_drop_in DROP_IN, "gem 'connection_pool'", "autoload :ConnectionPool, 'connection_pool'"
    assert_drop_in "autoload :ConnectionPool, 'libpool/connection_pool'"
  end

  def test_the_version_alone_before_as_specifications_load_it
    assert_drop_in "require '#{GEM}/connection_pool/version'", DROP_IN, "require 'connection_pool'"
  end

  def test_the_folder_of_the_drop_in_in_the_load_path
    folder = File.expand_path('../lib/libpool/connection_pool/gem', __dir__)
    assert_drop_in "require 'connection_pool/version'", paths: [folder]
  end

  def test_a_file_of_the_gem_that_is_loaded_by_its_path
    assert_refused "load '#{GEM}/connection_pool.rb'"
    assert_refused "require '#{GEM}/connection_pool'"
    assert_refused "load '#{GEM}/connection_pool/timed_stack.rb'"
    assert_refused "load '#{GEM}/connection_pool/wrapper.rb'"
    assert_refused "require 'connection_pool'", "$LOAD_PATH.reject! { |p| p.end_with?('/gem') }", "$: << '#{GEM}'"
  end

  def test_what_a_program_adds_itself_is_no_conflict
    Dir.mktmpdir do |folder|
      File.write("#{folder}/connection_pool.rb", 'class ConnectionPool; def size = 7; def self.wrap = 8; end')
      assert_equal '78', ruby(DROP_IN, '$VERBOSE = nil', "load '#{folder}/connection_pool.rb'",
                              'print ConnectionPool.new { 1 }.size, ConnectionPool.wrap')
    end
  end

  def test_jruby_is_told_what_to_use
    jruby = "Object.__send__(:remove_const, :RUBY_ENGINE); RUBY_ENGINE = 'jruby'"
    told = /libpool for Ruby is written in C, which JRuby cannot load; from JRuby use the Java binding, libpool.jar/
    assert_match told, ruby(jruby, "begin; #{DROP_IN}; rescue LoadError => e; puts e.message; end")
    assert_match told, ruby(jruby, "load '#{File.expand_path('../ext/libpool/extconf.rb', __dir__)}'")
  end

  def test_the_gem_that_was_loaded_first
    said = ruby("require 'connection_pool'", "begin; #{DROP_IN}; rescue LoadError => e; puts e.message; end",
                "puts ConnectionPool.new { 1 }.with { |one| one + 1 }", paths: [GEM])
    assert_match(%r{\AConnectionPool is there already \(#{GEM}/connection_pool\S*\); require}, said)
    assert_match(/comes first\n2\n\z/, said)
  end
end
