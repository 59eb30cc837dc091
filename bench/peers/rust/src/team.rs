// Threads that do the same work at the same time; the Rust side of support/team.h, with the same
// rule: the clock runs from the last arrival to the last end. And how they hold a connection.
//
// SPDX-License-Identifier: Apache-2.0
use crate::report::Counters;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const SPINS: usize = 2_000;

/// Counts those who have arrived; the last one starts the clock.
pub struct Start {
    expected: usize,
    arrived: AtomicUsize,
    opened: Mutex<Option<Instant>>,
}

impl Start {
    pub fn new(expected: usize) -> Start {
        Start {
            expected,
            arrived: AtomicUsize::new(0),
            opened: Mutex::new(None),
        }
    }

    pub fn arrive(&self) {
        let mut opened = self.opened.lock().unwrap();
        if self.arrived.load(Ordering::Relaxed) + 1 == self.expected {
            *opened = Some(Instant::now());
        }
        self.arrived.fetch_add(1, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        self.arrived.load(Ordering::Acquire) == self.expected
    }

    /// Nanoseconds from the start to the last of `ends`.
    pub fn until(&self, ends: impl Iterator<Item = Instant>) -> f64 {
        let begin = self.opened.lock().unwrap().expect("all have arrived");
        ends.max().expect("an end").duration_since(begin).as_nanos() as f64
    }
}

/// Runs work(i) on `threads` new threads, i from 0. Nanoseconds.
pub fn run(threads: usize, work: impl Fn(usize) + Sync) -> f64 {
    let start = Start::new(threads);
    let ends: Vec<Instant> = thread::scope(|scope| {
        let member = |index| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.arrive();
                let mut spins = 0;
                while !start.is_open() {
                    spins += 1;
                    if spins > SPINS {
                        thread::yield_now()
                    } else {
                        spin_loop()
                    }
                }
                work(index);
                Instant::now()
            })
        };
        let team: Vec<_> = (0..threads).map(member).collect();
        team.into_iter().map(|one| one.join().unwrap()).collect()
    });
    start.until(ends.into_iter())
}

/// A sleep of this thread and of those that it will start ends when asked to, not up to 50 us
/// later.
pub fn make_sleep_exact() {
    if let Ok(own) = std::fs::read_link("/proc/thread-self") {
        let id = own
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let _ = std::fs::write(format!("/proc/{id}/timerslack_ns"), "1");
    }
}

const HOLD: Duration = Duration::from_micros(100);
const HOLDS: usize = 20_000;
const WAITED: u64 = 20_000; // nanoseconds; who took longer to acquire has waited in line

/// hold_<n>t; see conns/hold.cpp. Nanoseconds per pair.
pub fn hold<Lease>(
    threads: usize,
    most: usize,
    acquire: impl Fn() -> Lease + Sync,
    counters: &mut Counters,
) -> f64 {
    let begun = AtomicUsize::new(0);
    let all = Mutex::new((0, Vec::new()));
    let time = run(threads, |_| {
        let mut held = 0;
        let mut waits = Vec::with_capacity(HOLDS);
        while begun.fetch_add(1, Ordering::Relaxed) < HOLDS {
            let before = Instant::now();
            let lease = acquire();
            let begin = Instant::now();
            thread::sleep(HOLD);
            held += begin.elapsed().as_nanos() as u64;
            drop(lease);
            waits.push((begin - before).as_nanos() as u64);
        }
        let mut all = all.lock().unwrap();
        all.0 += held;
        all.1
            .extend(waits.into_iter().filter(|wait| *wait > WAITED));
    });
    let (held, mut waits) = all.into_inner().unwrap();
    waits.sort_unstable();
    counters.push(("used", held as f64 / (most as f64 * time)));
    if let Some(longest) = waits.last() {
        counters.push(("wait_median", waits[waits.len() / 2] as f64));
        counters.push(("wait_longest", *longest as f64));
    }
    time / HOLDS as f64
}
