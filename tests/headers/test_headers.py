# SPDX-License-Identifier: Apache-2.0
"""Each public header by itself: in C and C++, under strict flags; and every function's comment."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from structs import structs  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--include", type=Path, required=True)
options = parser.parse_args()
HEADERS = sorted((options.include / "pool").glob("*.h"))
WRAPPERS = sorted(str(path.relative_to(options.include))
                  for path in options.include.rglob("*.hpp"))
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wundef"]
C = [name for name in ("gcc", "clang") if shutil.which(name)]
CXX = [name for name in ("g++", "clang++") if shutil.which(name)]


def compile_text(compiler: str, language: str, standard: str, text: str, *flags: str) -> str:
    """What the compiler complained about."""
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, "-I", str(options.include),
               *flags, "-"]
    return subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


class Headers(unittest.TestCase):
    def test_each_compiles_alone(self):
        for header in HEADERS:
            text = f"#include <pool/{header.name}>\n#include <pool/{header.name}>\n"
            for language, compilers, standards in (("c", C, ("c99", "c11", "c17")),
                                                   ("c++", CXX, ("c++11", "c++17", "c++20"))):
                for compiler in compilers:
                    for standard in standards:
                        with self.subTest(header=header.name, by=compiler, standard=standard):
                            body = text + ("" if language == "c++" else "typedef int not_empty;\n")
                            self.assertEqual(compile_text(compiler, language, standard, body,
                                                          "-fsyntax-only"), "")

    def test_each_wrapper_compiles_alone(self):
        self.assertIn("pool/hpp/conns.hpp", WRAPPERS)
        for wrapper in WRAPPERS:
            for compiler in CXX:
                for standard in ("c++20", "c++2b"):
                    with self.subTest(wrapper=wrapper, by=compiler, standard=standard):
                        text = f"#include <{wrapper}>\n#include <{wrapper}>\n"
                        self.assertEqual(compile_text(compiler, "c++", standard, text,
                                                      "-fsyntax-only"), "")

    def test_initializers_fill_every_field(self):
        names = sorted(name for header in HEADERS for name in re.findall(
            r"#define POOL_(\w+)_OPTIONS_INIT\b", header.read_text()))
        self.assertEqual(names, ["BUFFERS", "CONNS", "OBJECTS", "WORKERS", "WORKERS_GROUP",
                                 "WORKERS_TASK"])
        areas = [name.lower() for name in names]
        text = "#include <pool/pool.h>\n" + "".join(
            f"extern const pool_{area}_options {area}_defaults;\n"
            f"const pool_{area}_options {area}_defaults = POOL_{area.upper()}_OPTIONS_INIT;\n"
            for area in areas)
        for compiler in C:
            self.assertEqual(compile_text(compiler, "c", "c99", text, "-fsyntax-only"), "")

    def test_structs_are_the_same_in_c_and_cxx(self):
        of = structs(options.include)
        self.assertEqual(of["pool_workers_report"], ["size", "ran", "discarded", "running",
                                                       "waiting"])
        self.assertEqual(of["pool_conns_options"][2:7],
                         ["dial", "close", "is_alive", "ctx", "ctx_free"])
        self.assertEqual(of["pool_conns_histogram"],
                         ["size", "count", "sum", "most", "buckets"])
        # What C says of them, as assertions for every other compiler and standard.
        facts = [f"sizeof({name})" for name in of]
        facts += [f"offsetof({name}, {field})" for name in of for field in of[name]]
        text = "#include <pool/pool.h>\n#include <stdio.h>\nint main(void) {\n" + "".join(
            f'printf("static_assert({fact} == %zu, \\"{fact}\\");\\n", {fact});\n'
            for fact in facts) + "return 0; }\n"
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(compile_text(C[0], "c", "c99", text, "-o", f"{folder}/c"), "")
            said = subprocess.run([f"{folder}/c"], text=True, check=True,
                                  stdout=subprocess.PIPE).stdout
        self.assertEqual(said.count("static_assert"), len(facts))
        said = "#include <pool/pool.h>\n#include <assert.h>\n" + said
        for language, compilers, standards in (("c", C, ("c11", "c17")),
                                               ("c++", CXX, ("c++11", "c++17", "c++20"))):
            for compiler in compilers:
                for standard in standards:
                    with self.subTest(by=compiler, standard=standard):
                        self.assertEqual(compile_text(compiler, language, standard, said,
                                                      "-fsyntax-only"), "")

    def test_every_function_says_what_its_user_must_know(self):
        comments = {}
        for header in HEADERS:
            text = header.read_text(encoding="utf-8")
            found = re.findall(r"/\*((?:(?!\*/).)*)\*/\nPOOL_API [^;{]*?\b(pool_\w+)\(", text,
                               re.S)
            self.assertEqual(len(found), text.count("\nPOOL_API "), header.name)
            comments |= {name: comment.replace("\n *", " ") for comment, name in found}
        for name, comment in comments.items():
            # "As pool_x()" hands on everything but the version.
            like = re.search(r"\bAs (pool_\w+)\(\)", comment)
            if like:
                self.assertIn(like.group(1), comments, name)
            for heading in ("Threads", "Blocks", "Errors|Returns"):
                with self.subTest(function=name, heading=heading):
                    said = comment + (comments[like.group(1)] if like else "")
                    self.assertRegex(said, rf"\b({heading})(, [A-Z]\w+)*:")
            with self.subTest(function=name, heading="Since"):
                self.assertRegex(comment, r"\bSince: +0\.\d")


if __name__ == "__main__":
    unittest.main(argv=["test_headers"])
