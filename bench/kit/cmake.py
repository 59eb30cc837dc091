# SPDX-License-Identifier: Apache-2.0
"""Builds peers in C++ of which CMake knows how, but that are not built with all the rest."""

from __future__ import annotations

from pathlib import Path

from kit import builder


def build(folder: Path, target: str) -> str:
    """Build the program `target` of bench/CMakeLists.txt; `folder` is that of the binaries. Raises
    Unavailable."""
    builder.build(["cmake", "--build", str(folder.parent), "--target", target], folder)
    return str(folder / target)
