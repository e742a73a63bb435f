# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Writes manual pages from what Doxygen has read in the headers: one for each header, function, struct and type of a
# callback.
# usage: ruby man.rb XML_FOLDER OUTPUT_FOLDER FOLDER_OF_EXAMPLES

require 'fileutils'
require 'rexml/document'

# Text with Doxygen's marks as lines of mdoc(7).
module Markup
  module_function

  def escape(text)
    text.gsub('\\', '\\e').gsub('-', '\\-')
  end

  def inline(node)
    node.each_child.map { |child| child.is_a?(REXML::Text) ? escape(child.value) : element(child) }.join
  end

  def element(node)
    case node.name
    when 'computeroutput', 'emphasis', 'bold' then "\\fI#{inline(node)}\\fP"
    when 'sp' then ' '
    when 'ndash' then '\\(en'
    else inline(node)
    end
  end

  # A sentence ends its line, so that the reader's program decides about the space behind it.  What begins like a macro
  # is text all the same.
  def sentences(text)
    text.gsub(/\s+/, ' ').gsub(/\b(pool_\w+)\(\)/, '\fB\1\fP(3)').strip
        .gsub(/([.?!:])\s+(?=[A-Z])/, "\\1\n").gsub(/^([.'])/, '\\\\&\1').lines.map(&:rstrip)
  end

  BLOCKS = %w[itemizedlist parameterlist simplesect verbatim].freeze

  # The paragraphs of a description, without the sections (those are asked for by name).
  def paragraphs(node)
    node.get_elements('para').flat_map { |para| paragraph(para) }
  end

  def paragraph(para)
    blocks = []
    text = +''
    para.each_child do |child|
      if child.is_a?(REXML::Element) && BLOCKS.include?(child.name)
        blocks << sentences(text) << block(child)
        text = +''
      else
        text << (child.is_a?(REXML::Text) ? escape(child.value) : element(child))
      end
    end
    (blocks << sentences(text)).reject(&:empty?)
  end

  def block(node)
    case node.name
    when 'itemizedlist' then list(node)
    when 'verbatim' then example(node.text)
    else []
    end
  end

  def example(code)
    ['.Bd -literal -offset indent -compact', *escape(code).chomp.gsub(/^([.'])/, '\\\\&\1').lines.map(&:chomp), '.Ed']
  end

  def list(node)
    items = node.get_elements('listitem').flat_map { |item| ['.It', *paragraphs(item).flatten] }
    ['.Bl -bullet -compact', *items, '.El']
  end
end

# One page.
class Page
  def initialize(name, date)
    @name = name
    @lines = [".Dd #{date}", ".Dt #{name.upcase} 3", '.Os libpool']
  end

  def section(title, lines)
    @lines << ".Sh #{title}" << lines unless lines.empty?
    self
  end

  def write(folder)
    File.write(File.join(folder, "#{@name}.3"), "#{@lines.flatten.join("\n")}\n")
  end
end

# What the headers say about one thing, be it a file, a struct or a function.
class Entry
  include Markup

  attr_reader :node, :kind

  def initialize(node)
    @node = node
    @kind = node.attributes['kind']
  end

  def name
    (node.elements['name'] || node.elements['compoundname']).text
  end

  # The page's name: a header is pool/x.h to a compiler and pool_x to a reader; the first of them is the library.
  def title
    return name unless kind == 'file'

    name == 'pool.h' ? 'libpool' : "pool_#{name.delete_suffix('.h')}"
  end

  def header
    File.basename((node.elements['location'] || node).attributes['file'] || name)
  end

  def documented?
    !(brief.empty? && description.empty?)
  end

  def brief
    sentences(inline(node.elements['briefdescription']))
  end

  def description
    paragraphs(node.elements['detaileddescription'])
  end

  # A section of this function's description: [] where there is none.
  def part(title)
    @parts ||= node.get_elements('.//simplesect').group_by { |sect| sect_title(sect) }
    @parts.fetch(title, []).flat_map { |sect| join(paragraphs(sect)) }
  end

  # The same with a capital letter where it begins with a word.
  def sentence(title)
    first, *rest = part(title)
    first ? [first.sub(/\A[a-z]+(?=[ ,.])/, &:capitalize), *rest] : []
  end

  def parameters
    node.get_elements('.//parameterlist/parameteritem').map do |item|
      [item.elements['.//parametername'].text, join(paragraphs(item.elements['parameterdescription']))]
    end
  end

  # The pages that this one speaks of.
  def references(known)
    node.get_elements('.//ref').map(&:text).map { |text| text.sub(/\(\)\z/, '').sub(/::.*/, '') }.uniq & known
  end

  def members(kind)
    node.get_elements("sectiondef/memberdef[@kind='#{kind}']").map { |member| Entry.new(member) }
  end

  # A type, as it was written.
  def type
    text(node.elements['type'])
  end

  def text(node)
    REXML::XPath.match(node, './/text()').map(&:value).join.gsub(/\s+\*/, ' *').strip
  end

  def join(blocks)
    blocks.flat_map { |block| ['.Pp', *block] }.drop(1)
  end

  private

  def sect_title(sect)
    sect.attributes['kind'] == 'return' ? 'Returns' : sect.elements['title']&.text
  end
end

# Uses of functions in the programs of examples/.
class Examples
  MOST_LINES = 24
  AROUND = 4

  def initialize(folder)
    @functions = Dir[File.join(folder, '*.c')].flat_map { |file| functions(file) }
  end

  # The shortest function that calls this one, or what stands around the call in a long one.
  def of(name)
    call = /\b#{name}\(/
    file, lines = @functions.select { |_, body| body.grep(call).any? }.min_by { |_, body| body.size }
    return [] unless file

    [".Pa examples/#{File.basename(file)}", 'has this:', *Markup.example(cut(lines, call).join)]
  end

  private

  def cut(lines, call)
    return lines if lines.size <= MOST_LINES

    at = lines.index { |line| line.match?(call) }
    lines[[at - AROUND, 0].max..at + AROUND]
  end

  # Each function with the comment above it: a brace stands alone where it begins and where it ends.
  def functions(file)
    lines = File.readlines(file)
    lines.each_index.select { |at| lines[at] == "{\n" }.map do |at|
      head = at.downto(1).find { |above| lines[above - 1].strip.empty? } || 0
      [file, lines[head..(at...lines.size).find { |below| lines[below] == "}\n" }]]
    end
  end
end

# Writes all pages of a folder.
class Manual
  FACTS = ['Blocks', 'Ownership', 'Threads', 'From a callback'].freeze

  def initialize(xml, folder, date, examples)
    @examples = examples
    compounds = Dir[File.join(xml, '{*_8h,struct*}.xml')].map do |file|
      Entry.new(REXML::Document.new(File.read(file)).elements['doxygen/compounddef'])
    end
    @files, @structs = compounds.partition { |entry| entry.kind == 'file' }
    @structs.select!(&:documented?)
    @functions = @files.flat_map { |file| file.members('function') }
    @types = @files.flat_map { |file| file.members('typedef') }.select { |type| type.name.end_with?('_fn') }
    @known = (@functions + @types + @structs).map(&:name)
    @folder = folder
    @date = date
  end

  def write
    FileUtils.mkdir_p(@folder)
    @files.each { |file| write_file(file) }
    @functions.each { |function| write_function(function) }
    @types.each { |type| write_type(type) }
    @structs.each { |struct| write_struct(struct) }
  end

  private

  # A header whose page would have the name of a function's, as pool/stats.h, has another one.
  def title(entry)
    entry.kind == 'file' && @known.include?(entry.title) ? "#{entry.title}_h" : entry.title
  end

  def page(entry)
    Page.new(title(entry), @date).section('NAME', [".Nm #{title(entry)}", ".Nd #{headline(entry)}"])
        .section('LIBRARY', ['libpool (\\-lpool)'])
  end

  # The beginning of the first sentence, as apropos(1) shows it.
  def headline(entry)
    abort "#{entry.name} in #{entry.header} has no documentation block" unless entry.documented?
    said = entry.brief.empty? ? entry.description.first : entry.brief
    line = said.first.sub(/\Alibpool: /, '').sub(/[.:]\z/, '')
    line = line[/\A.{16,}?(?=[:;,] )/] || line if line.length > 70
    line[0].downcase + line[1..]
  end

  def write_function(entry)
    page(entry).section('SYNOPSIS', prototype(entry))
               .section('DESCRIPTION', description(entry) + table(parameters(entry)))
               .section('BEHAVIOUR', facts(entry))
               .section('RETURN VALUES', returns(entry))
               .section('EXAMPLES', @examples.of(entry.name))
               .section('ERRORS', entry.sentence('Errors'))
               .section('SEE ALSO', see_also(entry))
               .section('HISTORY', history(entry)).write(@folder)
  end

  def prototype(entry)
    arguments = entry.node.get_elements('param').filter_map do |param|
      type = entry.text(param.elements['type'])
      next if type == 'void' && !param.elements['declname']

      ".Fa \"#{"#{type} #{param.elements['declname'].text}".gsub('* ', '*')}\""
    end
    arguments = ['.Fa void'] if arguments.empty?
    [".In pool/#{entry.header}", ".Ft \"#{entry.type}\"", ".Fo #{entry.name}", *arguments, '.Fc']
  end

  def description(entry)
    blocks = entry.description
    blocks = [entry.brief, *blocks] unless entry.brief.empty?
    entry.join(blocks)
  end

  def table(rows, width = 'Ds')
    return [] if rows.empty?

    [".Bl -tag -width #{width}", *rows.flat_map { |head, lines| [".It #{head}", *lines] }, '.El']
  end

  def parameters(entry)
    entry.parameters.map { |name, lines| ["Fa #{name}", lines] }
  end

  def facts(entry)
    table(FACTS.map { |fact| [fact, entry.part(fact)] }.reject { |_, lines| lines.empty? }, '"From a callback"')
  end

  def returns(entry)
    said = entry.sentence('Returns')
    return said unless said.empty?

    { 'int' => ['0, or one of the errors, which are negative.'],
      'pool_lease_t' => ['A lease, or one of the errors, which are negative.'] }.fetch(entry.type, [])
  end

  def history(entry)
    lines = entry.part('Since').map { |version| "Since libpool #{version}." }
    entry.part('Idea').empty? ? lines : [*lines, '.Pp', 'Idea:', *entry.part('Idea')]
  end

  def see_also(entry, more = [])
    names = [*entry.references(@known), *more, 'libpool'].uniq - [title(entry)]
    names.sort.each_with_index.map { |name, index| ".Xr #{name} 3#{' ,' if index < names.length - 1}" }
  end

  def write_type(entry)
    page(entry).section('SYNOPSIS', [".In pool/#{entry.header}", '.Bd -literal', definition(entry), '.Ed'])
               .section('DESCRIPTION', description(entry))
               .section('RETURN VALUES', entry.sentence('Returns'))
               .section('SEE ALSO', see_also(entry)).write(@folder)
  end

  def definition(entry)
    Markup.escape("typedef #{entry.type}#{' ' unless entry.type.end_with?('*')}#{entry.name}" \
                  "#{entry.node.elements['argsstring']&.text};")
  end

  def write_struct(entry)
    page(entry).section('SYNOPSIS', [".In pool/#{entry.header}", ".Vt #{entry.name}"])
               .section('DESCRIPTION', description(entry))
               .section('MEMBERS', members(entry))
               .section('SEE ALSO', see_also(entry)).write(@folder)
  end

  def members(entry)
    rows = entry.members('variable').map do |member|
      declared = "#{member.type} #{member.name}#{member.node.elements['argsstring']&.text}"
      ["Vt \"#{declared.gsub('* ', '*').sub('(*', ' (*')}\"", description(member) + returned(member)]
    end
    table(rows)
  end

  def returned(member)
    said = member.part('Returns')
    said.empty? ? [] : ['.Pp', "Returns #{said.first}", *said.drop(1)]
  end

  def write_file(entry)
    page(entry).section('SYNOPSIS', [".In pool/#{entry.name}"])
               .section('DESCRIPTION', description(entry))
               .section('FUNCTIONS', index(entry.members('function')))
               .section('TYPES', index(@types.select { |type| type.header == entry.name } +
                                       @structs.select { |struct| struct.header == entry.name }))
               .section('CONSTANTS', constants(entry))
               .section('SEE ALSO', see_also(entry, @files.map { |file| title(file) })).write(@folder)
  end

  def index(entries)
    table(entries.map { |entry| ["Xr #{entry.name} 3", [headline(entry)]] })
  end

  def constants(entry)
    rows = entry.members('define').select(&:documented?).map do |constant|
      ["Dv #{constant.name}#{Markup.escape(value(constant))}", description(constant)]
    end
    table(rows)
  end

  # What a constant stands for, or the parameters of a macro that has some.
  def value(constant)
    parameters = constant.node.get_elements('param/defname').map(&:text)
    return "(#{parameters.join(', ')})" unless parameters.empty?

    initializer = constant.node.elements['initializer']
    initializer ? " #{constant.text(initializer)}" : ''
  end
end

abort 'usage: man.rb XML_FOLDER OUTPUT_FOLDER FOLDER_OF_EXAMPLES' unless ARGV.length == 3
seconds = ENV.fetch('SOURCE_DATE_EPOCH', Time.now.to_i).to_i
Manual.new(ARGV[0], ARGV[1], Time.at(seconds).utc.strftime('%B %-d, %Y'), Examples.new(ARGV[2])).write
