#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each test of the contract fails with a library that breaks it: faults are put into copies of the sources one by one,
# and a library is linked from the object of the copy, whose symbols come first, and the archive.
# usage: mutants.sh SOURCE_FOLDER C_COMPILER ARCHIVE TEST_FOLDER DRIVER_FOLDER
set -euo pipefail
source=$1 compiler=$2 archive=$3 tests=$4
export POOL_DRIVER_PATH=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
signatures=$source/abi/signatures.txt
library=$work/libpool.so.1
caught=0
patience=10

# make_library LINK_OPTION...
map=$source/abi/libpool.map
link_options=(-Wl,-z,nodelete -Wl,-Bsymbolic-functions)
make_library() {
  "$compiler" -shared -o "$library" ${mutated:+"$mutated"} -Wl,-z,muldefs -Wl,--whole-archive "$archive" \
    -Wl,--no-whole-archive -Wl,-soname,libpool.so.1 -pthread -Wl,--version-script="$map" "$@"
  ln -sf libpool.so.1 "$work/libpool.so"
}

# mutate FILE SED_SCRIPT [OPTION ...]
mutated=
mutate() {
  sed -E "$2" "$source/src/$1" >"$work/mutant.c"
  ! cmp -s "$work/mutant.c" "$source/src/$1" || { echo "FAILED: nothing was changed in $1 by $2"; exit 1; }
  mutated=$work/mutant.o
  "$compiler" -std=gnu11 -c -fPIC -w -pthread -D_GNU_SOURCE -I"$source/abi" -I"$source/src" "${@:3}" "$work/mutant.c" \
    -o "$mutated"
}

run() { # TEST: with the library, wherever the test has its own from
  case $1 in
  sized) LD_LIBRARY_PATH=$work timeout 60 "$tests/sized_test.shared" "$signatures" ;;
  ffi) timeout 60 "$tests/ffi_test" "$library" "$signatures" ;;
  copies) timeout 60 "$tests/copies_test" "$library" ;;
  dlopen) LD_LIBRARY_PATH=$work timeout 60 "$tests/dlopen_test" "$library" "$tests/libplugin_linked.so" \
    "$tests/libplugin_loading.so" "$patience" ;;
  *) LD_LIBRARY_PATH=$work timeout 60 "$tests/compat_caller_$1" frozen ;;
  esac
}

fails() { # TEST MUTATION
  if (run "$1") >"$work/said" 2>&1; then
    echo "FAILED: the test '$1' does not see: $2"
    exit 1
  fi
  caught=$((caught + 1))
}

mutant() { # TEST MUTATION FILE SED_SCRIPT
  mutate "$3" "$4"
  make_library "${link_options[@]}"
  fails "$1" "$2"
}

# Without a fault all of them pass.
mutated=
make_library "${link_options[@]}"
for name in sized ffi copies dlopen 1.0; do
  run "$name" >"$work/said" 2>&1 || { cat "$work/said"; echo "FAILED: $name, without any fault"; exit 1; }
done

mutant sized "wild sizes are believed" base/sized.c 's/size > SIZE_LIMIT/0/'
mutant sized "wild sizes are taken for small ones" base/sized.c 's/return POOL_E_WILD;/return POOL_E_SIZE;/'
mutant sized "it writes beyond a small struct" base/sized.c \
  's/\(size < sizes.known \? size : sizes.known\) - sizeof/sizes.known - sizeof/'
mutant sized "it reads beyond a small struct" base/sized.c \
  's/size < sizes.known \? size : sizes.known\);/sizes.known);/; s/if \(size < sizes.first\)/if (0)/'
mutant sized "what it does not know is ignored" base/sized.c 's/return POOL_E_NEWER;/continue;/'
mutant sized "the caller's size is overwritten" base/sized.c \
  's/memcpy\(\(char \*\)theirs \+ sizeof size.*/*(size_t *)theirs = sizes.known; &/'
mutant sized "a vtable needs no close" api/settings.c 's/!vtable->open \|\| !vtable->close/!vtable->open/'
mutant sized "unknown flags are ignored" api/settings.c 's/\(vtable->flags & ~POOL_VTABLE_MULTIPLEXED\) \|\|//'
mutant sized "a cut tag does not end" api/lease.c 's|text_cut\(place.*;|;|'
mutant sized "a cut message does not end" base/error.c 's/theirs->size < sizeof \*ours/0/'
mutant sized "a step is written without a look at its size" api/step.c \
  's/!theirs \|\| theirs->size != sizeof \*theirs/!theirs/'
mutant sized "a bad step loses what was decided" api/step.c 's/  if \(code\)/  if (0)/'

mutant 1.0 "settings of the first release are refused" api/settings.c \
  's/CONFIG_SIZES/(struct sizes){sizeof *config + 8, 0, sizeof *config + 8}/'
mutant 1.0 "vtables of the first release are refused" api/settings.c 's/sized_read\(vtable, theirs, .*\)/POOL_E_OLDER/'
mutant 1.0 "drivers of the first release are refused" api/search.c \
  's/make\(POOL_DRIVER_VERSION/make(POOL_DRIVER_VERSION + 1/'
mutant 1.0 "its table is refused" api/table.c 's/version == POOL_API_VERSION/version > POOL_API_VERSION/'
mutant 1.0 "a driver fills a vtable without a size" api/driver.c 's/filled = POOL_VTABLE_INIT/filled = {0}/'
mutant 1.0 "a driver's prepare has an error without a size" api/driver.c 's/why = POOL_ERROR_INIT/why = {0}/'
mutant 1.0 "a driver's open has an error without a size" run/worker.c \
  's/\.error = POOL_ERROR_INIT\}/.error = {0}}/'
mutant 1.0 "a driver's call has an error without a size" api/call.c 's/why = POOL_ERROR_INIT/why = {0}/'
mutant 1.0 "what it can do has another name" api/feature.c 's/"drivers"/"driver"/'
mutant 1.0 "it fails without saying why" base/error.c 's/return last.error.code;/return 0;/'

mutant ffi "two entries of the table are each other's" api/table.c \
  's/= pool_flush,/= NEW,/; s/= pool_pause,/= pool_flush,/; s/= NEW,/= pool_pause,/'
mutant ffi "a parameter is not looked at" api/call.c 's/^  if \(!bytes\)/  if (0)/'
mutant ffi "an error is another" api/call.c 's/error_text\(POOL_E_STALE/error_text(POOL_E_INVALID/'
mutant ffi "an error is written though nothing failed" api/create.c 's/^  begin\(pool\);/error_set(error, 0, 0, ""); &/'
mutant ffi "a result is written though it failed" api/create.c \
  's/^  if \(\(code = config_read\(&settings, config, error\)\) \|\| \(code = (vtable_read|check_steps).*/  *out = NULL;\n&/'
mutant ffi "a context is written though it failed" api/driver.c 's/^  code = find\(/  *context = NULL;\n&/'
mutant ffi "settings are written though the URL failed" api/open.c \
  's/^  code = prepare\(&url, text, &all, &filled/  set_settings(config, \&url, NULL);\n&/'
mutant ffi "a driver's own number passes for success" api/driver.c 's/if \(code > 0\)/if (0)/'
mutant ffi "the version has another form" base/error.c 's/return VALUE/return "v" VALUE/'
mutant ffi "any version has a table" api/table.c 's/if \(version == POOL_API_VERSION\)//'

mutant dlopen "a descriptor stays behind" api/create.c \
  's/^static void begin\(.*/#include <unistd.h>\n&/; s/^  atomic_store\(&pool->filling, false\);/&\n  dup(2);/'
mutant dlopen "a thread-local key stays behind" api/create.c \
  's/^  atomic_store\(&pool->filling, false\);/&\n  pthread_key_t key; pthread_key_create(\&key, NULL);/'
mutant dlopen "memory stays behind" api/create.c \
  's/^  atomic_store\(&pool->filling, false\);/&\n  static void *volatile kept; kept = malloc(32);/'
patience=1 # for what never ends
mutant dlopen "each thread has a table of its own" api/table.c \
  's/^static const pool_api_t/static _Thread_local const pool_api_t/'
mutant dlopen "threads outlive a pool that was drained" api/create.c \
  's/^  atomic_store\(&pool->filling, false\);/&\n  pthread_t t; pthread_create(\&t, NULL, (void *)pause, NULL);/
   s/^#include "base\/clock.h"/#include <unistd.h>\n&/'

# What the contract allows is no mistake: structs and the table grow at their ends, with a function of a new release.
grown=$work/grown
mkdir "$grown" "$grown/tests"
cp -r "$source/abi" "$source/src" "$grown"
cp -r "$source/tests/compat" "$grown/tests"
sed -i -E 's/^\} pool_(error|event|config|vtable|stats|lease_info|setting|step|driver|driver_info)_t;/  int64_t zap;\n&/
  s/^\} pool_api_t;/  int (*zap)(void);\n&/' "$grown"/abi/pool/*.h
sed -i 's/^KEPT(opened,/KEPT(zap, COUNTER, ONE, "zap_total", NULL, "Zaps")\n&/' "$grown/src/decide/counts.def"
sed -i '$a POOL_9.9 { global: pool_zap; } POOL_1.0;' "$grown/abi/libpool.map"
sed -i '$a pool_zap@@POOL_9.9' "$grown/abi/libpool.so.1.symbols"
echo '__attribute__((visibility("default"))) int pool_zap(void) { return 0; }' >>"$grown/src/api/table.c"
"$source/tests/abi/frozen.sh" "$grown" "$compiler"
# Asserts that rows and members are as many would see it.
"$compiler" -std=gnu11 -w -fPIC -shared -pthread -D_GNU_SOURCE "-D_Static_assert(...)=" -I"$grown/abi" -I"$grown/src" \
  $(find "$grown/src" -name '*.c' ! -name park_pthread.c) "${link_options[@]}" -Wl,-soname,libpool.so.1 \
  -Wl,--version-script="$grown/abi/libpool.map" -o "$library"
run 1.0 || { echo "FAILED: a library whose structs have grown does not serve the callers of 1.0"; exit 1; }

mutated=
make_library -Wl,-Bsymbolic-functions
fails dlopen "the library is unloaded under its threads (no -z nodelete)"
make_library -Wl,-z,nodelete
fails copies "its functions are mixed up with the program's (no -Bsymbolic-functions)"

# What only the linker decides, and the test of the symbols sees.
unlike() { # MESSAGE
  if "$source/tests/abi/symbols.sh" "$source" "$library" >"$work/said" 2>&1 || ! grep -qF "FAILED: $1" "$work/said"; then
    cat "$work/said"
    echo "FAILED: the test of the symbols does not say '$1'"
    exit 1
  fi
  caught=$((caught + 1))
}
make_library "${link_options[@]}" -Wl,-soname,libpool.so.2
unlike "SONAME is 'libpool.so.2'"
make_library -Wl,-Bsymbolic-functions
unlike "not linked with -z nodelete"
make_library "${link_options[@]}" -Wl,--no-as-needed -lm
unlike "needs a library that programs may not have"
mutate base/error.c 's/^static _Thread_local/static __attribute__((tls_model("initial-exec"))) _Thread_local/'
make_library "${link_options[@]}"
unlike "has static thread-local data"
if [[ $("$compiler" -dumpmachine) == x86_64-* ]] && mutate base/error.c '$a //' -mtls-dialect=gnu2; then
  make_library "${link_options[@]}"
  unlike "finds thread-local data by descriptors"
fi
mutate api/table.c '$a __attribute__((visibility("default"))) int pool_zap;'
map=$work/libpool.map
sed 's/pool_version;/&\n    pool_zap;/' "$source/abi/libpool.map" >"$map"
make_library "${link_options[@]}"
unlike "the library exports data"
mutate api/table.c '$a __attribute__((visibility("default"))) int pool_zap(void) { return 0; }'
make_library "${link_options[@]}"
unlike "the exports are not those of abi/libpool.so.1.symbols"
sed 's/^POOL_1.0/POOL_1.1/' "$source/abi/libpool.map" >"$map"
make_library "${link_options[@]}"
unlike "the exports are not those of abi/libpool.so.1.symbols"

echo "$caught faults caught"
