# SPDX-License-Identifier: Apache-2.0
"""Runs a command that builds a peer or makes something that it needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kit.process import Unavailable


def build(command: list[str], folder: Path, **environment: str) -> None:
    """Raises Unavailable with the line of the output that says most."""
    try:
        done = subprocess.run(command, cwd=folder, env=os.environ | environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as problem:
        raise Unavailable(str(problem)) from problem
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        errors = [line for line in lines if "error" in line.lower()]
        raise Unavailable(f"{command[0]} failed: {(errors or lines[-1:])[0]}")
