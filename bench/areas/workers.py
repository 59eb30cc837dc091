# SPDX-License-Identifier: Apache-2.0
"""The worker pool beside those of C++ and Go, and what one writes by hand."""

from __future__ import annotations

from kit import cmake, golang, pypi
from kit.goals import AtLeast, Goal
from kit.plan import Plan
from kit.process import Process, Unavailable
from kit.results import Row, Scenario

OWN = "pool"
SUBMITTERS = (1, 2, 4, 8)
LENGTHS = (1, 10, 100)  # microseconds

SCENARIOS = [
    *(Scenario(f"flood_{n}s", "ns/task", f"empty tasks from {n} thread{'s'[:n - 1]}, 2 workers")
      for n in SUBMITTERS),
    Scenario("bulk_1000", "ns/task", "empty tasks, 1,000 with each call"),
    Scenario("forkjoin_20", "ns/task", "each task spawns two and waits, 20 levels deep"),
    Scenario("wake", "us", "from submit to start, all workers asleep", 1 / 1000),
    Scenario("wake.futex", "us", "the bare wake of a sleeping thread, in turns with that", 1 / 1000),
    Scenario("wake.ratio", "of futex", "the one by the other"),
    *(Scenario(key, unit, f"tasks of {n} us, {title}", scale) for n in LENGTHS
      for key, unit, title, scale in (
          (f"work_{n}us", "us/task", "2 workers", 1 / 1000),
          (f"work_{n}us.overhead", "of ideal", "their time by that of perfect scaling", 1.0))),
    Scenario("steady_allocs.first", "calls", "for memory, during the first million submits"),
    Scenario("steady_allocs.second", "calls", "for memory, during the second million"),
    Scenario("idle.switches", "switches", "of an idle pool's threads, in 10 s or 2 s if quick"),
]

# The scenarios that a plot shows unless told otherwise.
PLOTS = ["flood_1s", "flood_8s", "forkjoin_20", "wake", "work_10us.overhead"]

# Two C++ peers are headers that no distribution packages. Packages of Python bring them along.
HEADERS = {
    "taskflow": ("rapidfuzz", "3.14.6", "extern/taskflow/taskflow"),  # Taskflow 3.9.0
    "bs": ("pyslang", "12.1.0", "external/BS_thread_pool.hpp"),  # BS::thread_pool 5.1.0
}
GO = ["channel", "goroutine", "ants", "gammazero"]
POND = ["pond", "pond_submit"]


def ratio(scenario: str, above: str, below: str, relation: str, bound: float) -> Goal:
    return Goal(f"workers:{scenario}:{above}/{below}", Row(scenario, above), Row(scenario, below),
                relation, bound)


def own(name: str, above: str, below: str | AtLeast | float, relation: str, bound: float) -> Goal:
    """Of two rows of the pool, or of one and a number."""
    return Goal(f"workers:{name}", Row(above, OWN),
                Row(below, OWN) if isinstance(below, str) else below, relation, bound)


GOALS = [
    ratio("flood_1s", "channel", "pool", ">=", 1.5),
    *(ratio("flood_1s", peer, "pool", ">=", 5.0) for peer in ("ants", "pond")),
    *(ratio("flood_1s", peer, "pool", ">=", 4.0) for peer in ("oneTBB", "BS", "Taskflow")),
    own("flood:8s/1s", "flood_8s", "flood_1s", "<=", 1.3),
    # Half of a single submit, or 12 ns: one of them is enough.
    own("bulk_1000:bulk/single_or_24ns", "bulk_1000", AtLeast(Row("flood_1s", OWN), 24.0),
        "<=", 0.5),
    ratio("forkjoin_20", "oneTBB", "pool", ">=", 1.0),
    own("wake:pool/futex", "wake.ratio", 1.0, "<=", 1.2),
    own("work_10us:pool/ideal", "work_10us.overhead", 1.0, "<=", 1.05),
    own("steady_allocs:calls", "steady_allocs.second", 1.0, "<=", 0.0),
    own("idle:switches", "idle.switches", 1.0, "<=", 0.0),
]


def fill(plan: Plan) -> None:
    few = 1 if plan.quick else 3  # rounds, for what no goal asks for

    def benchmark(program: str, rows: str, repetitions: int) -> list[str]:
        return [str(plan.build / program), f"--benchmark_filter={rows}", "--benchmark_format=json",
                f"--benchmark_repetitions={repetitions}",
                "--benchmark_enable_random_interleaving=true"]

    plan.add(Process(["pool"], benchmark("bench_workers", "^(flood|bulk|forkjoin)", 2),
                     required=True, notes={key: key for key in ("libpool", "compiler", "libc")}))
    plan.add(Process(["pool"], benchmark("bench_workers", "^(wake|work_.*)/pool/", 1)))
    plan.add(Process(["mutex_condvar"],
                     benchmark("bench_workers", "^(wake|work_.*)/mutex_condvar/", 1), rounds=few))
    plan.add(Process(["pool"], benchmark("bench_workers", "^steady", 1), rounds=1))
    plan.add(Process(["pool"], benchmark("bench_workers", "^idle", 1), rounds=1,
                     environment={"BENCH_IDLE_SECONDS": "2" if plan.quick else "10"}))

    # Peers with threads of their own, which may outlive the rows that they were started for.
    def cpp(peers: list[str], program: str, note: str) -> list[Process]:
        goals = f"^(flood_1s|forkjoin_20|work_10us)/{peers[0]}/"
        return [Process(peers[:1], benchmark(program, goals, 1 if plan.quick else 2),
                        notes={note: note}),
                Process(peers, benchmark(program, f"-{goals}", 1), rounds=few)]

    def onetbb() -> list[Process]:
        if not (plan.build / "bench_workers_onetbb").exists():
            raise Unavailable("oneTBB was not there when the benchmark was built")
        return cpp(["oneTBB", "oneTBB_enqueue"], "bench_workers_onetbb", "onetbb")

    def header_only(peer: str, name: str) -> list[Process]:
        pypi.headers(*HEADERS[name], plan.build / "headers" / name)
        cmake.build(plan.build, f"bench_workers_{name}")
        return cpp([peer], f"bench_workers_{name}", name)

    plan.try_to_add(["oneTBB", "oneTBB_enqueue"], onetbb)
    plan.try_to_add(["Taskflow"], lambda: header_only("Taskflow", "taskflow"))
    plan.try_to_add(["BS"], lambda: header_only("BS", "bs"))

    def go(package: str, name: str, peers: list[str], goals: str) -> list[Process]:
        program = golang.build(plan.bench / "peers/go", package, plan.build / name)
        return [Process(peers, [program, f"-filter={goals}"],
                        notes={key: key for key in ("go", "gomaxprocs")}),
                Process(peers, [program, "-filter="], rounds=few)]

    plan.try_to_add(GO, lambda: go("workers", "go_workers", GO, "^flood_1s/(channel|ants)$"))
    plan.try_to_add(POND, lambda: go("workers/pond", "go_pond", POND, "^flood_1s/pond$"))
