# SPDX-License-Identifier: Apache-2.0
"""A process to measure: a Google Benchmark binary, or a program that reports in the same form."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field

from kit.results import Results, Row

TIMEOUT = 120  # seconds; none should take a tenth of that

# What Google Benchmark itself writes to a row. Any other number is a counter of the benchmark.
STANDARD = {
    "family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads",
    "iterations", "real_time", "cpu_time",
}

# Counters that say how far apart the CPUs were; see results.py.
DISTANCES = ("distance_before", "distance_after")


class Unavailable(Exception):
    """A peer that cannot be had, and why."""


@dataclass
class Process:
    peers: list[str]  # whose rows it has, by the names in the table
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # name in the report -> name in the table
    expect: tuple[str, str] | None = None  # a key of the report's context and how its value begins
    required: bool = False  # the run is worth nothing without it
    rounds: int | None = None  # at most this many; None: all
    notes: dict[str, str] = field(default_factory=dict)  # key of the context -> name in the output

    def measure(self, results: Results, context: dict[str, str]) -> None:
        """Run once. Adds its numbers to `results` and what it is made of to `context`."""
        report = self._report()
        self._check(report["context"])
        for key, name in self.notes.items():
            context[name] = str(report["context"].get(key, "unknown"))
        for entry in report["benchmarks"]:
            if entry.get("run_type") == "iteration":
                self._add(entry, results)

    def _report(self) -> dict:
        try:
            done = subprocess.run(
                self.command, env=os.environ | self.environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise Unavailable(str(problem)) from problem
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise Unavailable(f"exit status {done.returncode}: {lines[-1]}")
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as problem:
            raise Unavailable(f"its report is not JSON: {problem}") from problem

    def _check(self, context: dict) -> None:
        if self.expect is None:
            return
        key, begin = self.expect
        found = str(context.get(key, "nothing"))
        if not found.startswith(begin):
            raise Unavailable(f"the process has {found} for its {key}")

    def _add(self, entry: dict, results: Results) -> None:
        # "<scenario>/<subject>/iterations:1/manual_time"
        scenario, subject = entry["name"].split("/")[:2]
        peer = self.names.get(subject, subject)
        if entry.get("error_occurred"):
            results.skip(peer, entry.get("error_message", "no message"))
            return
        distances = tuple(entry[key] for key in DISTANCES if key in entry)
        results.add(Row(scenario, peer), entry["real_time"], distances)
        for key, value in entry.items():
            if key not in STANDARD and key not in DISTANCES and isinstance(value, (int, float)):
                results.add(Row(f"{scenario}.{key}", peer), value)
