#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# baseline.sh LIBRARY: its ABI as text, without anything of the machine it was built on.
set -eu
headers=$(cd "$(dirname "$0")/../../include/pool" && pwd)
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT
abidw --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs \
    --drop-private-types --headers-dir "$headers" "$1" >"$raw"
sed -e "s# path='[^']*/\([^/']*\)'# path='\1'#" -e "s# producer='[^']*'##" "$raw"
