# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# A chart of one suite by gnuplot, as SVG: a group of bars for each case, a bar for each contender.
class Chart
  COLOURS = %w[#0b5fa5 #e08214 #5aae61 #9970ab #b2182b #878787 #35978f].freeze

  def initialize(rows)
    @cases = rows.group_by(&:name)
    @own = rows.map(&:own).uniq.sort
    @peers = rows.map(&:peer).uniq
  end

  def write(file)
    IO.popen('gnuplot', 'w') { |pipe| pipe.puts(script(file)) }
    raise "gnuplot could not draw #{file}" unless $CHILD_STATUS.success?
  end

  private

  def script(file)
    <<~PLOT
      set terminal svg size 960,480 font "Helvetica,13" background rgb "white" noenhanced
      set output "#{file}"
      set style data histogram
      set style histogram clustered gap 1
      set style fill solid border -1
      set boxwidth 0.9
      set logscale y
      set yrange [1:*]
      set format y "%.0f"
      set ylabel "nanoseconds, less is better"
      set grid ytics
      set key outside top center horizontal
      set xtics rotate by -25 left
      set rmargin 14
      set datafile missing "?"
      $rows << EOD
      #{table}
      EOD
      plot #{bars}
    PLOT
  end

  def table
    @cases.map do |name, rows|
      ours = @own.map { |own| rows.find { |row| row.own == own }&.ours || '?' }
      theirs = @peers.map { |peer| rows.find { |row| row.peer == peer }&.theirs || '?' }
      ["\"#{Quoted::GO_CASES.fetch(name, name).sub(', no hold', '').delete('`')}\"", *ours, *theirs].join(' ')
    end.join("\n")
  end

  def bars
    [*@own, *@peers].each_with_index.map do |name, at|
      "$rows using #{at + 2}:xtic(1) title \"#{name}\" linecolor rgb \"#{COLOURS[at % COLOURS.size]}\""
    end.join(', ')
  end
end

# A chart of real work: a bar for each contender, libpool's in a colour of their own, by the longest of 99 of 100 uses.
class LatencyChart < Chart
  def initialize(figures) # rubocop:disable Lint/MissingSuper
    @figures = figures
  end

  private

  def script(file)
    <<~PLOT
      set terminal svg size 960,520 font "Helvetica,13" background rgb "white" noenhanced
      set output "#{file}"
      set style fill solid border -1
      set boxwidth 0.8
      set yrange [0:*]
      set xrange [-1:#{@figures.size}]
      set ylabel "p99 of a use in milliseconds, less is better"
      set grid ytics
      set key outside top center horizontal
      set xtics rotate by -40 left
      set rmargin 14
      $rows << EOD
      #{table}
      EOD
      plot #{plots.join(', ')}
    PLOT
  end

  def table
    @figures.each_with_index.map do |figure, at|
      server, language = figure['case'].match(/on (\w+), (.*)/).captures
      "#{at} #{figure['latency']['p99']} \"#{language}, #{server}: #{figure['contender']}\" #{figure['contender'] == 'libpool' ? 0 : 1}"
    end.join("\n")
  end

  def plots
    %w[libpool others].each_with_index.map do |name, at|
      "$rows using 1:($4 == #{at} ? $2 : NaN):xtic(3) with boxes title \"#{name}\" linecolor rgb \"#{COLOURS[at]}\""
    end
  end
end
