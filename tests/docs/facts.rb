# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# A fact of the code that is said elsewhere is said there as the code has it: numbers, defaults, versions, the texts of
# metrics in each language, the codes of errors, what the tests install.  Where something is true within a bound only, the
# page that says it names the bound.
# usage: ruby facts.rb SOURCE_FOLDER
require_relative 'page'

# The files that say something, and the code that knows it.
class Sources
  SAYING = '{*.md,{docs,abi,examples,src}/**/*.{md,h,def},drivers/*/include/**/*.h,bindings/**/*.{go,java,rb,gemspec,md}}'

  def initialize(folder)
    @folder = folder
    @texts = Hash.new { |texts, file| texts[file] = File.read(File.join(folder, file)) }
  end

  def [](file) = @texts[file]

  # What a pattern finds in a file, which must have it.
  def code(file, pattern)
    self[file][pattern, 1] || raise("#{file} has nothing like #{pattern.inspect}; is this test broken?")
  end

  def found(glob) = Dir.glob(glob, base: @folder)

  # The default of a setting, as a number.
  def default(setting)
    code('src/api/settings.def', /^SETTING\(#{setting}, \w+, "[^"]*", (-?\d+),/).to_i
  end

  def saying
    @saying ||= Dir.glob(SAYING, base: @folder).grep_v(%r{_test\.|/test/|^docs/benchmarks|/build/}).sort
  end

  # File and captures of each place that matches; a line break in a comment or a page is a space.
  def places(pattern)
    @flat ||= saying.to_h { |file| [file, self[file].gsub(%r{\s*\n\s*(?:\*(?!\*)|///?|#)?\s*}, ' ')] }
    @flat.flat_map { |file, text| text.scan(pattern).map { |captures| [file, *captures] } }
  end
end

# Numbers in prose: what the code says, how it is said, and how often at least.
module Numbers
  module_function

  def all(code)
    after = code.default('breaker_after')
    seconds = code.default('get_timeout_ms') / 1000
    retry_max = code.default('retry_max_ms') / 1000
    slots = 1 << code.code('src/slot/slot.h', /POOL_SLOTS \(1u << (\d+)\)/).to_i
    [
      ['leases of which one is timed', code.code('src/slot/slot.h', /SAMPLE_MASK \((\d+) \*/).to_i + 1,
       /\bone lease in (\d[\d,]*)/i, 9],
      ['leases until a number comes back, as a power of two', generations(code), /2\^(\d+) leases of one/i, 3],
      ['slots of a process', slots - 1, /in use \((\d[\d,]*);/, 1],
      ['slots of a process, as a power of two', Math.log2(slots).to_i, /2\^(\d+) - 1 slots exist/, 1],
      ['failures in a row until the breaker opens', after, /[Aa]fter (\d+) failures (?:in a row|a breaker)/, 2],
      ['seconds that a get may take', seconds, /(?:a get|acquire) ends after (\d+) s\b|GetTimeout`,? \(?(\d+) s\b|take(?:s at most)?; default (\d+) s\b/, 4],
      ['seconds of retry_max_ms in Go', retry_max, %r{RetryMax +time\.Duration // default (\d+) s}, 1],
      ['milliseconds of fairness_us', code.default('fairness_us') / 1000, /(\d+) ms unless you set it/, 1],
      ['milliseconds of check_timeout_ms in Ruby', code.default('check_timeout_ms'), /failed; (\d[\d,]*) by default/, 1]
    ]
  end

  def generations(code)
    code.code('src/slot/slot.h', /GENERATION_END +\(\(uint64_t\)1 << (\d+)\)/).to_i -
      code.code('src/slot/slot.h', /INDEX_BITS +(\d+)/).to_i
  end

  def check(code)
    all(code).each do |what, number, said, least|
      places = code.places(said)
      places.each do |file, *captures|
        captures.compact.each do |text|
          Faults.tell("#{file} says #{text} for the #{what}; the code has #{number}") if text.delete(',').to_i != number
        end
      end
      Faults.tell("only #{places.size} places name the #{what}; is this test broken?") if places.size < least
    end
  end
end

# Defaults of the packages.
module Defaults
  module_function

  UNITS = { 'ms' => 1, 's' => 1000 }.freeze

  # Go's fields have the library's defaults, where their comment names a number.
  def go(code)
    fields = code['bindings/go/pool/config.go'].scan(%r{^\t([A-Z]\w+) +[\w.]+ +// .*default:? (-?\d+)(?: (m?s))?\b})
    fields.each do |name, number, unit|
      setting = name.gsub(/(?<!\A)([A-Z])/, '_\1').downcase
      library, scale = go_setting(code, setting)
      Faults.tell("config.go says #{number} #{unit} for #{name}; the library has #{library}") if
        library && number.to_i * (UNITS[unit] || 1) * scale != library
    end
    Faults.tell("only #{fields.size} defaults in config.go; is this test broken?") if fields.size < 10
  end

  def go_setting(code, setting)
    [["#{setting}_ms", 1], ["#{setting}_us", 1000], [setting, 1]].each do |name, scale|
      return [code.default(name), scale] if code['src/api/settings.def'].include?("SETTING(#{name},")
    end
    nil
  end

  # The table of Java's properties has what the fields of the data source begin with.
  def java(code)
    source = code['bindings/java/libpool/PooledDataSource.java']
    count = 0
    code['docs/java.md'].scan(/^\| ((?:`\w+`(?:, )?)+) \| ([^|]*) \|/) do |names, said|
      values = said.split(';').map { |text| text[/\A\s*(-?\d[\d,]*)/, 1]&.delete(',')&.to_i }
      names.scan(/\w+/).zip(values).each do |name, value|
        next unless value && (field = source.match(/ (?:int|long) #{name}(?: = (-?[\d_]+))?;/))

        count += 1
        has = field[1].to_s.delete('_').to_i
        Faults.tell("docs/java.md says #{value} for #{name}; the code has #{has}") if has != value
      end
    end
    Faults.tell("only #{count} defaults in docs/java.md; is this test broken?") if count < 7
  end

  # What java.md and the page for those who come from HikariCP say of failed opens.
  def pause(code)
    has = code.code('bindings/java/libpool/PooledDataSource.java', /retryMin\(Duration\.ofMillis\((\d+)\)\)/)
    code.places(/(?:the next one waits|a pause from) (\d+) ms/).each do |file, said|
      Faults.tell("#{file} says #{said} ms for the first pause; the code has #{has}") if said != has
    end
  end
end

# The texts of metrics are those of src/decide/counts.def and src/api/report_otel.c in every language.
module Metrics
  NAMES = { 'max_open' => 'maximumPoolSize', 'leak_after_ms' => 'leakDetectionThreshold' }.freeze
  # A pool of Java is asked for these, not the library.
  ASKED = { 'PooledDataSource::getMaximumPoolSize' => 'max_open', 'PoolMeters::minimumIdle' => 'min_idle' }.freeze
  REAL_TIMES = %w[wait_time use_time].freeze # in Java those of every get and use, not what the library knows

  module_function

  def check(code)
    sentences = code['src/decide/counts.def'].scan(/^(?:KEPT|FOUND|TIME)\((\w+),.*"([^"]*)"\)$/).to_h
    micrometer(code, sentences)
    standard(code)
  end

  def micrometer(code, sentences)
    file = 'bindings/java/libpool/micrometer/PoolMeters.java'
    open = code.code(file, /String OPEN =\s*"([^"]*)"/)
    meters = code[file].scan(/meters\.\w+\("([^"]+)", (OPEN|"[^"]*"), (?:stat\(PoolStats::(\w+)\)|([\w:]+))\)/)
    meters.each do |name, text, member, asked|
      row = member ? member.gsub(/([A-Z])/) { "_#{$1.downcase}" } : ASKED[asked]
      next unless row

      said = text == 'OPEN' ? open : text.delete('"')
      wanted = sentences.fetch(row).sub(/; 0: none\z/, '').gsub(/\b(#{NAMES.keys.join('|')})\b/, NAMES)
      Faults.tell("#{file} says #{said.inspect} of #{name}, and counts.def #{wanted.inspect}") if said != wanted
    end
    Faults.tell("only #{meters.size} meters; is this test broken?") if meters.size < 14
  end

  # What is named by OpenTelemetry's conventions has one text in C, Go and Java.
  def standard(code)
    texts = code['src/api/report_otel.c'].scan(/\{ NAME "(\w+?)(?:_total|_seconds)?", (?:"\w+", (?:NULL|"\w+"), )?"([^"]+)"/).to_h
    go = code['bindings/go/prometheus/standard.go'].scan(/desc\("(\w+?)(?:_total|_seconds)?", "([^"]*)"/).to_h
    compare('standard.go', go, texts)
    telemetry = code['bindings/java/libpool/opentelemetry/PoolTelemetry.java']
    java = telemetry.scan(/(?:number|time)\(meter, "([\w.]+)",(?: "\{\w+\}",)? "([^"]*)"\)/).to_h
    java['timeouts'] = telemetry[/\.timeouts"\).*?Description\("([^"]*)"/m, 1]
    java = java.transform_keys { |name| name.tr('.', '_') }
    compare('PoolTelemetry.java', java.except(*REAL_TIMES), texts.except(*REAL_TIMES))
    pages(code, go, java)
  end

  # What the pages of Go and Java say that there is.
  def pages(code, go, java)
    listed = code.code('docs/go.md', /OpenTelemetry names: ([^.]*)\./).scan(/`(?:db_client_connection)?_(\w+?)(?:_total|_seconds)?`/).flatten
    Faults.tell("docs/go.md lists #{listed.sort}, and standard.go has #{go.keys.sort}") if listed.sort != go.keys.sort
    row = code.code('docs/java.md', /^\| OpenTelemetry \|(.*)$/)
    names = row.scan(/`(?:db\.client\.connection)?\.([a-z_.]+)`/).flatten - ['pool.name']
    names = names.map { |name| name.delete_prefix('client.connection.').tr('.', '_') }
    Faults.tell("docs/java.md lists #{names.sort}, and PoolTelemetry has #{java.keys.sort}") if names.sort != java.keys.sort
    micrometer = %w[Pool Timed].map { |name| code["bindings/java/libpool/micrometer/#{name}Meters.java"] }.join
    meters = micrometer.scan(/"hikaricp\.connections\.(\w+)"/).flatten.sort
    shown = code.code('docs/java.md', /^\| Micrometer \|.*?`hikaricp\.connections`,(.*?), tag/).scan(/`\.(\w+)`/).flatten.sort
    Faults.tell("docs/java.md lists the meters #{shown}, and the package has #{meters}") if shown != meters
  end

  def compare(file, said, wanted)
    Faults.tell("#{file} has the metrics #{said.keys.sort}, and report_otel.c #{wanted.keys.sort}") if said.keys.sort != wanted.keys.sort
    wanted.each do |name, text|
      Faults.tell("#{file} says #{said[name].inspect} of #{name}, and report_otel.c #{text.inspect}") if said[name] != text
    end
  end
end

# The page of errors has each code, and each function that says a failure in another way.
module Errors
  NEVER_FAIL = %w[pool_strerror pool_version pool_version_string].freeze

  module_function

  def check(code)
    page = code['docs/errors.md']
    codes = code['abi/pool/types.h'].scan(/^#define (POOL_E_[A-Z]+) +\(-/).flatten
    missing = codes.reject { |name| page.include?("| `#{name}` |") }
    Faults.tell("docs/errors.md has no line for #{missing.join(', ')}") unless missing.empty?
    Faults.tell("only #{codes.size} codes; is this test broken?") if codes.size < 15
    others(code, page)
  end

  # A pointer or a size is no code.
  def others(code, page)
    found = code['abi/signatures.txt'].scan(/^(?:(?:const )?\w+ \*|size_t )(pool_\w+)\(/).flatten
    Faults.tell("only #{found.size} functions return no code; is this test broken?") if found.size < 5
    (found - NEVER_FAIL).each do |name|
      Faults.tell("docs/errors.md does not say what #{name} returns on failure") unless page.include?("`#{name}`")
    end
  end
end

# Versions, and what the tests install and change.
module Needs
  module_function

  def check(code)
    versions(code)
    page = code['docs/testing.md']
    tools = code['tools/packages']
    { 'masks' => /mask/, '/etc/postgresql-common/createcluster.d/libpool.conf' => /createcluster\.d/ }.each do |said, done|
      Faults.tell("docs/testing.md does not say #{said}, and tools/packages does it") if tools =~ done && !page.include?(said)
    end
    servers = tools.scan(/need_packages (\w+)-server$|for package in ([\w -]+); do/).flatten.compact.flat_map(&:split)
    servers.map { |name| { 'slapd' => 'OpenLDAP', 'openssh-server' => 'OpenSSH', 'mariadb' => 'MariaDB' }.fetch(name, name) }
           .each { |name| Faults.tell("docs/testing.md does not name #{name}, which the tests install") unless page.include?(name) }
  end

  def versions(code)
    {
      'Go' => [code.code('bindings/go/go.mod', /^go (\d+\.\d+)/), /\bGo (1\.\d+)(?: or (?:later|newer)|\s*\|)|\| Go \| (\d+\.\d+)/],
      'Ruby' => [code.code('bindings/ruby/libpool.gemspec', /required_ruby_version = .*?(\d+\.\d+)/),
                 /Ruby (\d+\.\d+) (?:or|and) newer|\| Ruby \| (\d+\.\d+)/],
      'CMake' => [code.code('CMakeLists.txt', /cmake_minimum_required\(VERSION (\d+\.\d+)/), /CMake (\d+\.\d+) or newer|\| CMake \| (\d+\.\d+)/]
    }.each do |name, (version, said)|
      places = code.places(said)
      places.each do |file, *captures|
        captures.compact.each { |text| Faults.tell("#{file} says #{name} #{text}, and it is #{version}") if text != version }
      end
      Faults.tell("only #{places.size} places name the version of #{name}; is this test broken?") if places.size < 2
    end
  end
end

# What is true within a bound only, and how a page or comment that says so names the bound.
module Bounds
  CLAIMS = {
    /in order of\s+(?:\* )?arrival/i => /fairness|overtak|#the-order-of-those-that-wait/i,
    /one deadline\*{0,2} for (?:queue|everything)/i => /\bkeeps? its deadline|have to keep|keeps it, or|\(-1\) \(for|openers/i,
    /\b(?:leases?|numbers?) (?:that )?(?:ends?|is over|are over) for ever/i => /2\^42/,
    /order of arrival,? always|\b(?:read|need)s? no clock\b|never reads? a clock|as fast as a (?:method|function)|for every language/i => /(?!)/
  }.freeze
  DEFINES = /queue is in order of arrival/ # of the library itself

  module_function

  def check(code)
    code.saying.product(CLAIMS.to_a).each do |file, (claim, bound)|
      pieces = code[file].split(/\n\s*\n|\n(?=- |\|)/).grep(claim)
      pieces.reject { |text| text =~ bound || text =~ DEFINES }
            .each { |text| Faults.tell("#{file} says #{text[claim].inspect}, and does not name the bound") }
    end
  end
end

# The pages that put names of other pools beside ours: those of ours are in the code of that language.
module Counterparts
  ROWS = %w[src/api/settings.def src/decide/counts.def].freeze
  CODE = {
    'C' => %w[abi/pool/*.h], 'Go' => %w[bindings/go/{pool,puddle,rpcpool}/*.go], 'Java' => %w[bindings/java/libpool/*.java],
    'Ruby' => %w[bindings/ruby/{lib,ext,sig}/**/*.{rb,rbs,c}]
  }.freeze
  MIGRATE = { 'apr_reslist' => 'C', 'connection_pool' => 'Ruby', 'database-sql' => 'Go', 'hikaricp' => 'Java',
              'maxatome-fatih' => 'Go', 'puddle-pgxpool' => 'Go' }.freeze

  module_function

  def check(code)
    words = CODE.transform_values { |globs| globs.flat_map { |glob| code.found(glob) }.flat_map { |file| code[file].scan(/\w+/) } + rows(code) }
    MIGRATE.each { |page, language| known(code, "docs/migrate/#{page}.md", words[language]) { |cells| cells[cells.size > 2 ? 2 : 1] } }
    CODE.keys.each_with_index { |language, at| known(code, 'docs/languages.md', words[language]) { |cells| cells[at + 1] } }
    missing(code)
  end

  # Settings and counts by their names in C, and as Go has them.
  def rows(code)
    names = ROWS.flat_map { |file| code[file].scan(/^[A-Z]+\((\w+)/).flatten }
    names + names.map { |name| name.sub(/_ns\z/, '_sum').split('_').map(&:capitalize).join }
  end

  # What stands in our column of the tables of a page.
  def known(code, page, words)
    names = code[page].scan(/^\|(.*)\|$/).flatten.flat_map { |row| yield(row.split('|').map(&:strip)).to_s.scan(/`([^`]*)`/).flatten }
                      .flat_map { |text| text.scan(/[A-Za-z_]\w{2,}/) }.uniq
    Faults.tell("#{page} names #{(names - words).join(', ')}, which the code has not") unless (names - words).empty?
    Faults.tell("only #{names.size} names in a column of #{page}; is this test broken?") if names.size < 2
  end

  # What the page of HikariCP says that we have not, the page of Java says as well; a test in Java knows that page's table.
  def missing(code)
    table = code['docs/java.md'][/^### For those who come from HikariCP$.*?(?=^These things)/m].to_s
    code['docs/migrate/hikaricp.md'][/^## No counterpart$.*?^## /m].to_s.scan(/`(\w+)`/).flatten.each do |name|
      Faults.tell("docs/migrate/hikaricp.md says that there is no #{name}, and docs/java.md does not") unless table.include?("`#{name}`")
    end
  end
end

code = Sources.new(ARGV.fetch(0))
Numbers.check(code)
Defaults.go(code)
Defaults.java(code)
Defaults.pause(code)
Metrics.check(code)
Errors.check(code)
Needs.check(code)
Bounds.check(code)
Counterparts.check(code)
lines = code['README.md'].lines.size
Faults.tell("README.md has #{lines} lines; it decides in ten minutes with at most 150") if lines > 150
Faults.finish("#{code.saying.size} files say what the code has")
