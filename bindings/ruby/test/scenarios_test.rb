# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# The cases that all languages run: scenarios_test.rb [FILE], or POOL_SCENARIOS names the file.
FILE = ENV.fetch('POOL_SCENARIOS') { File.expand_path('../../../tests/scenarios.json', __dir__) }

require_relative 'support'
require_relative 'scenario'
require_relative 'scenario_checks'
require 'json'

class ScenariosTest < Minitest::Test
  include Support
  include ScenarioChecks

  LANGUAGES = %w[go ruby java].freeze
  WORDS = %w[name only pool steps refused says check cancellations workers waiters threads_at_most].freeze

  def self.define(test)
    define_method("test_#{test['name'].gsub(/\W+/, '_')}") { run_case(test) }
  end

  cases = JSON.parse(File.read(FILE)).fetch('cases')
  raise "#{FILE} has no cases, or two of one name" if cases.empty? || cases.map { |test| test['name'] }.uniq!

  cases.each do |test|
    unknown = test.fetch('only', []) - LANGUAGES
    raise "#{test['name']}: unknown languages #{unknown}" if unknown.any?

    define(test) if test.fetch('only', LANGUAGES).include?('ruby')
  end

  def run_case(test)
    assert_empty test.keys - WORDS
    assert_equal 1, (test.keys & %w[steps refused check]).size
    if test['steps']
      Scenario.new(self, test.fetch('pool')).run(test['steps'])
    elsif test['refused']
      test['refused'].each { |settings| assert_refused(settings, test['says']) }
    else
      send("check_#{test['check']}", test)
    end
  end

  def assert_refused(settings, says)
    error = assert_raises(ArgumentError, RangeError, settings.to_s) { Scenario.pool(settings) { flunk 'it opened' } }
    refute_empty error.message
    assert_equal says, error.message if says
  end
end
