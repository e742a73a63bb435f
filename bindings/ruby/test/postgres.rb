# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require 'fileutils'
require 'tmpdir'

# A PostgreSQL server of our own: in a temporary folder, on a Unix socket there, as a user without rights.
class Postgres
  USER = 'postgres' # what root becomes, for the server refuses to run as root

  # The folder of the socket.
  attr_reader :folder

  def initialize
    @folder = Dir.mktmpdir
    FileUtils.chown(USER, USER, @folder) if Process.uid.zero?
    data = "#{@folder}/data"
    Process.wait(start('initdb', '-D', data, '-U', 'test', '-A', 'trust', '--no-sync'))
    raise "initdb failed: #{File.read(log)}" unless $?.success? # rubocop:disable Style/SpecialGlobalVars

    @server = start('postgres', '-D', data, '-h', '', '-k', @folder, '-F')
  end

  def ready?
    Process.wait(start('pg_isready', '-q', '-h', @folder))
    $?.success? # rubocop:disable Style/SpecialGlobalVars
  end

  def stop
    Process.kill('INT', @server)
    Process.wait(@server)
    FileUtils.remove_entry(@folder)
  end

  private

  def log
    "#{@folder}/log"
  end

  # Debian keeps the programs of a server out of the path.
  def start(program, *arguments)
    found = Dir["/usr/lib/postgresql/*/bin/#{program}"].max || program
    as_user = Process.uid.zero? ? ['setpriv', "--reuid=#{USER}", "--regid=#{USER}", '--init-groups'] : []
    spawn(*as_user, found, *arguments, chdir: @folder, %i[out err] => [log, 'a'])
  end
end
