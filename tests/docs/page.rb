# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What the tests of the pages share: the pages, their code blocks, and how to fail.

class Page
  Block = Struct.new(:mark, :language, :lines, :line)

  attr_reader :path, :lines

  def self.all(source)
    files = Dir.glob(['*.md', 'docs/**/*.md', 'src/*.md', 'abi/*.md', 'examples/*.md', 'bindings/**/*.md'], base: source)
    files.sort.map { |file| new(source, file) }
  end

  def initialize(source, path)
    @source = source
    @path = path
    @lines = File.readlines(File.join(source, path), chomp: true)
  end

  # The fenced blocks, each with what the comment above it says.
  def blocks
    found = []
    open = nil
    lines.each_with_index do |line, at|
      if open && line.strip == '```'
        found << open
        open = nil
      elsif open
        open.lines << line
      elsif (fence = line[/^\s*```(\w*)/, 1])
        open = Block.new(lines[at - 1][/^\s*<!-- (.*) -->$/, 1], fence, [], at + 1)
      end
    end
    found
  end

  # The lines at which an indented block of code begins: behind an empty line, and not in a list.
  def indented
    in_list = fenced = false
    (1...lines.size).select do |at|
      fenced = !fenced if lines[at - 1] =~ /^\s*```/
      in_list = lines[at - 1] =~ /^\s*([-*]|\d+\.) / || (in_list && lines[at - 1] =~ /^(  |$)/)
      !fenced && !in_list && lines[at - 1].empty? && lines[at] =~ /^(    |\t)/
    end.map(&:succ)
  end

  # The text without code: lines of blocks, indented or fenced, are empty.
  def prose
    fenced = false
    lines.map do |line|
      fence = line =~ /^\s*```/
      fenced = !fenced if fence
      fence || fenced || line =~ /^ {4}(?! *([-*]|\d\.) )/ ? '' : line
    end
  end

  # The anchors of its headings, as a forge makes them.
  def anchors
    seen = Hash.new(0)
    named = lines.flat_map { |line| line.scan(/<a id="([^"]+)">/) }.flatten
    named + prose.grep(/^#+ /).map do |heading|
      text = heading.sub(/^#+ /, '').gsub(/\[([^\]]*)\]\([^)]*\)/, '\1').delete('`*')
      anchor = text.downcase.gsub(/[^\p{Word}\- ]/, '').tr(' ', '-')
      seen[anchor] += 1
      seen[anchor] > 1 ? "#{anchor}-#{seen[anchor] - 1}" : anchor
    end
  end
end

# Counts what is wrong, and ends the program with it.
module Faults
  @count = 0

  module_function

  def tell(text)
    puts "FAILED: #{text}"
    @count += 1
  end

  def finish(said)
    puts said if @count.zero?
    exit(@count.zero? ? 0 : 1)
  end

  # For tests of a test: how many, and from now on none.
  def taken
    @count.tap { @count = 0 }
  end
end
