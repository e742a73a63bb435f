# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Plain English: what a person reads has short sentences and no riddles.  Read are the pages, the comments of public headers
# as far as they are documentation, those of the packages for Go, Java and Ruby, and the texts that the library, its drivers
# and poolctl print.
# usage: ruby plain.rb SOURCE_FOLDER [FILE...]
require_relative 'page'

# The rules for one text.
module Plain
  MOST_WORDS = 30

  # Fine are people, and questions.
  WHO = /(?<!those |body |people |users |ers |authors |says |tells |lists |know )\bwho\b/i

  RULES = {
    /\bwho(m|ever)\b/i => 'name the actor',
    WHO => 'name the actor: "the thread that", "a caller that"',
    /\bso (many|long|often)\b(?! as)/i => 'name the number: "this many", "for this long"',
    /\b(he|his|him|himself|she|her)\b/i => 'name the actor, or say "its"',
    /, for (it|they|he|that|this|there|nobody|somebody|these|those|else)\b/i => 'say "because"',
    /\bshall\b/i => 'say "must" or "should"',
    /\bancestor\b/i => 'say maxatome/pool',
    /\b(lest|thereof|whence|hitherto|aught|naught)\b/i => 'use a plain word'
  }.freeze

  module_function

  # The sentences of a paragraph.  Code counts as one word, and what stands in brackets as a sentence of its own.
  def sentences(text)
    plain = text.gsub(/`[^`]*`/, 'X').gsub(/\[([^\]]*)\]\([^)]*\)/, '\1').gsub(/\b(e\.g|i\.e|etc)\./, '\1')
    aside = plain.scan(/\(([^()]*)\)/).flatten
    [plain.gsub(/\([^()]*\)/, ''), *aside].flat_map { |part| part.split(/(?<=[.?!:])\**\s+/) }
  end

  def faults(text)
    found = sentences(text).filter_map do |sentence|
      count = sentence.scan(/[\p{L}\p{N}][\p{L}\p{N}'\/_.-]*/).size
      "#{count} words in a sentence, and at most #{MOST_WORDS} are plain: #{sentence.strip}" if count > MOST_WORDS
    end
    prose = text.gsub(/`[^`]*`|\]\([^)]*\)/, 'X').gsub(/"[^"]*"/, 'X')
    RULES.each { |rule, advice| found << "\"#{prose[rule].strip}\": #{advice}: #{prose.strip[0, 100]}" if prose =~ rule }
    found
  end
end

# What is read in which kind of file, as paragraphs.
module Read
  module_function

  def paragraphs(source, file)
    case file
    when /\.md$/ then page(Page.new(source, file))
    when /\.h$/ then comments(File.read(File.join(source, file)))
    when /\.rb$/ then lines_of_comments(File.read(File.join(source, file)), '#')
    when /\.go$/ then go(File.read(File.join(source, file)))
    when /\.java$/ then java(File.read(File.join(source, file)))
    else texts(File.read(File.join(source, file)))
    end
  end

  def page(page)
    blank = page.prose.map { |line| line =~ /^\s*(<!--|$)/ ? '' : line }
    blank.slice_when { |line, other| other.empty? || line.empty? || other =~ /^\s*([-*|#]|\d+\.)/ }
         .flat_map { |lines| cells(lines) }
  end

  # Each cell of a row of a table is a text.
  def cells(lines)
    lines[0].start_with?('|') ? lines.flat_map { |line| line.split(/(?<!\\)\|/) } : [lines.join(' ').sub(/^\s*([-*#]+|\d+\.)\s+/, '')]
  end

  # The documentation of a header: comments that begin with two stars.
  def comments(text)
    text.scan(%r{/\*\*<?(.*?)\*/}m).flatten.flat_map do |comment|
      prose = comment.lines.grep_v(/^\s*\* {5,}\S+ {2,}/) # tables
      lines = prose.map { |line| line.sub(/^\s*\* ?/, '').gsub(/\\\s*$/, '').strip }
      lines.slice_when { |line, other| line.empty? || other =~ /^(-|@param|[A-Z]\w+:)/ }
           .map { |part| part.join(' ').sub(/^(@param \S+|-)\s+/, '') }
    end
  end

  # Comments of lines, those that follow each other as one text.
  def lines_of_comments(text, mark)
    lines = text.lines.map { |line| line[/\A\s*#{mark}(?![:!+]|go:|line )\s?(.*)/, 1] }
    lines.slice_when { |line, other| line.to_s.strip.empty? || other.to_s.strip.empty? || other =~ /\A\s*([-*]|\d\.) |\A\t/ }
         .map { |part| part.compact.join(' ').strip }.reject(&:empty?)
  end

  # With the comments behind what is exported, which go doc shows, and the texts of errors and metrics.
  def go(text)
    behind = text.scan(%r{^\t?(?:[A-Z]\w*|(?:type|const|var|func) [A-Z]\w*)\b[^\n"]*// ([^\n]*)$}).flatten
    lines_of_comments(text, '//') + behind + texts(text)
  end

  def java(text)
    javadoc(text) + texts(text)
  end

  # Comments of classes and methods, a text for each tag and item, and those of lines.
  def javadoc(text)
    blocks = text.scan(%r{/\*\*(.*?)\*/}m).flatten.flat_map do |comment|
      lines = comment.lines.map { |line| line.sub(/^\s*\* ?/, '').strip }
      plain = lines.map { |line| line.gsub(/\{@(?:code|link|linkplain|value)\s+([^}]*)\}/, 'X').gsub(/\{@return ([^}]*)\}/, '\1') }
      plain.slice_when { |line, other| line.empty? || other =~ /^(@|<p>|<li>|<tr>|<td>|<th>|<dt>|<dd>)/ }
           .map { |part| part.join(' ').gsub(/^@\w+ (\S+ )?|<[^>]*>/, ' ').strip }
    end
    blocks + lines_of_comments(text.gsub(%r{/\*.*?\*/}m, ''), '//')
  end

  # Texts of a program that are more than a few words.
  def texts(text)
    text.gsub(%r{/\*.*?\*/}m, '').scan(/(?:"(?:[^"\\\n]|\\.)*"\s*)+/).filter_map do |literal|
      joined = literal.scan(/"((?:[^"\\\n]|\\.)*)"/).join
      joined if joined.count(' ') > 3
    end
  end
end

FILES = %w[{README,CONTRIBUTING,SECURITY}.md docs/**/*.md examples/*.md abi/pool/*.h drivers/*/include/pool/*.h
           src/*/*.def src/*/*.c drivers/*/*.c poolctl/*.c bindings/go/**/*.go bindings/java/**/*.java
           bindings/ruby/lib/**/*.rb].freeze

if $PROGRAM_NAME == __FILE__
  source = ARGV.shift
  files = ARGV.empty? ? FILES.flat_map { |pattern| Dir.glob(pattern, base: source) }.grep_v(/_test\.go/).sort : ARGV
  files.each do |file|
    Read.paragraphs(source, file).each { |text| Plain.faults(text).each { |fault| Faults.tell("#{file}: #{fault}") } }
  end
  Faults.finish("#{files.size} files")
end
