//! Subpools, several pools, the pacer, what can be seen, and the stop that can be polled, from Rust,
//! through `extern "C"`, against the installed library.
//!
//! SPDX-License-Identifier: Apache-2.0

#[macro_use]
mod layout;
#[allow(dead_code)] // ../workers.rs uses the rest
mod workers_api;

use layout::Layout;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_short, c_ulong};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::thread::sleep;
use std::time::{Duration, Instant};
use workers_api::*;

c_struct!("pool_workers_running", Running {
    size: usize,
    name: *const c_char,
    arg: Pointer,
    age: i64,
    worker: u32,
    cancelled: i32,
});

c_struct!("pool_workers_histogram", Histogram {
    size: usize,
    count: u64,
    sum: u64,
    most: u64,
    buckets: [u64; 48],
});

pub type Multi = *mut Opaque;
pub type Pacer = *mut Opaque;
pub type RunningFn = Option<extern "C" fn(*const Running, Pointer)>;
const ROUND_ROBIN: i32 = 1;
const RUN_TIME: i32 = 2;

#[link(name = "pool")]
extern "C" {
    fn pool_workers_create_sub(
        parent: Workers,
        options: *const WorkersOptions,
        out: *mut Workers,
    ) -> Status;
    fn pool_workers_multi_create(
        count: u32,
        balance: i32,
        options: *const WorkersOptions,
        out: *mut Multi,
    ) -> Status;
    fn pool_workers_multi_submit(multi: Multi, task: TaskFn, arg: Pointer) -> Status;
    fn pool_workers_multi_pool(multi: Multi, index: u32) -> Workers;
    fn pool_workers_multi_stop(
        multi: Multi,
        mode: i32,
        timeout: i64,
        report: *mut Report,
    ) -> Status;
    fn pool_workers_multi_destroy(multi: Multi) -> Status;
    fn pool_workers_pacer_create(distance: i64, out: *mut Pacer) -> Status;
    fn pool_workers_pacer_wait(pacer: Pacer, timeout: i64) -> Status;
    fn pool_workers_pacer_stop(pacer: Pacer) -> Status;
    fn pool_workers_pacer_destroy(pacer: Pacer);
    fn pool_workers_stop_async(pool: Workers, mode: i32, fd: *mut i32) -> Status;
    fn pool_workers_visit_running(
        pool: Workers,
        min_age: i64,
        visit: RunningFn,
        arg: Pointer,
    ) -> Status;
    fn pool_workers_get_histogram(pool: Workers, which: i32, histogram: *mut Histogram) -> Status;
    fn pool_workers_histogram_percentile(histogram: *const Histogram, percent: f64) -> i64;
}

#[repr(C)]
pub struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}
const POLLIN: c_short = 1;

extern "C" {
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
}

fn error() -> String {
    unsafe { CStr::from_ptr(pool_last_error()) }.to_string_lossy().into_owned()
}

fn bounds(max_workers: u32) -> WorkersOptions {
    unsafe {
        let mut options: WorkersOptions = std::mem::zeroed();
        assert_eq!(pool_workers_options_init(&mut options, size_of::<WorkersOptions>()), 0);
        options.max_workers = max_workers;
        options
    }
}

fn made(max_workers: u32) -> Workers {
    let mut pool = null_mut();
    assert_eq!(unsafe { pool_workers_create(&bounds(max_workers), &mut pool) }, 0, "{}", error());
    pool
}

fn succeeded(pool: Workers) -> u64 {
    unsafe {
        let mut stats: Stats = std::mem::zeroed();
        stats.size = size_of::<Stats>();
        assert_eq!(pool_workers_get_stats(pool, &mut stats), 0, "{}", error());
        stats.succeeded
    }
}

extern "C" fn add(sum: Pointer) {
    unsafe { &*(sum as *const AtomicI32) }.fetch_add(1, SeqCst);
}

/// A task waits at it from the moment at which it is 1 to that at which it is 2.
extern "C" fn hold(gate: Pointer) {
    let gate = unsafe { &*(gate as *const AtomicI32) };
    gate.store(1, SeqCst);
    while gate.load(SeqCst) != 2 {
        sleep(Duration::from_millis(1));
    }
}

fn await_task_at(gate: &AtomicI32) {
    while gate.load(SeqCst) != 1 {
        sleep(Duration::from_millis(1));
    }
}

fn pointer<T>(to: &T) -> Pointer {
    to as *const T as Pointer
}

fn no_report() -> Report {
    Report { size: size_of::<Report>(), ran: 0, discarded: 0, running: 0, waiting: 0 }
}

fn sharing() {
    let (pool, sum) = (made(2), AtomicI32::new(0));
    let mut sub = null_mut();
    unsafe {
        assert_eq!(pool_workers_create_sub(pool, &bounds(3), &mut sub), EINVAL);
        assert_eq!(pool_workers_create_sub(pool, &bounds(1), &mut sub), 0, "{}", error());
        for _ in 0..10 {
            assert_eq!(pool_workers_submit(sub, add, pointer(&sum)), 0);
        }
        assert_eq!(pool_workers_wait_idle(sub, FOREVER), 0);
        assert_eq!((sum.load(SeqCst), succeeded(sub), succeeded(pool)), (10, 10, 10));
        assert_eq!(pool_workers_destroy(pool), EMISUSE);
        assert_eq!((pool_workers_destroy(sub), pool_workers_destroy(pool)), (0, 0));
    }
}

fn taking_turns() {
    let (mut multi, mut report, sum) = (null_mut(), no_report(), AtomicI32::new(0));
    unsafe {
        assert_eq!(pool_workers_multi_create(2, ROUND_ROBIN, &bounds(1), &mut multi), 0);
        for _ in 0..11 {
            assert_eq!(pool_workers_multi_submit(multi, add, pointer(&sum)), 0, "{}", error());
        }
        assert_eq!(pool_workers_multi_stop(multi, DRAIN, FOREVER, &mut report), 0);
        assert_eq!((report.ran, sum.load(SeqCst)), (11, 11));
        assert_eq!(succeeded(pool_workers_multi_pool(multi, 0)), 6);
        assert_eq!(succeeded(pool_workers_multi_pool(multi, 1)), 5);
        assert_eq!(pool_workers_multi_destroy(multi), 0);
    }
}

fn pacing() {
    let (mut pacer, begun) = (null_mut(), Instant::now());
    unsafe {
        assert_eq!(pool_workers_pacer_create(SECOND / 200, &mut pacer), 0, "{}", error());
        for _ in 0..4 {
            assert_eq!(pool_workers_pacer_wait(pacer, FOREVER), 0);
        }
        assert!(begun.elapsed() >= Duration::from_millis(15));
        assert_eq!(pool_workers_pacer_stop(pacer), 0);
        assert_eq!(pool_workers_pacer_wait(pacer, FOREVER), ECLOSED);
        pool_workers_pacer_destroy(pacer);
    }
}

extern "C" fn see(task: *const Running, seen: Pointer) {
    let task = unsafe { &*task };
    assert_eq!(unsafe { CStr::from_ptr(task.name) }.to_bytes(), b"seen");
    unsafe { &*(seen as *const AtomicUsize) }.store(task.arg as usize, SeqCst);
}

fn looking() {
    let (pool, gate, seen) = (made(1), AtomicI32::new(0), AtomicUsize::new(0));
    let how = TaskOptions {
        size: size_of::<TaskOptions>(),
        name: b"seen\0".as_ptr().cast(),
        priority: 0,
        flags: 0,
        key: 7,
        start_within: 0,
        weight: 0,
    };
    unsafe {
        assert_eq!(pool_workers_start(pool, hold, pointer(&gate), &how, FOREVER, null_mut()), 0);
        await_task_at(&gate);
        let arg = pointer(&seen);
        assert_eq!(pool_workers_visit_running(pool, 3600 * SECOND, Some(see), arg), 0);
        assert_eq!(seen.load(SeqCst), 0);
        assert_eq!(pool_workers_visit_running(pool, 0, Some(see), arg), 0);
        assert_eq!(seen.load(SeqCst), pointer(&gate) as usize);
        gate.store(2, SeqCst);
        assert_eq!(pool_workers_wait_idle(pool, FOREVER), 0);
        let mut times: Histogram = std::mem::zeroed();
        times.size = size_of::<Histogram>();
        assert_eq!(pool_workers_get_histogram(pool, RUN_TIME, &mut times), 0, "{}", error());
        assert_eq!((times.count, times.buckets.iter().sum()), (1, 1));
        assert_eq!(pool_workers_histogram_percentile(&times, 50.0), times.most as i64);
        assert_eq!(pool_workers_histogram_percentile(null(), 50.0), 0);
        assert_eq!(pool_workers_destroy(pool), 0);
    }
}

fn stopping_polled() {
    let (pool, gate, sum) = (made(1), AtomicI32::new(0), AtomicI32::new(0));
    unsafe {
        assert_eq!(pool_workers_submit(pool, hold, pointer(&gate)), 0, "{}", error());
        assert_eq!(pool_workers_submit(pool, add, pointer(&sum)), 0, "{}", error());
        await_task_at(&gate);
        let mut poller = PollFd { fd: -1, events: POLLIN, revents: 0 };
        assert_eq!(pool_workers_stop_async(pool, DRAIN, &mut poller.fd), 0, "{}", error());
        assert_eq!((poll(&mut poller, 1, 0), sum.load(SeqCst)), (0, 0));
        gate.store(2, SeqCst);
        assert_eq!((poll(&mut poller, 1, 30_000), poller.revents), (1, POLLIN));
        let mut report = no_report();
        assert_eq!(pool_workers_stop(pool, DRAIN, 0, &mut report), 0);
        assert_eq!((report.ran, report.running, sum.load(SeqCst)), (2, 0, 1));
        assert_eq!(pool_workers_destroy(pool), 0);
    }
}

fn main() {
    let layout = Layout::read();
    Running::check_layout(&layout);
    Histogram::check_layout(&layout);
    sharing();
    taking_turns();
    pacing();
    looking();
    stopping_polled();
}
