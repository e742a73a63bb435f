# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# The code in the comments of the packages, which go doc and javadoc show, stands in a program or a test of that language,
# one line below the other; lines of a go.mod name modules.  (Those of Ruby are run by ruby.rb.)  The headers have none: in
# manual pages the examples are functions of examples/, and each of these programs is run by a test.
# usage: comments.rb SOURCE_FOLDER
require_relative 'page'

# The blocks of code in a file's comments, as lines without the comment's own marks.
module Shown
  module_function

  def go(text)
    blocks = text.lines(chomp: true).chunk { |line| line.start_with?("//\t") || nil }
    blocks.map { |_, lines| lines.map { |line| bare(line[3..]) } }
  end

  def java(text)
    text.scan(%r{<pre>\{@code\s*\n(.*?)\n\s*\*\s*\}</pre>}m).map { |(code)| code.lines.map { |line| bare(line.sub(/\A\s*\* ?/, '')) } }
  end

  # A line without its comment.
  def bare(line) = line.sub(%r{\s// .*}, '').strip
end

# Programs and tests, in which the blocks have to stand.
class Programs
  def initialize(source, patterns)
    @files = patterns.flat_map { |pattern| Dir.glob(File.join(source, pattern)) }
                     .map { |file| File.readlines(file, chomp: true).map { |line| Shown.bare(line) } }
  end

  def include?(lines)
    @files.any? { |file| (0..file.size - lines.size).any? { |from| file[from, lines.size] == lines } }
  end
end

def module?(source, lines)
  lines.all? do |line|
    line =~ %r{\A(require|replace) .* (?:=> )?(\S+)/share/pool/go(/\w+)?\z} && File.exist?(File.join(source, 'bindings/go', $3.to_s, 'go.mod'))
  end
end

source = ARGV.fetch(0)
count = 0
{
  'go' => ['bindings/go/**/*.go', %w[bindings/go/**/*_test.go examples/go/**/*.go]],
  'java' => ['bindings/java/libpool/**/*.java', %w[tests/java/**/*.java examples/java/*.java]]
}.each do |language, (shown, patterns)|
  programs = Programs.new(source, patterns)
  Dir.glob(shown, base: source).grep_v(/_test\.go/).sort.each do |file|
    Shown.public_send(language, File.read(File.join(source, file))).each do |lines|
      count += 1
      next if programs.include?(lines) || (language == 'go' && module?(source, lines))

      Faults.tell("#{file} shows code that no program or test has: #{lines.join(' / ')}")
    end
  end
end
Dir.glob('{abi,drivers/*/include}/pool/*.h', base: source).each do |file|
  Faults.tell("#{file} has a block of code that nobody tries: call the function in a program of examples/") if
    File.read(File.join(source, file)) =~ /[@\\]code\b|[@\\]verbatim\b/
end

# The programs are run by these files of CMake, or where a page says what they print.
tests = Dir.glob(File.join(source, 'tests/{CMakeLists.txt,*.cmake}')).map { |file| File.read(file) }.join
looped = tests.scan(/foreach\(\w+ ([^)]*)\)\s+if\(TARGET/).join(' ').split
printed = Page.all(source).flat_map { |page| page.lines.filter_map { |line| line[/<!-- output: (\w+) -->/, 1] } }
made = File.read(File.join(source, 'examples/CMakeLists.txt')).scan(/add_executable\((\w+) /).flatten
(made - looped - printed).each do |program|
  Faults.tell("no test runs examples/#{program}.c") unless tests.include?("TARGET_FILE:#{program}>")
end
Faults.tell("found only #{count} blocks; is this test broken?") if count < 8
Faults.finish("#{count} blocks")
