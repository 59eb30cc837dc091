#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# aarch64.sh COMPILER EMULATOR FOLDER
set -eu
cxx=$1 qemu=$2 out=$3
[ -x "$cxx" ] || { echo "skipped: there is no compiler for aarch64"; exit 77; }
root=$(cd "$(dirname "$0")/../.." && pwd)
flags="-std=c++20 -O2 -Wall -Wextra -Werror -Wno-invalid-offsetof -D_GNU_SOURCE -DPOOL_COMPILER=\"g++\" \
    -I$root/include -I$root/src -I$root/tests"

# shellcheck disable=SC2086
for source in "$root"/src/*/*.cpp "$root"/capi/*.cpp; do
    "$cxx" $flags -fPIC -c "$source" -o "$out/aarch64.o"
done
[ -x "$qemu" ] || { echo "skipped: there is no qemu-aarch64"; exit 77; }
# shellcheck disable=SC2086
"$cxx" $flags -DPOOL_SEQUENCE_INJECTION -static "$root/tests/inject/sequences.cpp" \
    "$root/src/shards/shard.cpp" -o "$out/sequences_aarch64"
"$qemu" "$out/sequences_aarch64"
