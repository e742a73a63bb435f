# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Each figure of the README stands on the page that its row links to, where the command and the machine are named.  The
# benchmarks and all tables that quote them are what `tools/bench --page` made of the run that is kept, and nothing else.
# usage: ruby figures.rb SOURCE_FOLDER
require_relative 'page'
require_relative '../../bench/all/page'

NUMBER = /(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.]*\d)/

source = ARGV.fetch(0)
rows = Page.new(source, 'README.md').lines.select { |line| line =~ /^\|.*`tools\/bench/ }
rows.each do |row|
  what, ours, others, command = row.split('|').drop(1).map(&:strip)
  target = ours[/\]\((docs\/[^)#]+)/, 1]
  next Faults.tell("README.md: no page for the figures of #{what.inspect}") unless target

  shown = Page.new(source, target).lines.join("\n")
  "#{ours.gsub(/\]\([^)]*\)/, ']')} #{others}".scan(NUMBER).each do |number|
    Faults.tell("README.md says #{number} of #{what.inspect}, and #{target} does not") unless shown =~ /(?<![\d.])#{number}(?!\d)/
  end
  Faults.tell("README.md: #{target} does not name #{command}") unless shown.include?(command.delete('`'))
end

results = BenchmarkPage.last_run(source)
made = BenchmarkPage.new(source, results).text
Faults.tell('docs/benchmarks.md is not made of its run: call tools/bench --page') if made != File.read(File.join(source, 'docs/benchmarks.md'))
quoting = Quoted.pages(source)
quoting.each do |file|
  text = File.read(File.join(source, file))
  Faults.tell("#{file} has other figures than the run: call tools/bench --page") if Quoted.new(results).renew(text) != text
end
Faults.tell("only #{quoting.size} pages quote the run; is this test broken?") if quoting.size < 5
Faults.tell("found only #{rows.size} rows; is this test broken?") if rows.size < 5
Faults.finish("#{rows.size} rows of figures, #{quoting.size} pages that quote the run")
