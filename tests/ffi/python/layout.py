# SPDX-License-Identifier: Apache-2.0
"""Whether structures of ctypes are those of the headers."""

import ctypes as c


def check_layout(path: str, structures: dict) -> None:
    """`path` has what C says of them; see ../run.py."""
    with open(path, encoding="ascii") as lines:
        said = {what: int(number) for what, number in map(str.split, lines)}
    for name, structure in structures.items():
        here = {name: c.sizeof(structure)}
        here |= {f"{name}.{field[0]}": getattr(structure, field[0]).offset
                 for field in structure._fields_}
        there = {what: number for what, number in said.items() if what.split(".")[0] == name}
        assert here == there, (here, there)
