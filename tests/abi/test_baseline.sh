#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_baseline.sh LIBRARY: nothing that a program linked to the baseline could notice has changed.
set -eu
command -v abidiff >/dev/null || { echo "skipped: there is no abidiff"; exit 77; }
# Without them types are not compared at all.
readelf -SW "$1" | grep -q '\.debug_info' || { echo "skipped: no debug symbols"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
now=$(mktemp)
trap 'rm -f "$now"' EXIT
"$here/baseline.sh" "$1" >"$now"
abidiff --no-show-locs "$here/../golden/libpool.abi" "$now"
