#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The jar as somebody else uses it: put into a Maven repository of its own, as mvn install:install-file does, and a
# project in a scratch folder is compiled and run with nothing but what it finds there.
# usage: java.sh JAR POM EXAMPLES ARITH_SERVER JAVAC JAVA...
set -euo pipefail
jar=$1 pom=$2 examples=$3 server=$4 javac=$5
shift 5

scratch=$(mktemp -d)
server_process=
trap 'rm -rf "$scratch"; [ -z "$server_process" ] || kill "$server_process"' EXIT
cd "$scratch"

fail() {
  echo "java.sh: $1" >&2
  exit 1
}

element() {
  sed -n "s:^  <$1>\(.*\)</$1>$:\1:p" "$pom"
}
group=$(element groupId) artifact=$(element artifactId) version=$(element version)
[ "$(basename "$jar")" = "$artifact-$version.jar" ] || fail "the jar is not named as the POM names it"
home=repository/${group//.//}/$artifact/$version
mkdir -p "$home"
cp "$jar" "$home/$artifact-$version.jar"
cp "$pom" "$home/$artifact-$version.pom"
installed=$PWD/$home/$artifact-$version.jar

"$(dirname "$javac")/jar" --list --file "$installed" >contents
for wanted in META-INF/maven/example.libpool/libpool/pom.xml module-info.class libpool/Pool.class \
  'native/.*/libpool\.so\.1' 'native/.*/libpooljni\.so' 'native/.*/pool/pool-jsonrpc\.so' 'native/.*/pool/drivers'; do
  grep -qx "$wanted" contents || fail "the jar has no $wanted"
done

for wanted in sources:libpool/Core.java sources:libpool/Pool.java javadoc:libpool/PooledDataSource.html; do
  "$(dirname "$javac")/jar" --list --file "${jar%.jar}-${wanted%%:*}.jar" >contents
  grep -qx "${wanted#*:}" contents || fail "the jar of the ${wanted%%:*} has no ${wanted#*:}"
done

coproc SERVER { exec "$server"; }
server_process=$SERVER_PID
read -r address <&"${SERVER[0]}"

cp "$examples/Names.java" "$examples/Arith.java" .
env -i "$javac" --release 17 -Xlint:all -Werror -d classes -cp "$installed" Names.java Arith.java

# The same as a module, which knows the jar by the name of its module; annotations and Spring are not there.
mkdir shop
echo 'module shop { requires libpool; }' >shop/module-info.java
(echo 'package shop;' && cat Names.java) >shop/Names.java
env -i "$javac" --release 17 -Xlint:all -Werror -d modules -p "$installed" shop/*.java

cat >expected <<'END'
java: 20 clients served by 3 connections
7 * 8 = 56
6 * 7 = 42
1 / 0: divide by zero
END
for java in "$@"; do
  for class in Names "Arith $address"; do
    # shellcheck disable=SC2086 # a class and its arguments
    env -i "$java" -Djava.io.tmpdir="$scratch" -cp "classes:$installed" $class
  done >said
  diff expected said || fail "$java says something else"
  env -i "$java" -Djava.io.tmpdir="$scratch" -p "modules:$installed" -m shop/shop.Names >said
  head -1 expected | diff - said || fail "$java says something else of a module"
  [ -z "$(find . -maxdepth 1 -name 'libpool*')" ] || fail "$java left files behind"
done
