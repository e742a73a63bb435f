# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Every code block of a page says in the comment above it how it is kept true, and is true:
#
#   excerpt: FILE   the lines stand in FILE one below the other; after an empty line and an import some are left out
#   diff: FILE      the lines that are added or kept stand in FILE, in this order
#   output: PROGRAM a program of examples/ prints this; lines that repeat are shown once
#   output: FILE    FILE, a test, expects this line
#   compiles        C that compiles, with the names of tests/docs/snippet.h
#   commands        each command exists: its tool, its presets and options, its files; of poolctl the command is asked
#   modules         lines of a go.mod that name modules of bindings/go
#   sample: FILES; VALUES  output that differs each time: its words stand in FILES or are VALUES; "$" begins a command
#   functions       functions of src/, each with its file
#   picture, shape  nothing that a machine could try: a drawing, a formula, a pattern of a URL
#   parses          JSON or YAML
#   keys: FILE      each line is KEY=VALUE, and FILE, a test, sets that key
#   run: NAME       tests/docs/NAME, or the test of that path, runs it
#
# Blocks of settings are read by docs.recipes.  A block that is only indented is refused, for nothing keeps it true.
# usage: ruby blocks.rb SOURCE_FOLDER FOLDER_OF_PROGRAMS C_COMPILER [PAGE...]
require 'json'
require 'open3'
require 'shellwords'
require 'yaml'
require_relative 'commands'
require_relative 'page'

# One block of a page.
class Kept
  def initialize(source, programs, compiler)
    @source = source
    @programs = programs
    @compiler = compiler
  end

  # What is wrong with the block, or nil.
  def wrong(block)
    return if block.language == 'settings'

    kind, name = block.mark.to_s.split(': ', 2)
    case kind
    when 'excerpt' then excerpt(block.lines, lines_of(name))
    when 'diff' then difference(block.lines, lines_of(name))
    when 'output' then output(block.lines, name)
    when 'compiles' then compiles(block.lines)
    when 'commands' then commands(block.lines)
    when 'modules' then modules(block.lines)
    when 'sample' then sample(block.lines, name)
    when 'functions' then functions(block.lines)
    when 'picture', 'shape' then block.language == 'text' ? nil : "#{kind} is for text"
    when 'parses' then parses(block.lines, block.language)
    when 'keys' then keys(block.lines, lines_of(name).join)
    when 'run' then runs(name)
    else "nothing keeps it true; see the head of #{__FILE__}"
    end
  rescue Errno::ENOENT => e
    e.message
  end

  private

  def lines_of(name)
    File.readlines(File.join(@source, name), chomp: true).map(&:strip)
  end

  def excerpt(lines, file)
    at = 0
    apart = ->(line, other) { line.empty? != other.empty? || line.start_with?('import ') }
    pieces = lines.map(&:strip).slice_when(&apart).reject { |piece| piece[0].empty? }
    pieces.each do |piece|
      found = (at..file.size - piece.size).find { |from| file[from, piece.size] == piece }
      return "the file has no such lines: #{nearest(piece, file)}" unless found

      at = found + piece.size
    end
    nil
  end

  # The first line that is not there at all, or the piece's first.
  def nearest(piece, file)
    (piece.find { |line| !file.include?(line) } || piece.first).inspect
  end

  def difference(lines, file)
    kept = lines.reject { |line| line.start_with?('-') || line.empty? }.map { |line| line[1..].strip }.reject(&:empty?)
    at = 0
    kept.each do |line|
      found = (at...file.size).find { |from| file[from] == line }
      return "the file has no such line there: #{line.inspect}" unless found

      at = found + 1
    end
    'it adds nothing' if lines.none? { |line| line.start_with?('+') }
  end

  def output(lines, name)
    return (lines_of(name).join("\n").include?(lines.join("\n")) ? nil : "#{name} does not expect it") if name.include?('/')

    program = File.join(@programs, name)
    printed, status = Open3.capture2e(program)
    return "#{name} ends with #{status}: #{printed}" unless status.success?

    printed.lines(chomp: true).chunk_while { |line, other| line == other }.map(&:first) == lines ? nil : "it prints #{printed}"
  end

  def compiles(lines)
    includes = Dir.glob(File.join(@source, '{abi,drivers/*/include}')).map { |folder| "-I#{folder}" }
    flags = Open3.capture2('pkg-config', '--cflags', 'libpq', 'libmariadb', 'hiredis', 'sqlite3', err: File::NULL)[0]
    included, rest = lines.partition { |line| line.start_with?('#include') }
    included.unshift("#include \"#{@source}/tests/docs/snippet.h\"")
    text = [*included, 'void snippet(void) {', *rest, "}\n"].join("\n")
    said, status = Open3.capture2e(@compiler, '-xc', '-std=gnu11', '-fsyntax-only', '-Wall', '-Wno-unused', '-Werror',
                                   *includes, *Shellwords.split(flags), '-', stdin_data: text)
    status.success? ? nil : "it does not compile: #{said}"
  end

  def parses(lines, language)
    text = lines.join("\n")
    read = language == 'yaml' ? YAML.safe_load(text) : JSON.parse(text)
    commands(Commands.of_probe(read)) if language == 'yaml'
  rescue JSON::ParserError, Psych::SyntaxError => e
    e.message
  end

  def commands(lines)
    known = Commands.new(@source, @programs)
    lines.join("\n").gsub("\\\n", ' ').lines(chomp: true).filter_map { |line| known.wrong(line) }.first
  end

  def modules(lines)
    lines.filter_map do |line|
      next "#{line.inspect} is no line of go.mod" unless line =~ /\A(require|replace) /

      path = line[%r{libpool\.example/go(?: |\z)|share/pool/go(/\w+)?}]
      folder = path && File.join(@source, 'bindings/go', $1.to_s, 'go.mod')
      "#{line.inspect} names no module of bindings/go" unless folder && File.exist?(folder)
    end.first
  end

  # What a program prints: its words stand in the sources that are named first, or are values that the mark names.
  def sample(lines, mark)
    files, values = mark.split('; ')
    said = Dir.glob(File.join(@source, files)).map { |file| File.read(file) }.join
    command, printed = lines.partition { |line| line.start_with?('$ ') }
    words = printed.join("\n").gsub(/\S*\d\S*/, '').scan(/[A-Za-z]{3,}/).uniq - values.to_s.split
    missing = words.reject { |word| said.include?(word) }
    return "no program prints #{missing.join(', ')}" unless missing.empty?

    commands(command.map { |line| line.delete_prefix('$ ') })
  end

  # Lines of a function, its file and what it does.
  def functions(lines)
    lines.filter_map do |line|
      name, file = line.match(%r{^ *(\w+) +(\w+/\w+\.c) })&.captures
      file && !lines_of("src/#{file}").join("\n").include?(name) && "src/#{file} has no #{name}"
    end.first
  end

  def keys(lines, test)
    unknown = lines.find { |line| !test.include?(line[/\A[^=]+=/] || line) }
    unknown && "no test sets #{unknown}"
  end

  def runs(name)
    name = "tests/docs/#{name}" unless name.include?('/')
    File.exist?(File.join(@source, name)) ? nil : "there is no #{name}"
  end
end

source, programs, compiler, *only = ARGV
kept = Kept.new(source, programs, compiler)
pages = Page.all(source).select { |page| only.empty? || only.include?(page.path) }
count = pages.sum do |page|
  page.indented.each { |line| Faults.tell("#{page.path}:#{line}: an indented block is read by nobody; fence it with ```") }
  page.blocks.each do |block|
    problem = kept.wrong(block)
    Faults.tell("#{page.path}:#{block.line}: #{problem}") if problem
  end.size
end
Faults.tell("found only #{count} blocks; is this test broken?") if count < 40 && only.empty?
Faults.finish("#{count} blocks")
