# SPDX-License-Identifier: Apache-2.0
"""The buffer pool beside allocators, a lock, and Go's bytebufferpool, bpool and bucketpool."""

from __future__ import annotations

from kit import golang, linker
from kit.goals import Goal
from kit.plan import Plan
from kit.process import Process
from kit.results import Row, Scenario

OWN = "pool"
KIBS = (4, 64, 256)
ALLOCATORS = ("glibc", "jemalloc", "mimalloc", "tcmalloc")

SCENARIOS = [
    *(Scenario(f"pair_{kib}k_{n}t", "ns/pair", f"get + put of {kib} KiB, {n} thread{'s'[:n - 1]}")
      for kib in KIBS for n in (1, 8)),
    *(Scenario(f"buf_{n}t", "ns/buffer", f"ten appends of 100 bytes, {n} thread{'s'[:n - 1]}")
      for n in (1, 2, 8)),
    *(Scenario(f"bounded_{n}t", "ns/pair", f"get + put, at most 64 idle, {n} thread{'s'[:n - 1]}")
      for n in (1, 2)),
    Scenario("hadoop", "ns/buffer", "sizes of a Hadoop cluster, handed on, 8 threads"),
    Scenario("rpc", "ns/buffer", "sizes of Google's RPCs, handed on, 8 threads"),
    Scenario("hadoop_memory.rss", "MiB", "most memory while all is written", 1 / 2**20),
    Scenario("burst.live", "KiB", "in use, 60 s after a burst of 1 GiB", 1 / 1024),
    Scenario("burst.retained", "KiB", "that and what is kept", 1 / 1024),
    Scenario("burst.rss", "KiB", "resident memory then", 1 / 1024),
]

# The scenarios that a plot shows unless told otherwise.
PLOTS = ["pair_4k_8t", "pair_256k_8t", "buf_1t", "bounded_2t", "hadoop", "hadoop_memory.rss"]

# Where time is measured, each allocator has the fastest of the settings that were tried on "hadoop":
# memory is not given back while it runs, and glibc's is not taken page by page from the kernel.
# Where memory is measured they have their defaults, with which they take less.
SETTINGS = {
    "glibc": {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "2147483648"},
    "jemalloc": {"MALLOC_CONF": "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:-1"},
    "mimalloc": {"MIMALLOC_PAGE_RESET": "0", "MIMALLOC_SEGMENT_RESET": "0"},
    "tcmalloc": {"TCMALLOC_RELEASE_RATE": "0"},
}
LIBRARIES = {"jemalloc": "libjemalloc.so", "mimalloc": "libmimalloc.so",
             "tcmalloc": "libtcmalloc_minimal.so"}
GO = ["bytebufferpool", "bpool", "bucketpool", "sync.Pool"]


def ratio(scenario: str, above: str, below: str, relation: str, bound: float) -> Goal:
    return Goal(f"buffers:{scenario}:{above}/{below}", Row(scenario, above), Row(scenario, below),
                relation, bound)


GOALS = [
    *(ratio(f"pair_{kib}k_{n}t", "pool", "objects", "<=", 1.3) for kib in KIBS for n in (1, 8)),
    *(ratio(f"pair_{kib}k_{n}t", peer, "pool", ">=",
            10.0 if peer == "jemalloc" and kib >= 64 else 1.0)
      for kib in KIBS for n in (1, 8) for peer in ALLOCATORS),
    *(ratio(f"buf_{n}t", "bytebufferpool", "pool", ">=", 2.5) for n in (1, 2, 8)),
    ratio("bounded_2t", "bpool", "pool", ">=", 5.0),
    *(ratio("hadoop", peer, "pool", ">=", 1.5) for peer in ALLOCATORS),
    *(ratio("hadoop_memory.rss", "pool", peer, "<=", 1.1) for peer in ALLOCATORS),
    Goal("buffers:burst:retained/live", Row("burst.retained", "pool"), Row("burst.live", "pool"),
         "<=", 1.2),
]


def fill(plan: Plan) -> None:
    binary = str(plan.build / "bench_buffers")

    def benchmark(rows: str, repetitions: int) -> list[str]:
        return [binary, f"--benchmark_filter={rows}", "--benchmark_format=json",
                f"--benchmark_repetitions={repetitions}",
                "--benchmark_enable_random_interleaving=true"]

    def alone(peer: str, subject: str, **settings) -> list[Process]:
        """Rows that look at the memory of their process."""
        return [Process([peer], benchmark(f"^{row}/{subject}/", 1), rounds=3, **settings)
                for row in ("hadoop_memory", "burst")]

    # Allocators keep what earlier rows left behind, so they have processes of their own.
    plan.add(Process(["pool"], benchmark("-(/malloc/|^hadoop_memory|^burst)", 5), required=True,
                     notes={key: key for key in ("libpool", "compiler", "libc")}))
    for process in alone("pool", "pool"):
        plan.add(process)

    def malloc(peer: str) -> list[Process]:
        preload = ({"LD_PRELOAD": linker.library(LIBRARIES[peer])} if peer in LIBRARIES else {})
        names = {"names": {"malloc": peer}, "expect": ("malloc", peer)}
        fast = {"environment": preload | SETTINGS[peer], **names}
        return [
            Process([peer], benchmark("^(pair|buf).*/malloc/", 5), notes={"malloc": peer}, **fast),
            Process([peer], benchmark("^(hadoop|rpc)/malloc/", 3), **fast),
        ] + alone(peer, "malloc", environment=preload, **names)

    for peer in ALLOCATORS:
        plan.try_to_add([peer], lambda peer=peer: malloc(peer))

    def go() -> list[Process]:
        program = golang.build(plan.bench / "peers/go", "buffers", plan.build / "go_buffers")
        return [
            Process(GO, [program, "-filter=_.t/", "-repetitions=5"],
                    notes={key: key for key in ("go", "gomaxprocs")})
        ] + [Process([peer], [program, f"-filter=^burst/{peer}$"], rounds=3)
             for peer in ("bytebufferpool", "sync.Pool")]

    plan.try_to_add(GO, go)
