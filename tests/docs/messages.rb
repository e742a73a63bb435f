# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Each message and line of the log that the runbook cites is a text of the library, its drivers or its packages: what stands
# between the dots is found there.  And each entry has something to look at.
# usage: ruby messages.rb SOURCE_FOLDER
require_relative 'page'

# The texts of the sources, in which values are dots.  The registry of messages is none of them: it repeats what they say.
module Texts
  LITERAL = /"(?:[^"\\\n]|\\.)*"/
  # What Go, C and Ruby put values into: %d, %-.60s, {ms}, #{name}; and what C puts between literals.
  VALUE = /%[-+ #0]*[\d.*]*(?:hh|h|ll|l|z|t)?[a-zA-Z]|#?\{[^{}]*\}/

  module_function

  def of(source)
    files = Dir.glob(File.join(source, '{src,drivers,bindings}/**/*.{c,h,def,go,rb,java}')).grep_v(/_test|Test|messages\.def/)
    files.flat_map { |file| literals(File.read(file)) }.join("\n")
  end

  def literals(text)
    text = text.gsub(/" PRI\w+ "/, '...')
    text.scan(/(?:#{LITERAL}\s*)+/o).map { |group| group.scan(/"((?:[^"\\\n]|\\.)*)"/).join } +
      text.scan(/'([^'\n]{12,})'/).flatten
  end

  def pieces(message)
    message.sub(/\Aorders: /, '').split('...').map(&:strip).reject { |piece| piece.size < 3 }
  end

  def plain(text)
    text.gsub(VALUE, '...').gsub('\\"', '"').gsub('%%', '%')
  end
end

source = ARGV.fetch(0)
texts = Texts.plain(Texts.of(source))
page = Page.new(source, 'docs/runbook.md')
lines = page.lines.join("\n").scan(/^(?:Message|Log): .*?(?=\n\n)/m).map { |text| text.tr("\n", ' ') }
cited = lines.flat_map { |line| line[/\A(?:(?!, or the text of).)*/].scan(/`([^`]*)`/).flatten }

cited.each do |message|
  missing = Texts.pieces(message).reject { |piece| texts.include?(piece) || texts.include?(Texts.plain(piece)) }
  missing.each { |piece| Faults.tell("docs/runbook.md cites #{message.inspect}, and no text has #{piece.inspect}") }
end
Faults.tell("found only #{cited.size} messages; is this test broken?") if cited.size < 25
# An operator whose gets time out has nothing but the message, so each part of it is on the page.
parts = File.read(File.join(source, 'src/base/messages.def')).scan(/^PIECE\("((?:[^"\\]|\\.)*)", "101[^"]*"\)/).flatten
whole = Texts.plain(page.lines.join(' '))
parts.flat_map { |part| Texts.pieces(Texts.plain(part)) }.each do |part|
  Faults.tell("docs/runbook.md does not say what #{part.inspect} of a timeout means") unless whole.include?(part.sub(/\A; /, ''))
end
Faults.tell("only #{parts.size} parts of a timeout; is this test broken?") if parts.size < 6
symptoms = page.lines.grep(/^### /)
Faults.tell("the runbook has #{symptoms.size} symptoms") if symptoms.size < 25
Faults.finish("#{cited.size} messages, #{symptoms.size} symptoms")
