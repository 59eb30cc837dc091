# SPDX-License-Identifier: Apache-2.0
"""The table: one line per row, in aligned columns."""

from __future__ import annotations

from kit.results import Results, Row

LEFT = {"scenario", "peer", "unit"}


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 10_000 or value == int(value) else f"{value:.2f}"


def lines(results: Results, own: str) -> list[str]:
    """`own` is the peer that the last column compares with."""
    head = ["scenario", "peer", "median", "25%", "75%", "unit", f"/{own}"]
    cells = [head]
    previous = None
    for row in results.rows():
        median = results.median(row)
        low, high = results.quartiles(row)
        reference = results.median(Row(row.scenario, own))
        cells.append([
            row.scenario if row.scenario != previous else "",
            row.peer,
            number(median),
            number(low),
            number(high),
            results.scenarios[row.scenario].unit,
            f"{median / reference:.2f}" if reference else "",
        ])
        previous = row.scenario
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if name in LEFT else cell.rjust(width)
            for cell, width, name in zip(line, widths, head)).rstrip()
        for line in cells
    ]
