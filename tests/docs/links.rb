# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Every link of a page to another file, and to a heading there, leads to something; every page of docs/ can be reached from
# docs/README.md, and leads back.
# usage: ruby links.rb SOURCE_FOLDER
require_relative 'page'

source = ARGV.fetch(0)
pages = Page.all(source).to_h { |page| [page.path, page] }
reached = { 'README.md' => true, 'docs/README.md' => true }

pages.each_value do |page|
  text = page.prose.join("\n")
  text.gsub(/`[^`]*`/, '').scan(/\]\(([^)\s]+)\)/).flatten.each do |link|
    next if link =~ %r{^[a-z]+://}

    file, anchor = link.split('#', 2)
    target = file.empty? ? page.path : File.expand_path(File.join('/', File.dirname(page.path), file))[1..]
    if !File.exist?(File.join(source, target))
      Faults.tell("#{page.path} links to #{link}, which is not there")
    elsif anchor && !pages[target]&.anchors&.include?(anchor)
      Faults.tell("#{page.path} links to #{link}, and #{target} has no such heading")
    end
    reached[target] = true
  end
end

pages.each_key do |path|
  next unless path.start_with?('docs/')

  Faults.tell("no page links to #{path}") unless reached[path]
  next if path == 'docs/README.md' || pages[path].lines.any? { |line| line.include?('README.md)') }

  Faults.tell("#{path} does not lead back to the map, docs/README.md")
end
Faults.tell("found only #{pages.size} pages; is this test broken?") if pages.size < 30
Faults.finish("#{pages.size} pages")
