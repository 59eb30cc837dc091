# SPDX-License-Identifier: Apache-2.0
"""The object pool beside thread-local arrays, locks, allocators and Go's sync.Pool."""

from __future__ import annotations

from kit import golang, linker
from kit.goals import Goal
from kit.plan import Plan
from kit.process import Process
from kit.results import Row, Scenario

OWN = "pool"

SCENARIOS = [
    Scenario("pair_1t", "ns/pair", "get + put, 1 thread"),
    Scenario("pair_2t", "ns/pair", "get + put, 2 threads"),
    Scenario("pair_8t", "ns/pair", "get + put, 8 threads"),
    Scenario("burst_100", "ns/pair", "100 gets, then 100 puts"),
    Scenario("handoff", "ns/object", "one thread gets, another puts"),
    Scenario("handoff_far", "ns/object", "the same, CPUs far apart"),
    Scenario("handoff_used", "ns/object", "the same, objects written and read"),
    Scenario("handoff_used_far", "ns/object", "the same, CPUs far apart"),
    Scenario("handoff.created", "objects", "objects made during a hand-off of 500,000"),
    Scenario("factory.created", "objects", "objects made, 8 threads that hold 8 each at most"),
    Scenario("memory_2t.bytes", "KiB", "memory of the pool, 2 threads", 1 / 1024),
    Scenario("memory_1000t.bytes", "KiB", "memory of the pool, 1,000 threads", 1 / 1024),
    Scenario("memory_2t.rss", "KiB", "resident memory, 2 threads", 1 / 1024),
    Scenario("memory_1000t.rss", "KiB", "resident memory, 1,000 threads", 1 / 1024),
]

# The scenarios that a plot shows unless told otherwise.
PLOTS = ["pair_1t", "pair_2t", "pair_8t", "burst_100", "handoff", "handoff_used"]


# Larger thread caches: of four settings of jemalloc that were tried, the one with a clearly faster
# hand-off. Five of mimalloc's (large pages, NUMA nodes, commit and decommit) made no difference
# that stood out of the noise, so it runs with its defaults.
MALLOC_CONF = "tcache_nslots_small_max:2000,lg_tcache_nslots_mul:4"


def ratio(scenario: str, above: str, below: str, relation: str, bound: float) -> Goal:
    return Goal(f"objects:{scenario}:{above}/{below}", Row(scenario, above), Row(scenario, below),
                relation, bound)


GOALS = [
    *(ratio(f"pair_{n}t", "pool", "thread_local", "<=", 1.10) for n in (1, 2, 8)),
    *(ratio(f"pair_{n}t", "sync.Pool", "pool", ">=", 2.4) for n in (1, 2, 8)),
    *(ratio(f"pair_{n}t", "pool_fallback", "pool", "<=", 2.0) for n in (1, 2, 8)),
    ratio("burst_100", "pool", "thread_local", "<=", 1.3),
    ratio("burst_100", "sync.Pool", "pool", ">=", 2.5),
    ratio("handoff", "jemalloc", "pool", ">=", 3.0),
    ratio("handoff", "mimalloc", "pool", ">=", 2.0),
    ratio("handoff", "sync.Pool", "pool", ">=", 1.0),
    Goal("objects:memory:1000t/2t", Row("memory_1000t.bytes", "pool"),
         Row("memory_2t.bytes", "pool"), "<=", 1.05),
    Goal("objects:factory:created/64", Row("factory.created", "pool"), 64.0, "<=", 1.05,
         worst=True),
]


def fill(plan: Plan) -> None:
    binary = str(plan.build / "bench_objects")

    def benchmark(rows: str, repetitions: int) -> list[str]:
        return [binary, f"--benchmark_filter={rows}", "--benchmark_format=json",
                f"--benchmark_repetitions={repetitions}",
                "--benchmark_enable_random_interleaving=true"]

    # Allocators keep what earlier rows left behind, so they have processes of their own.
    plan.add(Process(["pool"], benchmark("-(/malloc/|^memory)", 5), required=True,
                     notes={key: key for key in ("libpool", "compiler", "libc")}))

    def malloc(peer: str, library: str | None = None) -> list[Process]:
        environment = {"MALLOC_CONF": MALLOC_CONF}
        if library is not None:
            environment["LD_PRELOAD"] = linker.library(library)
        settings = {"environment": environment, "names": {"malloc": peer},
                    "expect": ("malloc", peer)}
        return [
            Process([peer], benchmark("^(pair|burst|handoff).*/malloc/", 5),
                    notes={"malloc": peer}, **settings)
        ] + [
            Process([peer], benchmark(f"^memory_{threads}t/malloc/", 1), rounds=5, **settings)
            for threads in (2, 1000)
        ]

    plan.try_to_add(["glibc"], lambda: malloc("glibc"))
    plan.try_to_add(["jemalloc"], lambda: malloc("jemalloc", "libjemalloc.so"))
    plan.try_to_add(["mimalloc"], lambda: malloc("mimalloc", "libmimalloc.so"))

    for peer in ("pool", "thread_local", "threads"):
        for threads in (2, 1000):
            plan.add(Process([peer], benchmark(f"^memory_{threads}t/{peer}/", 1), rounds=5))

    def go() -> list[Process]:
        program = golang.build(plan.bench / "peers/go", "objects", plan.build / "go_objects")
        return [Process(["sync.Pool", "ring_go"], [program, "-repetitions=5"],
                        notes={key: key for key in ("go", "gomaxprocs")})]

    plan.try_to_add(["sync.Pool", "ring_go"], go)
