// Rust's connection pools in the scenarios of ours; see ../../conns for what each one is.
//
// SPDX-License-Identifier: Apache-2.0
mod blocking;
mod report;
mod tasks;
mod team;

use report::Row;

/// An acquire and a release are a pair; so many are made per CPU that is used.
const PAIRS: usize = 100_000;
const CHUNK: usize = 1_000;

/// (name, threads or tasks, connections)
const SHAPES: [(&str, usize, usize); 4] = [
    ("pair_1t", 1, 8),
    ("pair_2t", 2, 8),
    ("pair_8t", 8, 8),
    ("busy_32t", 32, 10),
];

fn pairs(threads: usize) -> usize {
    PAIRS * threads.min(2)
}

fn main() {
    team::make_sleep_exact();
    let mut rows = Vec::new();
    for (scenario, threads, most) in SHAPES {
        rows.push(Row::new(scenario, "r2d2", move |_| {
            blocking::pairs(threads, most)
        }));
        rows.push(Row::new(scenario, "deadpool", move |_| {
            tasks::pairs(threads, most)
        }));
    }
    rows.push(Row::new("hold_32t", "r2d2", |counters| {
        blocking::hold(32, 10, counters)
    }));
    report::run(rows);
}
