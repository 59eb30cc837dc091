# SPDX-License-Identifier: Apache-2.0
"""Plan: which processes an area runs, and which peers it has to do without."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Callable

from kit.process import Process, Unavailable
from kit.results import Results

LEAST_ROUNDS = 3


class Plan:
    """Filled by an area's fill(). `bench` is the source folder, `build` that of the binaries; in a
    `quick` run an area leaves out what takes long."""

    def __init__(self, bench: Path, build: Path, quick: bool):
        self.bench = bench
        self.build = build
        self.quick = quick
        self.processes: list[Process] = []
        self.unavailable: dict[str, str] = {}  # peer -> why

    def add(self, process: Process) -> None:
        self.processes.append(process)

    def try_to_add(self, peers: list[str], make: Callable[[], list[Process]]) -> None:
        """Add what `make` returns, unless it raises Unavailable."""
        try:
            self.processes += make()
        except Unavailable as why:
            self.unavailable.update({peer: str(why) for peer in peers})

    def run(self, results: Results, deadline: float) -> tuple[int, dict[str, str]]:
        """Run every process once per round, in a random order, so that a clock that drifts meets
        all alike. Ends before time.monotonic() is `deadline`, if it can. Returns the number of
        rounds and what the processes said they are made of."""
        context: dict[str, str] = {}
        for peer, why in self.unavailable.items():
            results.skip(peer, why)
        waiting = list(self.processes)
        rounds = 0
        longest = 0.0
        while rounds < LEAST_ROUNDS or time.monotonic() + longest < deadline:
            begin = time.monotonic()
            results.round = rounds
            random.shuffle(waiting)
            for process in list(waiting):
                if process.rounds is not None and rounds >= process.rounds:
                    continue
                try:
                    process.measure(results, context)
                except Unavailable as why:
                    if process.required:
                        sys.exit(f"{process.command[0]}: {why}")
                    waiting.remove(process)
                    for peer in process.peers:
                        results.skip(peer, str(why))
            rounds += 1
            longest = max(longest, time.monotonic() - begin)
        results.separate()
        return rounds, context
