# SPDX-License-Identifier: Apache-2.0
"""Goals: ratios of two rows, and whether they are met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from kit.results import Results, Row


@dataclass(frozen=True)
class Best:
    """The least of several rows, of those that were measured. A row counts only if the row that
    `fair` has for it, if any, is no more than the number there."""

    rows: tuple[Row, ...]
    fair: tuple[tuple[Row, Row, float], ...] = ()

    def value(self, pick: Callable[[Row], float | None]) -> float | None:
        unfair = {row for row, other, most in self.fair if (pick(other) or 0) > most}
        values = [pick(row) for row in self.rows if row not in unfair]
        return min((value for value in values if value is not None), default=None)


@dataclass(frozen=True)
class AtLeast:
    """A row's number, or this one if that is more."""

    row: Row
    least: float

    def value(self, pick: Callable[[Row], float | None]) -> float | None:
        value = pick(self.row)
        return None if value is None else max(value, self.least)


@dataclass(frozen=True)
class Goal:
    name: str  # of the area and the ratio; no spaces
    above: Row | Best
    below: Row | AtLeast | float
    relation: str  # "<=" or ">="
    bound: float
    worst: bool = False  # the largest value counts, not the median

    def measured(self, results: Results) -> float | None:
        """Rounded as printed, so that the verdict agrees with what one reads; None: skipped."""
        pick = results.most if self.worst else results.median
        above, below = (side.value(pick) if isinstance(side, (Best, AtLeast)) else
                        side if isinstance(side, float) else pick(side)
                        for side in (self.above, self.below))
        if above is None or not below:
            return None
        return round(above / below, 3)

    def verdict(self, results: Results) -> str:
        measured = self.measured(results)
        if measured is None:
            return "skipped"
        met = measured <= self.bound if self.relation == "<=" else measured >= self.bound
        return "ok" if met else "MISS"

    def line(self, results: Results) -> str:
        measured = self.measured(results)
        value = "skipped" if measured is None else f"{measured:.3f}"
        return (f"ratio {self.name} {value} goal {self.relation} {self.bound} "
                f"{self.verdict(results)}")
