# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Where and with what was measured.
module Machine
  module_function

  def facts
    processor = File.read('/proc/cpuinfo')[/^model name\s*: (.*)/, 1] || RUBY_PLATFORM
    { cpu: processor, cores: Etc.nprocessors, kernel: Etc.uname[:release], load: File.read('/proc/loadavg').to_f }
  end

  # Programs by what they say, and peers by the files that the suites have fetched.
  def versions(root)
    own = File.read(File.join(root, 'abi/pool/pool.h')).scan(/^#define POOL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)/).join('.')
    { libpool: own, commit: said("git -C #{root} describe --always --dirty"), compiler: said('cc --version'), go: said('go version'),
      java: said('java -version'), ruby: RUBY_VERSION, rust: said('rustc --version'), python: said('python3 --version') }
      .merge(peers: peers(root)).compact
  end

  def said(command)
    text = IO.popen(command, err: %i[child out], &:read)
    $CHILD_STATUS.success? ? text.lines.first&.strip : nil
  rescue Errno::ENOENT
    nil
  end

  def peers(root)
    build = File.join(root, 'build/release/bench')
    jars = Dir.glob('java/peers/*.jar', base: build).map { |jar| File.basename(jar, '.jar') }
    modules = Dir.glob(['go/go.mod', 'work/go/go.mod'], base: build).flat_map { |file| required(File.read(File.join(build, file))) }
    gems = Dir.glob('gems/gems/*', base: build).map { |gem| File.basename(gem) }
    pinned = Dir.glob("#{root}/bench/{rust/Cargo.toml,python/requirements.txt,work/rust/Cargo.toml,work/requirements.txt}").flat_map { |file| pins(File.read(file)) }
    (jars.grep_v(/slf4j/) + modules + gems + pinned).uniq.sort
  end

  # A module that a tagged file uses counts as indirect, among hundreds that vitess needs.
  def required(text)
    text.scan(/^(?:require )?\s*(\S*(?:puddle|vitess|fatih|maxatome|silenceper|pgx|go-redis)\S*) (v\d\S*)/).map { |name, version| "#{name} #{version}" }
  end

  def pins(text)
    text.scan(/^([\w-]+) ?=.*?=(\d[\d.]*)/).map { |name, version| "#{name} #{version}" }
  end
end
