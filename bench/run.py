#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one area's benchmark and its peers, and says which goals are met.

    run.py --build-dir DIR NAME [--quick]

Prints one table, `skipped <peer>: <why>` for what could not be had, and a line per goal:

    ratio <name> <measured> goal <=|>= <number> ok|MISS

Every number goes to out/NAME.json beside this file. The exit status is 0 whatever the ratios say.

Each area is a module in areas/: OWN, SCENARIOS, PLOTS, GOALS and fill(plan).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
sys.dont_write_bytecode = True

from kit import machine, table  # noqa: E402
from kit.plan import Plan  # noqa: E402
from kit.results import Results  # noqa: E402

QUICK_SECONDS = 45
FULL_SECONDS = 180


def areas() -> list[str]:
    return sorted(file.stem for file in (BENCH / "areas").glob("[a-z]*.py"))


def report(area, results: Results, about: dict) -> dict:
    """What out/NAME.json holds."""
    return about | {
        "own": area.OWN,
        "plots": area.PLOTS,
        "scenarios": [vars(scenario) for scenario in area.SCENARIOS],
        "rows": [
            {
                "scenario": row.scenario,
                "peer": row.peer,
                "unit": results.scenarios[row.scenario].unit,
                "median": results.median(row),
                "quartiles": results.quartiles(row),
                "samples": [vars(sample) for sample in results.samples(row)],
                "mixed": [vars(sample) for sample in results.mixed.get(row, [])],
            }
            for row in results.rows()
        ],
        "skipped": results.skipped,
        "goals": [
            {
                "name": goal.name,
                "measured": goal.measured(results),
                "relation": goal.relation,
                "bound": goal.bound,
                "verdict": goal.verdict(results),
            }
            for goal in area.GOALS
        ],
    }


def main() -> None:
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", required=True, type=Path, help="where CMake built")
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("name", choices=areas())
    arguments = parser.parse_args()

    area = importlib.import_module(f"areas.{arguments.name}")
    results = Results(area.SCENARIOS)
    plan = Plan(BENCH, arguments.build_dir.resolve() / "bench", arguments.quick)
    area.fill(plan)
    seconds = QUICK_SECONDS if arguments.quick else FULL_SECONDS
    rounds, software = plan.run(results, begin + seconds)
    here = machine.describe()

    print(f"{arguments.name}: {rounds} rounds on {machine.sentence(here, software)}")
    print("\n".join(table.lines(results, area.OWN)))
    for peer, why in results.skipped.items():
        print(f"skipped {peer}: {why}")
    for goal in area.GOALS:
        print(goal.line(results))

    about = {
        "area": arguments.name,
        "mode": "quick" if arguments.quick else "full",
        "rounds": rounds,
        "machine": here,
        "software": software,
        "sentence": machine.sentence(here, software),
    }
    out = BENCH / "out"
    out.mkdir(exist_ok=True)
    text = json.dumps(report(area, results, about), indent=1)
    (out / f"{arguments.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
