# SPDX-License-Identifier: Apache-2.0
"""Builds the peers that are written in Java."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit import builder
from kit.process import Unavailable


def build(project: Path, main: str, out: Path) -> list[str]:
    """Compile the project into `out`; the command that runs its class `main`. What it depends on
    comes from where Maven gets its artifacts, or from what Maven already has. Raises
    Unavailable."""
    for program in ("javac", "java", "mvn"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not in PATH")
    command = ["mvn", "-q", "-B", f"-Dout={out}", "compiler:compile",
               "dependency:copy-dependencies"]
    try:
        builder.build(command + ["-o"], project)
    except Unavailable:
        builder.build(command, project)
    return ["java", "-cp", f"{out}/classes:{out}/lib/*", main]
