# SPDX-License-Identifier: Apache-2.0
"""What the pages show compiles, names what there is, and points at files that exist."""

from __future__ import annotations

import argparse
import re
import subprocess
import unittest
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
options = parser.parse_args()
ROOT = options.source
PAGES = [ROOT / "README.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
INCLUDES = "#include <pool/pool.h>\n" + "".join(
    f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "string", "unistd"))
# What a piece of a program may use without saying where it comes from.
SURROUNDINGS = "static const char *name; static size_t n; static int fd;\n"
OF_PAGE = {
    "buffers.md": "static pool_buffers *pool;\n",
    "conns.md": """
        static pool_conns *pool; static int64_t timeout; static const char *key;
        static char *statement;
        pool_status connector(const void *, size_t, int64_t, void **, void *);
        void hang_up(void *, pool_conns_reason, void *);
        pool_status execute(pool_conns_lease *, void *, void *);
        int32_t extend_deadline(void *, const void *, size_t, void *);
        int round_trip(int);
    """,
    "workers.md": """
        static pool_workers *pool; static void *requests[8]; static void *arg, *payload, *result;
        void handle(void *); void task(void *); void fetch(void *);
        void handler(void *, int32_t, const char *, void *);
        pool_status worker_new(void **, void *);
        void *process(void *, void *, void *);
        void interrupt(void *, void *); void worker_free(void *, void *);
    """,
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def compiler_says(text: str) -> str:
    command = ["cc", "-std=c99", "-Wall", "-Wno-unused", "-Werror", "-D_POSIX_C_SOURCE=200809L",
               "-fsyntax-only", "-x", "c", "-I", str(ROOT / "include"), "-"]
    return subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


class Docs(unittest.TestCase):
    def test_programs_compile(self):
        for page in PAGES:
            for block in blocks(page, "c"):
                if "main(" not in block:
                    block = (SURROUNDINGS + OF_PAGE.get(page.name, "") +
                             f"void piece(void) {{\n{block}}}\n")
                with self.subTest(page=page.name, block=block):
                    self.assertEqual(compiler_says(INCLUDES + block), "")

    def test_names_exist(self):
        public = "".join(header.read_text() for header in (ROOT / "include/pool").glob("*.h"))
        for page in PAGES:
            for name in re.findall(r"\b(pool_\w+)\(", page.read_text()):
                with self.subTest(page=page.name):
                    self.assertRegex(public, rf"\b{name}\(")
            for name in re.findall(r"\bPOOL_[A-Z]+_[A-Z_]+\b", page.read_text()):
                with self.subTest(page=page.name):
                    self.assertRegex(public, rf"\b{name}\b")

    def test_files_exist(self):
        for page in PAGES:
            for path in re.findall(r"`((?:src|include|capi|tests|bench|docs|examples)/[\w./]+)`",
                                   page.read_text()):
                with self.subTest(page=page.name, path=path):
                    self.assertTrue((ROOT / path).exists())


if __name__ == "__main__":
    unittest.main(argv=["test_docs"])
