# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'English'
require 'json'
require 'open3'
require 'shellwords'

# Whether a command of a page can be what the page says: its program, presets, options and files exist.  Those of poolctl
# are looked up in its own help.  What has to do with the reader's own system (export, ldconfig) is not looked at.
class Commands
  FREE = %w[export ldconfig cd cp].freeze

  def initialize(source, programs)
    @source = source
    @poolctl = File.join(programs, '../poolctl/poolctl')
  end

  # The command of a probe of an orchestrator.
  def self.of_probe(read)
    [Shellwords.join(read.dig('livenessProbe', 'exec', 'command') || raise(Errno::ENOENT, 'exec: command'))]
  end

  def wrong(line)
    line.split(' && ').filter_map { |command| one(Shellwords.split(command.sub(/\s+# .*/, ''))) }.first
  end

  private

  def one(words)
    program, *rest = words
    case program
    when 'cmake', 'ctest' then presets(rest) || options(rest)
    when 'poolctl' then poolctl(rest)
    when 'apt-get' then packages(rest)
    when 'go' then module_of(rest)
    when 'java' then file(rest.last) || jar(rest)
    when 'cc' then rest.join(' ')[/pkg-config [^)]*\bpool\)/] ? nil : 'it is not linked with the library'
    when 'gdb' then functions(rest.join(' '))
    when %r{\A\./} then file(program)
    else FREE.include?(program) ? nil : "the test knows no command #{program}"
    end
  end

  def file(name)
    File.exist?(File.join(@source, name)) ? nil : "there is no #{name}"
  end

  def presets(words)
    named = words.each_cons(2).filter_map { |option, value| value if option == '--preset' }
    known = JSON.parse(File.read(File.join(@source, 'CMakePresets.json')))['configurePresets'].map { |each| each['name'] }
    (named - known).first&.then { |name| "there is no preset #{name}" }
  end

  def options(words)
    made = Dir.glob(File.join(@source, '{CMakeLists.txt,*/CMakeLists.txt,*/*.cmake}')).map { |name| File.read(name) }.join
    unknown = words.filter_map { |word| word[/\A-D([A-Z_]+)=/, 1] }.grep_v(/\A(?:CMAKE_\w+|BUILD_TESTING)\z/)
                   .find { |name| made !~ /(?:option|set)\(#{name}\b/ }
    unknown && "there is no option #{unknown}"
  end

  # The last words of `poolctl COMMAND --help` are its options.
  def poolctl(words)
    help, status = Open3.capture2e(@poolctl, words.first, '--help')
    return "poolctl knows no #{words.first}" unless status.success?

    words.drop(1).grep(/\A-/).find { |option| help !~ /(?:\A|[\s,])#{option}\b/ }&.then { |option| "poolctl #{words.first} has no #{option}" }
  end

  def packages(words)
    installed = File.read(File.join(@source, 'tools/test')) + File.read(File.join(@source, 'tools/packages'))
    words.drop(1).find { |name| installed !~ /(?<![\w-])#{name}(?![\w-])/ }&.then { |name| "the tests install no #{name}" }
  end

  def module_of(words)
    folder = words.last.sub('libpool.example/go', 'bindings/go')
    words.first == 'get' && File.directory?(File.join(@source, folder)) ? nil : "there is no package #{words.last}"
  end

  def jar(words)
    header = File.read(File.join(@source, 'abi/pool/pool.h'))
    version = %w[MAJOR MINOR PATCH].map { |part| header[/^#define POOL_VERSION_#{part} +(\d+)/, 1] }.join('.')
    words.join(' ').include?("libpool-#{version}.jar") ? nil : "the jar is libpool-#{version}.jar"
  end

  def functions(text)
    known = File.read(File.join(@source, 'abi/signatures.txt'))
    text.scan(/\bpool_\w+/).find { |name| !known.include?("#{name}(") }&.then { |name| "the library has no #{name}" }
  end
end
