# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Runs the blocks of docs/ruby.md, and then those in the comments of the gem, one after the other, beside a Redis server and a JSON-RPC server of this test's own.
# The block about the gem's interface runs in a process of its own, for it has to be the first that requires the gem.
# usage: ruby ruby.rb SOURCE_FOLDER [ARITH_SERVER]
require_relative 'page'

source, arith_server = ARGV
PROGRAM = Process.pid
require File.join(source, 'bindings/ruby/test/redis_server')

# A connection for the lines about fork, of a library that nobody knows.
class Client
  def fileno = raise(NotImplementedError)
  alias transport fileno
  alias forget fileno
end

# What a Gemfile says; other gems are asked for by Ruby itself.
def gem(name, *versions, **options)
  return super(name, *versions) if options.empty?

  name == 'libpool' && options.keys.all? { |key| %i[path git glob].include?(key) } || raise(ArgumentError, name)
end

def arith_address(server)
  return unless server

  IO.popen(server, 'r+').tap { |process| at_exit { process.close if Process.pid == PROGRAM } }.gets.chomp
end

redis = RedisServer.new
at_exit { redis.stop if Process.pid == PROGRAM }
sleep 0.02 until redis.ready?
ENV['REDIS_URL'] = "redis://127.0.0.1:#{redis.port}/0"
arith = arith_address(arith_server)
here = binding

# Code in a comment stands behind an empty line of it, three spaces further in.
def in_comments(source, file)
  lines = File.readlines(File.join(source, file), chomp: true)
  begins = lines.each_index.select { |at| at.positive? && lines[at - 1] =~ /^\s*\#\z/ && lines[at] =~ /^\s*\#   \S/ }
  begins.map do |at|
    code = lines[at..].take_while { |line| line =~ /^\s*\#   / }.map { |line| line.sub(/^\s*\#   /, '') }
    Page::Block.new(file, 'ruby', code, at)
  end
end

shown = Page.new(source, 'docs/ruby.md').blocks.select { |block| block.language == 'ruby' }
shown.each { |block| block.mark = 'docs/ruby.md' }
commented = Dir.glob('bindings/ruby/lib/**/*.rb', base: source).sort.flat_map { |file| in_comments(source, file) }
Faults.tell("found only #{commented.size} blocks in comments; is this test broken?") if commented.size < 5

(shown + commented).each do |block|
  text = block.lines.join("\n")
  text = "require 'libpool/connection_pool'\n#{text}" if block.mark.include?('lib/libpool/connection_pool')
  next if text.include?('127.0.0.1:1234') && !arith

  run = -> { here.eval(text.gsub('127.0.0.1:1234', arith.to_s), block.mark, block.line + 1) }
  text.include?('connection_pool') ? Process.wait(fork(&run)) : run.call
  Faults.tell("#{block.mark}:#{block.line} ends with #{$?}") if $? && !$?.success?
rescue Libpool::StaleError => e
  raise unless text.include?('Libpool::StaleError') # as the block says

  puts "#{block.mark}:#{block.line}: #{e.message}"
rescue StandardError, ScriptError => e
  Faults.tell("#{block.mark}:#{block.line}: #{e.class}: #{e.message}")
end
Faults.finish('all blocks ran')
