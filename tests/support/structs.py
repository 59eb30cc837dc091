# SPDX-License-Identifier: Apache-2.0
"""The structs of the public headers."""

from __future__ import annotations

import re
from pathlib import Path


def fields(body: str) -> list[str]:
    """The names of a struct's members, in their order."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    members = [member.strip() for member in body.split(";") if member.strip()]
    # A pointer to a function has its name in the middle, an array before its bounds.
    return [re.search(r"(?<=\(\*)\w+|\w+(?=(\[\w+\])*$)", member).group() for member in members]


def structs(include: Path) -> dict[str, list[str]]:
    """Every struct and its members."""
    return {name: fields(body) for header in sorted((include / "pool").glob("*.h"))
            for body, name in re.findall(r"^typedef struct pool_\w+ \{\n(.*?)^\} (pool_\w+);",
                                         header.read_text(encoding="utf-8"), re.M | re.S)}
