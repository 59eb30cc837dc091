# SPDX-License-Identifier: Apache-2.0
"""Where the dynamic linker would find a library."""

from __future__ import annotations

import re
import shutil
import subprocess

from kit.process import Unavailable


def library(name: str) -> str:
    """The file that the linker's cache has for `name` with a version behind it ("libjemalloc.so" ->
    ".../libjemalloc.so.2"). Raises Unavailable."""
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig is None:
        raise Unavailable("ldconfig is not there to look it up")
    cache = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^\s*{re.escape(name)}\.\d\S* .*=> (\S+)$", cache, re.MULTILINE)
    if found is None:
        raise Unavailable(f"{name} is not in the linker's cache")
    return found.group(1)
