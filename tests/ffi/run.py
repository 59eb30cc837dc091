# SPDX-License-Identifier: Apache-2.0
"""Builds and runs one language's program against an installed libpool.

    run.py --prefix PREFIX --work DIR c|python|rust

Exits with 77 where the language's tools are missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def pkg_config(prefix: Path, *arguments: str) -> list[str]:
    folders = ":".join(str(path.parent) for path in prefix.rglob("pool.pc"))
    environment = os.environ | {"PKG_CONFIG_PATH": folders}
    out = subprocess.run(["pkg-config", *arguments, "pool"], check=True, text=True,
                         stdout=subprocess.PIPE, env=environment)
    return out.stdout.split()


def tool(*names: str) -> str:
    for name in names:
        if shutil.which(name):
            return name
    print(f"skipped: there is no {' or '.join(names)}")
    sys.exit(77)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("language", choices=["c", "python", "rust"])
    arguments = parser.parse_args()
    folder = Path(pkg_config(arguments.prefix, "--variable=libdir")[0]).resolve()
    include = Path(pkg_config(arguments.prefix, "--variable=includedir")[0]).resolve()
    program = str(arguments.work / f"ffi_{arguments.language}")

    if arguments.language == "c":
        subprocess.run([tool("cc", "gcc"), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        str(HERE / "c/ffi.c"), "-o", program,
                        *pkg_config(arguments.prefix, "--cflags", "--libs")], check=True)
        command = [program]
    elif arguments.language == "rust":
        subprocess.run([tool("rustc"), "--edition", "2021", "-D", "warnings", "-L", str(folder),
                        str(HERE / "rust/ffi.rs"), "-o", program], check=True)
        command = [program]
    else:
        command = [sys.executable, str(HERE / "python/ffi.py"), str(folder / "libpool.so"),
                   str(include)]

    environment = os.environ | {"LD_LIBRARY_PATH": str(folder)}
    sys.exit(subprocess.run(command, env=environment).returncode)


if __name__ == "__main__":
    main()
