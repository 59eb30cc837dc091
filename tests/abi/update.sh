#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# update.sh LIBRARY: makes the golden files anew, for a change of the ABI that is meant. LIBRARY is of
# a RelWithDebInfo build by gcc on x86-64.
set -eu
readelf -SW "$1" | grep -q '\.debug_info' || { echo "$1 has no debug symbols" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
readelf -W --dyn-syms "$1" >"$new/all"
awk '$1 ~ /^[0-9]+:$/ && $7 != "UND" && $7 != "ABS" { print $8 }' "$new/all" |
    LC_ALL=C sort >"$new/symbols.txt"
"$here/baseline.sh" "$1" >"$new/libpool.abi"
cp "$new/symbols.txt" "$new/libpool.abi" "$here/../golden/"
