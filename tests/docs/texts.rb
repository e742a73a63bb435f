# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Each text of three words and more that the packages for Go, Java and Ruby and poolctl show has a row in
# bindings/messages.def (or is one of the library's), and each row there is said.  (Those of C are looked at by
# tools/messages.)
# usage: texts.rb SOURCE_FOLDER
require_relative 'page'

# The literals of a file; each value in them is an ellipsis.
module Literals
  VALUE = /%[-+ #0]*[\d.*]*(?:hh|h|ll|l|z|t)?[a-zA-Z]|\{\d\}/
  QUOTED = /"((?:[^"\\\n]|\\.)*)"/

  module_function

  def of(file, text)
    found = file.end_with?('.rb') ? ruby(text) : others(text)
    found.map { |literal| plain(literal) }.select { |literal| literal.scan(/[A-Za-z']{2,}/).size >= 3 && literal.include?(' ') }
  end

  def plain(text)
    text.gsub('\\"', '"').gsub('\\n', ' ').gsub(/"\s*PRI\w+\s*"/, '').gsub(VALUE, '…').gsub('%%', '%').gsub(/…+/, '…')
  end

  def ruby(text)
    code = text.lines.grep_v(/^\s*#/).join
    code.scan(/(?:(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')(?:\s*\\\n\s*)?)+/).map do |group|
      group.scan(/"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'/).map { |double, single| double || single }.join
           .gsub(/#\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/, '…')
    end
  end

  # C joins literals that stand beside each other, Java and Go by a plus.
  def others(text)
    code = text.gsub(%r{/\*.*?\*/}m, '').lines.map { |line| line.sub(%r{(?:^|\s)//(?: .*|$)}, '') }.join
    code = code.gsub(/"\s*PRI\w+\s*"/, 's').gsub(/%"\s*PRI\w+/, '%s"')
    code.to_enum(:scan, /"(?:[^"\\\n]|\\.)*"(?:\s*\+?\s*"(?:[^"\\\n]|\\.)*")*/).map { $~[0].scan(QUOTED).join }
  end
end

# The rows of a file, with ellipses.
def rows(source, file)
  File.read(File.join(source, file)).scan(/^(MESSAGE|PIECE)\((?:(\d+), )?"((?:[^"\\]|\\.)*)"/)
      .map { |kind, number, text| [kind, number, Literals.plain(text)] }
end

# What stands between the values.
def parts(text) = text.split('…').map { |part| part.gsub(/\A[\s:;]+|[\s:;]+\z/, '') }.grep(/[A-Za-z]{2}/)

source = ARGV.fetch(0)
SAID = '{bindings/go/**/*.go,bindings/java/libpool/**/*.java,bindings/ruby/{lib,ext}/**/*.{rb,c},bindings/*.c,bindings/java/*.c,poolctl/*.c}'
# The texts of metrics are those of counts.def: see facts.rb.
OTHER = %r{_test\.go|micrometer/|opentelemetry/|prometheus/standard|FlightEvents|SWIG|/testing/}
# What begins with a capital in poolctl's table of commands and options is its help.
HELP = %r{\Apoolctl/(?:main|arguments|bench)\.c\z}

own = rows(source, 'bindings/messages.def')
known = (own + rows(source, 'src/base/messages.def') + rows(source, 'drivers/messages.def')).map(&:last)
said = Dir.glob(SAID, base: source).grep_v(OTHER).sort.to_h { |file| [file, Literals.of(file, File.read(File.join(source, file)))] }
said.each do |file, texts|
  texts.each do |text|
    next if (file =~ HELP && text =~ /\A[A-Z\[ ]/) || text.include?('=…') # of inspect

    unknown = parts(text).reject { |part| known.any? { |row| row.include?(part) } }
    Faults.tell("#{file}: no row of bindings/messages.def says #{text.inspect}") unless unknown.empty?
  end
end
all = Dir.glob(SAID, base: source).sort.map { |file| Literals.plain(File.read(File.join(source, file)).gsub(/" (?:\\\n|\+)?\s*"|' \\\n\s*'|"\s*\n\s*\+ "/, '')) }.join
own.each do |kind, number, text|
  missing = parts(text).reject { |part| all.include?(part) || said.values.flatten.any? { |literal| literal.include?(part) } }
  Faults.tell("#{kind} #{number} #{text.inspect} is said nowhere: make it GONE, or remove the PIECE") unless missing.empty?
end
Faults.tell("only #{own.size} rows; is this test broken?") if own.size < 150
Faults.finish("#{own.size} rows, #{said.size} files")
