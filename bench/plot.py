#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the bars for the documentation from what run.py wrote.

    plot.py out/NAME.json OUTPUT.svg [--only SCENARIO,SCENARIO]

One panel per scenario, one bar per peer, shortest first; the thin line spans the middle half of the
measurements. The last line names the machine.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from html import escape
from pathlib import Path

WIDTH = 720
MARGIN = 20
LABELS = 140  # left of the bars
VALUES = 110  # right of the longest bar
BAR = 16
STEP = 22  # from bar to bar
TITLE = 34
GAP = 18  # below a panel
LONGEST = 6.0  # a bar longer than this many times the pool's is cut

COLOURS = {"own": "#1f6feb", "variant": "#8bb9f5", "peer": "#9aa4af"}
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 14px; font-weight: 600; }
  .label { text-anchor: end; }
  .foot { font-size: 11px; fill: #59636e; }
"""


def text(x: float, y: float, content: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attribute}>{escape(content)}</text>'


def colour(peer: str, own: str) -> str:
    if peer == own:
        return COLOURS["own"]
    return COLOURS["variant" if peer.startswith(own + "_") else "peer"]


def panel(title: str, rows: list[dict], own: str, top: float) -> tuple[list[str], float]:
    """The panel's elements and where the next one begins."""
    rows = sorted(rows, key=lambda row: row["median"])
    reference = next((row["median"] for row in rows if row["peer"] == own), 0)
    longest = max(row["median"] for row in rows)
    most = min(longest, LONGEST * reference) if reference > 0 else longest
    scale = (WIDTH - 2 * MARGIN - LABELS - VALUES) / (most or 1)
    left = MARGIN + LABELS

    parts = [text(MARGIN, top + 20, f"{title} ({rows[0]['unit']})", "title")]
    y = top + TITLE
    for row in rows:
        length = min(row["median"], most) * scale
        parts.append(text(left - 8, y + 12, row["peer"], "label"))
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                     f'fill="{colour(row["peer"], own)}"/>')
        end = left + length
        if row["median"] > most:  # cut: two white strokes across it
            parts += [f'<path d="M{end - 14 + shift:.1f} {y + BAR} l6 -{BAR}" stroke="#fff" '
                      'stroke-width="2"/>' for shift in (0, 5)]
        else:
            low, high = (min(value, most) * scale + left for value in row["quartiles"])
            middle = y + BAR / 2
            parts.append(f'<path d="M{low:.1f} {middle} H{high:.1f}" stroke="#1f2328"/>')
            end = max(end, high)
        ratio = f" ({row['median'] / reference:.2f}x)" if reference and row["peer"] != own else ""
        parts.append(text(end + 6, y + 12, f"{row['median']:.1f}{ratio}"))
        y += STEP
    return parts, y + GAP


def draw(report: dict, scenarios: list[str]) -> str:
    titles = {scenario["key"]: scenario["title"] for scenario in report["scenarios"]}
    parts: list[str] = []
    top: float = 0
    for key in scenarios:
        rows = [row for row in report["rows"] if row["scenario"] == key]
        if rows:
            elements, top = panel(titles[key], rows, report["own"], top)
            parts += elements
    foot = textwrap.wrap(f"Medians of {report['rounds']} rounds on {report['sentence']}", 110)
    for line in foot:
        parts.append(text(MARGIN, top + 12, line, "foot"))
        top += 15
    height = top + 9
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}">\n<style>{STYLE}</style>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", help="scenarios, separated by commas")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text(encoding="utf-8"))
    scenarios = arguments.only.split(",") if arguments.only else report["plots"]
    unknown = set(scenarios) - {scenario["key"] for scenario in report["scenarios"]}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    arguments.output.write_text(draw(report, scenarios), encoding="utf-8")


if __name__ == "__main__":
    main()
