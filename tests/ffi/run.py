# SPDX-License-Identifier: Apache-2.0
"""Builds and runs one language's programs against an installed libpool.

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
sys.path.insert(0, str(HERE.parent / "support"))
from structs import structs  # noqa: E402


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


def layout(include: Path, work: Path) -> Path:
    """A file with what C says of the headers' structs: lines of "struct size" and "struct.member
    offset"."""
    sizes = {name: f"sizeof({name})" for name in structs(include)}
    offsets = {f"{name}.{member}": f"offsetof({name}, {member})"
               for name, members in structs(include).items() for member in members}
    program = work / "ffi_layout"
    text = "#include <pool/pool.h>\n#include <stdio.h>\nint main(void) {\n" + "".join(
        f'printf("{what} %zu\\n", {number});\n' for what, number in (sizes | offsets).items())
    subprocess.run([tool("cc", "gcc"), "-x", "c", "-std=c99", "-I", str(include), "-o",
                    str(program), "-"], input=text + "return 0; }\n", text=True, check=True)
    path = work / "ffi_layout.txt"
    with path.open("w", encoding="ascii") as out:
        subprocess.run([str(program)], stdout=out, check=True)
    return path


def build(language: str, name: str, prefix: Path, work: Path) -> list[str]:
    """The command that runs a program, which is built if it must be."""
    folder = Path(pkg_config(prefix, "--variable=libdir")[0]).resolve()
    if language == "python":
        return [sys.executable, str(HERE / f"python/{name}.py"), str(folder / "libpool.so")]
    program = str(work / f"{name}_{language}")
    if language == "c":
        command = [tool("cc", "gcc"), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                   "-pthread", str(HERE / f"c/{name}.c"), "-o", program,
                   *pkg_config(prefix, "--cflags", "--libs")]
    else:
        command = [tool("rustc"), "--edition", "2021", "-D", "warnings", "-L", str(folder),
                   str(HERE / f"rust/{name}.rs"), "-o", program]
    subprocess.run(command, check=True)
    return [program]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("language", choices=["c", "python", "rust"])
    arguments = parser.parse_args()
    folder = Path(pkg_config(arguments.prefix, "--variable=libdir")[0]).resolve()
    include = Path(pkg_config(arguments.prefix, "--variable=includedir")[0]).resolve()
    work = arguments.work / arguments.language
    work.mkdir(parents=True, exist_ok=True)

    commands = [build(arguments.language, name, arguments.prefix, work)
                for name in ("ffi", "conns", "workers", "worker_sets")]
    if arguments.language != "c":
        said = str(layout(include, work))
        commands = [[*command, said] for command in commands]
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder)}
    for command in commands:
        status = subprocess.run(command, env=environment).returncode
        if status != 0:
            sys.exit(f"{command[0]}: {status}")


if __name__ == "__main__":
    main()
