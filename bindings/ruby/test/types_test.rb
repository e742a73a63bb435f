# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require_relative 'support'
require 'libpool/connection_pool'
require 'rbs'

# The signatures in sig/: valid, of all that is public and nothing else, and true of what the methods take and return.
class TypesTest < Minitest::Test
  SIGNATURES = File.expand_path('../sig', __dir__)
  # Structs and counts have more than their fields; of a Wrapper all goes to the connection.
  WHOLE = [Libpool::Steering, Libpool::Pool, Libpool::Lease, Libpool::Group, Libpool::DriverPool, Libpool::DriverLease, Libpool::Call,
           ConnectionPool].freeze

  def builder
    loader = RBS::EnvironmentLoader.new
    loader.add(library: 'timeout')
    loader.add(path: Pathname(SIGNATURES))
    RBS::DefinitionBuilder.new(env: RBS::Environment.from_loader(loader).resolve_type_names)
  end

  def declared(builder, name)
    definition = builder.env.class_decls.fetch(type_name(name))
    definition.decls.flat_map { |part| part.decl.members }.filter_map { |member| method_of(member) }.sort
  end

  def method_of(member)
    case member
    when RBS::AST::Members::MethodDefinition then member.name unless member.kind == :singleton
    when RBS::AST::Members::Alias then member.new_name
    when RBS::AST::Members::AttrReader then member.name
    end
  end

  def type_name(name)
    *path, last = name.split('::').map(&:to_sym)
    RBS::TypeName.new(name: last, namespace: RBS::Namespace.new(path:, absolute: true))
  end

  def test_all_that_is_public_is_declared_and_nothing_else
    builder = self.builder
    WHOLE.each do |type|
      public = type.public_instance_methods(false) | [:initialize]
      builder.build_instance(type_name(type.name)) # raises where it is not valid
      assert_equal public.sort, (declared(builder, type.name) | [:initialize]).sort, type.name
    end
    declared = declared(builder, 'ConnectionPool::TimedStack') # the rest of it is for ConnectionPool
    assert_empty declared - [:initialize] - ConnectionPool::TimedStack.public_instance_methods
  end

  def test_they_are_valid_and_true
    # Not of the Wrapper, for rbs asks a BasicObject what it is, for ever.
    environment = { 'RBS_TEST_TARGET' => 'Libpool,Libpool::*,ConnectionPool,ConnectionPool::TimedStack',
                    'RBS_TEST_OPT' => "-I #{SIGNATURES} -r timeout", 'RBS_TEST_RAISE' => 'true',
                    'RBS_TEST_LOGLEVEL' => 'error' }
    paths = $LOAD_PATH.flat_map { |path| ['-I', path] }
    command = [RbConfig.ruby, *paths, '-r', 'rbs/test/setup', File.join(__dir__, 'types_use.rb')]
    said = IO.popen(environment, command, err: %i[child out], &:read)
    assert_equal "all of it: #{Libpool.library_version}\n", said
  end
end
