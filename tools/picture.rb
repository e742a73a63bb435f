# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# What a terminal shows, with its escape sequences for colours, as a picture.
# usage: ruby picture.rb <SCREEN >PICTURE.svg

WIDTH = 7.83
HEIGHT = 17
COLOURS = { 31 => '#ff6b6b', 33 => '#ffd166' }.freeze
TEXT = '#d8dee9'
GROUND = '#1d2430'

# The state that escape sequences leave behind.
class Pen
  def initialize = reset

  def reset
    @colour = TEXT
    @bold = @dim = @reverse = false
  end

  def obey(numbers)
    numbers.each do |number|
      case number
      when 0 then reset
      when 1 then @bold = true
      when 2 then @dim = true
      when 7 then @reverse = true
      when 22 then @bold = @dim = false
      when 27 then @reverse = false
      when 39 then @colour = TEXT
      else @colour = COLOURS.fetch(number, @colour)
      end
    end
  end

  def colour = @reverse ? GROUND : @colour
  def ground = @reverse ? @colour : nil
  def style = "#{' font-weight="bold"' if @bold}#{' opacity="0.6"' if @dim && !@reverse}"
end

# Browsers make one space of several, whatever the picture asks for, but leave those that do not break.
def escape(text) = text.gsub('&', '&amp;').gsub('<', '&lt;').gsub('>', '&gt;').tr(' ', "\u00a0")

def run(pen, text, column, row)
  left = (column * WIDTH).round(1) + 12
  top = row * HEIGHT + 12
  wide = (text.length * WIDTH).round(1)
  puts %(<rect x="#{left}" y="#{top}" width="#{wide}" height="#{HEIGHT}" fill="#{pen.ground}"/>) if pen.ground
  return if text.strip.empty?

  puts %(<text x="#{left}" y="#{top + 13}" textLength="#{wide}" fill="#{pen.colour}"#{pen.style}>#{escape(text)}</text>)
end

lines = $stdin.read.lines(chomp: true)
lines.pop while lines.last&.strip == ''
plain = lines.map { |line| line.gsub(/\e\[[0-9;]*m/, '') }
width = ((plain.map(&:length).max * WIDTH) + 24).ceil
height = (lines.length * HEIGHT) + 24
puts %(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 #{width} #{height}" width="#{width}" height="#{height}">)
puts '<title>poolctl top: three pools of a process, and the leases of the chosen one</title>'
puts %(<rect width="#{width}" height="#{height}" rx="6" fill="#{GROUND}"/>)
puts '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">'
pen = Pen.new
lines.each_with_index do |line, row|
  column = 0
  line.scan(/\e\[([0-9;]*)m|([^\e]+)/) do |codes, text|
    pen.obey(codes.empty? ? [0] : codes.split(';').map(&:to_i)) if codes
    next unless text

    run(pen, text, column, row)
    column += text.length
  end
end
puts '</g>', '</svg>'
