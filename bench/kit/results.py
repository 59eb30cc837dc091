# SPDX-License-Identifier: Apache-2.0
"""Results: every number that was measured, by row.

A row is a scenario and a peer. A row that the area's table does not name is not kept.

Measurements of threads that hand things to each other bring along how far apart their CPUs were,
before and after: on a virtual machine that changes several times a second, and with it the result,
by a factor of four. separate() leaves in the row what was measured near, moves what was measured
far to the row of the scenario "<scenario>_far", and sets aside what began near and ended far or the
other way round, so that rows compare like with like.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

NEAR = 2.0  # times the distance that a tenth of all measurements does not exceed


@dataclass(frozen=True)
class Scenario:
    """One block of the table. A counter of a benchmark is "<scenario>.<counter>"."""

    key: str
    unit: str
    title: str  # for plots
    scale: float = 1.0  # what the measured number is multiplied by to be in `unit`


@dataclass(frozen=True)
class Row:
    scenario: str
    peer: str


@dataclass(frozen=True)
class Sample:
    value: float
    round: int
    distances: tuple[float, ...] = ()  # nanoseconds between the CPUs, before and after


class Results:
    def __init__(self, scenarios: list[Scenario]):
        self.scenarios = {scenario.key: scenario for scenario in scenarios}
        self.skipped: dict[str, str] = {}  # peer -> why
        self.mixed: dict[Row, list[Sample]] = {}  # set aside by separate()
        self.round = 0
        self._samples: dict[Row, list[Sample]] = {}

    def add(self, row: Row, value: float, distances: tuple[float, ...] = ()) -> None:
        scenario = self.scenarios.get(row.scenario)
        if scenario is not None and row.peer not in self.skipped:
            sample = Sample(value * scenario.scale, self.round, distances)
            self._samples.setdefault(row, []).append(sample)

    def skip(self, peer: str, why: str) -> None:
        """The peer is no part of this run: what it measured so far is dropped."""
        self.skipped[peer] = why
        self._samples = {row: kept for row, kept in self._samples.items() if row.peer != peer}

    def separate(self) -> None:
        """To be called once, when all is measured."""
        distances = [distance for samples in self._samples.values() for sample in samples
                     for distance in sample.distances]
        if len(distances) < 2:
            return
        limit = NEAR * statistics.quantiles(distances, n=10)[0]
        for row, samples in list(self._samples.items()):
            near = [s for s in samples if all(d <= limit for d in s.distances)]
            far = [s for s in samples if s.distances and min(s.distances) > limit]
            self._samples[row] = near
            self._samples[Row(f"{row.scenario}_far", row.peer)] = far
            self.mixed[row] = [s for s in samples if s not in near and s not in far]
            if not near:
                self.skipped[f"{row.scenario}/{row.peer}"] = "its CPUs were never near each other"

    def rows(self) -> list[Row]:
        """Those with a number, in the order of the scenarios; within one, the least first."""
        order = list(self.scenarios)
        rows = [row for row in self._samples if self._samples[row] and row.scenario in order]
        return sorted(rows, key=lambda row: (order.index(row.scenario), self.median(row)))

    def samples(self, row: Row) -> list[Sample]:
        return self._samples.get(row, [])

    def values(self, row: Row) -> list[float]:
        return [sample.value for sample in self.samples(row)]

    def median(self, row: Row) -> float | None:
        values = self.values(row)
        return statistics.median(values) if values else None

    def most(self, row: Row) -> float | None:
        return max(self.values(row), default=None)

    def quartiles(self, row: Row) -> tuple[float, float]:
        values = self.values(row)
        if len(values) < 2:
            return values[0], values[0]
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return low, high
