# SPDX-License-Identifier: Apache-2.0
"""The connection pool beside those of Go, Rust and Java, and what one writes by hand."""

from __future__ import annotations

from kit import golang, java, postgres, rust
from kit.goals import Best, Goal
from kit.plan import Plan
from kit.process import Process, Unavailable
from kit.results import Row, Scenario

OWN = "pool"

SCENARIOS = [
    Scenario("pair_1t", "ns/pair", "acquire + release, 1 thread"),
    Scenario("pair_2t", "ns/pair", "acquire + release, 2 threads"),
    Scenario("pair_8t", "ns/pair", "acquire + release, 8 threads, 8 connections"),
    Scenario("busy_32t", "ns/pair", "acquire + release, 32 threads, 10 connections"),
    Scenario("busy_32t.dialed", "conns", "connections opened for that"),
    Scenario("hold_32t", "us/pair", "32 threads hold one of 10 for 100 us", 1 / 1000),
    Scenario("hold_32t.used", "of time", "time that the 10 were with a holder"),
    Scenario("hold_32t.wait_median", "us", "half of those who waited waited for longer", 1 / 1000),
    Scenario("hold_32t.wait_longest", "us", "longest wait", 1 / 1000),
    Scenario("keyed_1", "ns/pair", "acquire + release, one key"),
    Scenario("keyed_10000", "ns/pair", "acquire + release, 10,000 keys in turns"),
    Scenario("keyed_memory.bytes", "bytes", "the pool's own memory per idle connection"),
    Scenario("slow_dial", "ns/pair", "acquire + release while another key is dialed"),
    Scenario("slow_dial.alone", "ns/pair", "the same while nothing is dialed"),
    Scenario("query_8t", "us/query", "SELECT 1, 8 threads, pooled", 1 / 1000),
    Scenario("query_8t.plain", "us/query", "SELECT 1 with a connection per thread", 1 / 1000),
    Scenario("query_8t.dial", "us/query", "SELECT 1 with a connection per query", 1 / 1000),
    Scenario("query_8t.overhead", "of query", "with the pool's own time by without"),
]

# The scenarios that a plot shows unless told otherwise.
PLOTS = ["pair_1t", "pair_2t", "pair_8t", "busy_32t", "hold_32t.used", "hold_32t.wait_longest"]

# A peer's name in its program -> in the table.
GO = {"database_sql": "database/sql", "puddle": "puddle", "channel": "channel",
      "guarded_channel": "guarded_channel"}
RUST = ["r2d2", "deadpool"]
JAVA = ["HikariCP"]

POOLS = ["database/sql", "puddle", "r2d2", "deadpool"]


def ratio(scenario: str, above: str, below: str, relation: str, bound: float) -> Goal:
    return Goal(f"conns:{scenario}:{above}/{below}", Row(scenario, above), Row(scenario, below),
                relation, bound)


def best(scenario: str, peers: list[str], bound: float, fair=()) -> Goal:
    return Goal(f"conns:{scenario}:best/pool", Best(tuple(Row(scenario, p) for p in peers), fair),
                Row(scenario, "pool"), ">=", bound)


def own(name: str, above: str, below: str | float, relation: str, bound: float) -> Goal:
    """Of two rows of the pool, or of one and a number."""
    return Goal(f"conns:{name}", Row(above, OWN),
                Row(below, OWN) if isinstance(below, str) else below, relation, bound)


# A channel does not bound the open connections. If more were opened than the others may, it was
# faster for having them, and does not count.
UNBOUNDED = ((Row("busy_32t", "guarded_channel"), Row("busy_32t.dialed", "guarded_channel"), 10.0),)

GOALS = [
    *(best(f"pair_{n}t", POOLS, 3.0) for n in (1, 2, 8)),
    *(ratio(f"pair_{n}t", peer, "pool", ">=", 1.5)
      for peer in ("HikariCP", "guarded_channel", "channel") for n in (1, 2, 8)),
    best("busy_32t", POOLS + ["HikariCP", "guarded_channel"], 2.0, UNBOUNDED),
    own("hold_32t:longest/median", "hold_32t.wait_longest", "hold_32t.wait_median", "<=", 3.0),
    own("hold_32t:used", "hold_32t.used", 1.0, ">=", 0.97),
    own("keyed:10000/1", "keyed_10000", "keyed_1", "<=", 2.0),
    own("keyed_memory:bytes/200", "keyed_memory.bytes", 200.0, "<=", 1.0),
    own("slow_dial:beside/alone", "slow_dial", "slow_dial.alone", "<=", 1.1),
    own("query_8t:pooled/query", "query_8t.overhead", 1.0, "<=", 1.01),
]


def fill(plan: Plan) -> None:
    def benchmark(program: str, rows: str, repetitions: int) -> list[str]:
        return [str(plan.build / program), f"--benchmark_filter={rows}", "--benchmark_format=json",
                f"--benchmark_repetitions={repetitions}",
                "--benchmark_enable_random_interleaving=true"]

    plan.add(Process(["pool"], benchmark("bench_conns", "^(pair|busy)", 3), required=True,
                     notes={key: key for key in ("libpool", "compiler", "libc")}))
    plan.add(Process(["pool"], benchmark("bench_conns", "^(hold|keyed_1|slow_dial)", 1)))
    plan.add(Process(["pool"], benchmark("bench_conns", "^keyed_memory", 1), rounds=1))

    def database() -> list[Process]:
        if not (plan.build / "bench_conns_postgres").exists():
            raise Unavailable("libpq was not there when the benchmark was built")
        return [Process(["postgres"], benchmark("bench_conns_postgres", "", 2),
                        environment=postgres.start(), notes={"postgres": "postgres"})]

    def go() -> list[Process]:
        program = golang.build(plan.bench / "peers/go", "conns", plan.build / "go_conns")
        return [Process(list(GO.values()), [program, "-repetitions=3"], names=GO,
                        notes={key: key for key in ("go", "gomaxprocs")})]

    def rust_pools() -> list[Process]:
        program = rust.build(plan.bench / "peers/rust", "bench-conns", plan.build / "rust")
        return [Process(RUST, [program, "--repetitions=3"], notes={"rust": "rust"})]

    def java_pools() -> list[Process]:
        command = java.build(plan.bench / "peers/java", "peers.Main", plan.build / "java")
        return [Process(JAVA, command + ["--repetitions=3"], notes={"java": "java"})]

    plan.try_to_add(["postgres"], database)
    plan.try_to_add(list(GO.values()), go)
    plan.try_to_add(RUST, rust_pools)
    plan.try_to_add(JAVA, java_pools)
    plan.unavailable["fatih/pool"] = "not to be had as a module; guarded_channel is made as it is"
