# SPDX-License-Identifier: Apache-2.0
"""Builds the peers that are written in Rust."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit import builder
from kit.process import Unavailable


def build(package: Path, name: str, target: Path) -> str:
    """Build the package's program `name` under `target`. What it depends on comes from where cargo
    gets its crates, or from what cargo already has. Raises Unavailable."""
    if shutil.which("cargo") is None:
        raise Unavailable("cargo is not in PATH")
    command = ["cargo", "build", "--quiet", "--release", "--target-dir", str(target)]
    try:
        builder.build(command + ["--offline"], package)
    except Unavailable:
        builder.build(command, package)
    return str(target / "release" / name)
