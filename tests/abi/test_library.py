# SPDX-License-Identifier: Apache-2.0
"""The shared library's symbols, dependencies and flags."""

from __future__ import annotations

import argparse
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden/symbols.txt"
parser = argparse.ArgumentParser()
parser.add_argument("--library", required=True)
options = parser.parse_args()


def readelf(*arguments: str) -> str:
    return subprocess.run(["readelf", "-W", *arguments, options.library], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def dynamic_symbols() -> list[list[str]]:
    rows = [line.split() for line in readelf("--dyn-syms").splitlines()]
    return [row for row in rows if len(row) >= 8 and row[0].rstrip(":").isdigit()]


def golden() -> list[str]:
    return GOLDEN.read_text(encoding="ascii").split()


class Library(unittest.TestCase):
    def test_exports_the_golden_symbols_and_no_others(self):
        exported = sorted(row[7] for row in dynamic_symbols() if row[6] not in ("UND", "ABS"))
        self.assertEqual(exported, golden())

    def test_every_symbol_is_a_plain_global_function(self):
        for row in dynamic_symbols():
            if row[6] not in ("UND", "ABS"):
                self.assertEqual(row[3:6], ["FUNC", "GLOBAL", "DEFAULT"], row)

    def test_names_are_of_the_areas(self):
        areas = "objects|buffers|buf|conns|workers|stats|status|last_error|version|config"
        for symbol in golden():
            self.assertRegex(symbol, rf"^pool_({areas})(_[a-z_]+)?@@POOL_0\.1$")

    def test_the_map_and_the_headers_say_the_same(self):
        names = [symbol.split("@")[0] for symbol in golden()]
        mapped = re.findall(r"^    (pool_\w+);", (ROOT / "capi/libpool.map").read_text(), re.M)
        self.assertEqual(sorted(mapped), names)
        declared = []
        for header in (ROOT / "include/pool").glob("*.h"):
            declared += re.findall(r"^POOL_API [^;{]*?\b(pool_\w+)\(", header.read_text(), re.M)
        self.assertEqual(sorted(declared), names)

    def test_soname_and_flags(self):
        dynamic = readelf("-d")
        self.assertIn("Library soname: [libpool.so.0]", dynamic)
        flags = " ".join(line for line in dynamic.splitlines() if "FLAGS" in line)
        self.assertIn("NODELETE", flags)
        self.assertIn("BIND_NOW", flags)
        self.assertNotIn("STATIC_TLS", flags)
        self.assertNotIn("TEXTREL", dynamic)
        self.assertNotRegex(dynamic, r"R(UN)?PATH")

    def test_needs_only_the_language_runtimes(self):
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d")))
        needed -= {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"}
        # The loader itself, for __tls_get_addr and where struct rseq is.
        self.assertTrue(all(name.startswith("ld-linux") for name in needed), needed)

    def test_thread_local_storage_is_small(self):
        sizes = [int(line.split()[5], 16) for line in readelf("-l").splitlines()
                 if line.split()[:1] == ["TLS"]]
        self.assertLessEqual(sum(sizes), 512)

    def test_nothing_runs_when_threads_end_and_nothing_is_merged(self):
        undefined = [row[7] for row in dynamic_symbols() if row[6] == "UND"]
        self.assertFalse([name for name in undefined if "__cxa_thread_atexit" in name])
        self.assertFalse([row for row in dynamic_symbols() if row[4] == "UNIQUE"])

    def test_the_stack_is_not_executable(self):
        stack = [line for line in readelf("-l").splitlines() if "GNU_STACK" in line]
        self.assertEqual(len(stack), 1)
        self.assertNotIn("E", stack[0].split()[6])
        self.assertIn("GNU_RELRO", readelf("-l"))


if __name__ == "__main__":
    unittest.main(argv=["test_library"])
