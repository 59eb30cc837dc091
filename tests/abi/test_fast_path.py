# SPDX-License-Identifier: Apache-2.0
"""The machine code of a get and a put that find what they want, from the entry to the return behind
the sequence's commit: no call, no atomic instruction, no fence, and that of objects in one cache line."""

from __future__ import annotations

import argparse
import re
import subprocess
import unittest

CACHE_LINE = 64
# What there was when this was written, and two more.
MOST_INSTRUCTIONS = {
    "pool_objects_get": 20, "pool_objects_try_get": 20, "pool_objects_put": 23,
    "pool_buffers_get": 38, "pool_buffers_put": 36,
}
COSTLY = (r"\bcall", r"\block\b", r"\bxchg\b.*\(", r"[mls]fence", r"\bdiv", r"\bsyscall", r"^push")
parser = argparse.ArgumentParser()
parser.add_argument("--library", required=True)
options = parser.parse_args()


def hot_path(function: str) -> list[tuple[int, str]]:
    """The instructions from the entry to the first return."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}",
                           options.library], check=True, text=True, stdout=subprocess.PIPE).stdout
    lines = re.findall(r"^ +([0-9a-f]+):\s+(.*)$", text, re.M)
    path = []
    for address, instruction in lines:
        path.append((int(address, 16), instruction.strip()))
        if instruction.startswith("ret"):
            return path
    raise AssertionError(f"{function} is not there or does not return")


class FastPath(unittest.TestCase):
    def check(self, function: str, commit: int = -2) -> list[tuple[int, str]]:
        path = hot_path(function)
        text = "\n".join(instruction for _, instruction in path)
        for costly in COSTLY:
            self.assertIsNone(re.search(costly, text, re.M), f"{function} has {costly}:\n{text}")
        self.assertRegex(text, r"%fs:0x8\(")  # the sequence is armed
        self.assertRegex(path[commit][1], r"^(add|inc)q? .*\(")  # and commits
        self.assertLessEqual(len(path), MOST_INSTRUCTIONS[function], text)
        self.assertEqual(path[0][0] % CACHE_LINE, 0)
        return path

    def check_one_line(self, function: str):
        path = self.check(function)
        first, last = path[0][0], path[-1][0]
        self.assertEqual(first // CACHE_LINE, last // CACHE_LINE, path)
        self.assertNotRegex("\n".join(instruction for _, instruction in path), "(?m)^jmp")

    def test_objects_get(self):
        self.check_one_line("pool_objects_get")

    def test_objects_try_get(self):
        self.check_one_line("pool_objects_try_get")

    def test_objects_put(self):
        self.check_one_line("pool_objects_put")

    # These have a size to find the class of, and the get one to return.
    def test_buffers_get(self):
        self.check("pool_buffers_get", commit=-3)

    def test_buffers_put(self):
        self.check("pool_buffers_put")


if __name__ == "__main__":
    unittest.main(argv=["test_fast_path"])
