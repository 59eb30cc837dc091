# SPDX-License-Identifier: Apache-2.0
"""Builds the peers that are written in Go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from kit.process import Unavailable


def build(module: Path, package: str, program: Path) -> str:
    """Build a package of the module into `program`. What it imports from elsewhere comes from where
    the go command gets its modules. Raises Unavailable."""
    if shutil.which("go") is None:
        raise Unavailable("go is not in PATH")
    environment = os.environ | {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    if "HOME" not in environment:
        environment.setdefault("GOCACHE", str(program.parent / "go-cache"))
    done = subprocess.run(
        ["go", "build", "-o", str(program), f"./{package}"], cwd=module, env=environment,
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Unavailable(f"go build failed: {lines[-1]}")
    return str(program)
