//! Worker pools from Rust, through `extern "C"`, with callbacks of its own, against the installed
//! library. A task must not unwind: `run_boxed` shows how a panic becomes a failure.
//!
//! SPDX-License-Identifier: Apache-2.0

#[macro_use]
mod layout;
mod workers_api;

use layout::Layout;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use workers_api::*;

fn error() -> String {
    unsafe { CStr::from_ptr(pool_last_error()) }.to_string_lossy().into_owned()
}

fn pause_ms(ms: u64) {
    sleep(Duration::from_millis(ms));
}

/// A closure that is run, or dropped, once: the `arg` of every task here.
pub struct Boxed(Box<dyn FnOnce() + Send>);

fn boxed(task: impl FnOnce() + Send + 'static) -> Pointer {
    Box::into_raw(Box::new(Boxed(Box::new(task)))).cast()
}

extern "C" fn run_boxed(task: Pointer) {
    let task = unsafe { Box::from_raw(task as *mut Boxed) };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(task.0)) {
        let text = panic.downcast_ref::<&str>().copied().unwrap_or("a panic");
        let text = [text.as_bytes(), b"\0"].concat();
        unsafe { pool_workers_self_fail(101, text.as_ptr().cast()) };
    }
}

/// What the callbacks of a pool were told.
#[derive(Default)]
struct Told {
    threads: AtomicI32,
    exited: AtomicI32,
    dropped: AtomicI32,
    drop_status: AtomicI32,
    failed: AtomicI32,
    code: AtomicI32,
    begun: AtomicI32,
    ended: AtomicI32,
    named: AtomicI32,
}

fn told<'a>(ctx: Pointer) -> &'a Told {
    unsafe { &*(ctx as *const Told) }
}

extern "C" fn on_thread_start(ctx: Pointer) {
    told(ctx).threads.fetch_add(1, SeqCst);
}
extern "C" fn on_thread_exit(ctx: Pointer) {
    told(ctx).exited.fetch_add(1, SeqCst);
}
extern "C" fn on_drop(task: Pointer, status: Status, ctx: Pointer) {
    drop(unsafe { Box::from_raw(task as *mut Boxed) });
    told(ctx).drop_status.store(status, SeqCst);
    told(ctx).dropped.fetch_add(1, SeqCst);
}
extern "C" fn on_failed(_task: Pointer, code: i32, message: *const c_char, ctx: Pointer) {
    assert_eq!(unsafe { CStr::from_ptr(message) }.to_bytes(), b"no luck");
    told(ctx).code.store(code, SeqCst);
    told(ctx).failed.fetch_add(1, SeqCst);
}
extern "C" fn on_task_begin(name: *const c_char, _task: Pointer, ctx: Pointer) {
    if unsafe { CStr::from_ptr(name) }.to_bytes() == b"named" {
        told(ctx).named.fetch_add(1, SeqCst);
    }
    told(ctx).begun.fetch_add(1, SeqCst);
}
extern "C" fn on_task_end(_name: *const c_char, _task: Pointer, ctx: Pointer) {
    told(ctx).ended.fetch_add(1, SeqCst);
}

fn options() -> WorkersOptions {
    unsafe {
        let mut options: WorkersOptions = std::mem::zeroed();
        assert_eq!(pool_workers_options_init(&mut options, size_of::<WorkersOptions>()), 0);
        options
    }
}

fn created(options: &WorkersOptions) -> Workers {
    let mut pool = null_mut();
    assert_eq!(unsafe { pool_workers_create(options, &mut pool) }, 0, "{}", error());
    pool
}

fn made(told: &Told, mut options: WorkersOptions) -> Workers {
    options.on_thread_start = Some(on_thread_start);
    options.on_thread_exit = Some(on_thread_exit);
    options.on_drop = Some(on_drop);
    options.on_failed = Some(on_failed);
    options.on_task_begin = Some(on_task_begin);
    options.on_task_end = Some(on_task_end);
    options.ctx = told as *const _ as Pointer;
    created(&options)
}

fn submit(pool: Workers, task: impl FnOnce() + Send + 'static) -> Status {
    unsafe { pool_workers_submit(pool, run_boxed, boxed(task)) }
}

fn wait_idle(pool: Workers) {
    assert_eq!(unsafe { pool_workers_wait_idle(pool, FOREVER) }, 0, "{}", error());
}

/// Occupies a worker until it is opened.
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn hold(pool: Workers) -> Gate {
        let (begun, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (has_begun, is_open) = (begun.clone(), open.clone());
        let held = submit(pool, move || {
            has_begun.store(true, SeqCst);
            while !is_open.load(SeqCst) {
                pause_ms(1);
            }
        });
        assert_eq!(held, 0, "{}", error());
        while !begun.load(SeqCst) {
            pause_ms(1);
        }
        Gate(open)
    }
    fn open(&self) {
        self.0.store(true, SeqCst);
    }
}

fn stats(pool: Workers) -> Stats {
    unsafe {
        let mut stats: Stats = std::mem::zeroed();
        stats.size = size_of::<Stats>();
        assert_eq!(pool_workers_get_stats(pool, &mut stats), 0, "{}", error());
        stats
    }
}

fn no_info() -> TaskInfo {
    let mut info: TaskInfo = unsafe { std::mem::zeroed() };
    info.size = size_of::<TaskInfo>();
    info
}

fn info_of(task: Task) -> TaskInfo {
    let mut info = no_info();
    assert_eq!(unsafe { pool_workers_task_get_info(task, &mut info) }, 0, "{}", error());
    info
}

fn message(info: &TaskInfo) -> &[u8] {
    unsafe { CStr::from_ptr(info.message.as_ptr()) }.to_bytes()
}

fn cancel(task: Task) -> i32 {
    let mut answer = 0;
    assert_eq!(unsafe { pool_workers_task_cancel(task, &mut answer) }, 0, "{}", error());
    answer
}

fn submitting() {
    let told = Told::default();
    let (sum, token) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
    let add = |number: usize| {
        let (sum, token) = (sum.clone(), token.clone());
        move || {
            let _ = &token;
            sum.fetch_add(number, SeqCst);
        }
    };
    let bounds = WorkersOptions {
        name: b"rust\0".as_ptr().cast(),
        max_workers: 1,
        queue_capacity: 3,
        full: DROP_NEWEST,
        ..options()
    };
    let pool = made(&told, bounds);
    let gate = Gate::hold(pool);
    let items = [1, 2].map(|number| Item { task: run_boxed, arg: boxed(add(number)) });
    unsafe {
        let mut accepted = 0;
        assert_eq!(pool_workers_submit_bulk(pool, items.as_ptr(), 2, 0, &mut accepted), 0);
        assert_eq!(accepted, 2);
        assert_eq!(submit(pool, add(4)), 0);
        let refused = boxed(add(8));
        assert_eq!(pool_workers_try_submit(pool, run_boxed, refused), EFULL, "{}", error());
        drop(Box::from_raw(refused as *mut Boxed)); // it was not taken
        assert_eq!((submit(pool, add(16)), told.dropped.load(SeqCst)), (0, 1));
        assert_eq!(told.drop_status.load(SeqCst), EFULL);
        gate.open();
        wait_idle(pool);
        assert_eq!((sum.load(SeqCst), Arc::strong_count(&token)), (7, 1));
        assert_eq!(pool_workers_run(pool, run_boxed, boxed(add(32)), FOREVER), 0);
        assert_eq!(sum.load(SeqCst), 39);
        assert_eq!(pool_workers_resize(pool, 2, 1), EINVAL);
        assert_eq!(pool_workers_resize(pool, 0, 2), 0);
        wait_idle(pool);
        let now = stats(pool);
        assert_eq!((now.max_workers, now.dropped, now.waiting, now.running), (2, 1, 0, 0));
        assert_eq!(now.submitted, now.succeeded + now.dropped);
        assert_eq!(pool_workers_destroy(pool), 0);
    }
    assert_eq!(told.threads.load(SeqCst), told.exited.load(SeqCst));
    assert_eq!(told.begun.load(SeqCst), told.ended.load(SeqCst));
}

fn start(pool: Workers, task: impl FnOnce() + Send + 'static, options: TaskOptions) -> Task {
    let mut handle = null_mut();
    let status = unsafe {
        pool_workers_start(pool, run_boxed, boxed(task), &options, FOREVER, &mut handle)
    };
    assert_eq!(status, 0, "{}", error());
    handle
}

fn handling() {
    let told = Told::default();
    let pool = made(&told, WorkersOptions { max_workers: 1, ..options() });
    let plain = TaskOptions {
        size: size_of::<TaskOptions>(),
        name: null(),
        priority: 0,
        flags: 0,
        key: 0,
        start_within: 0,
        weight: 0,
    };
    let named = TaskOptions { name: b"named\0".as_ptr().cast(), priority: 1, ..plain };
    unsafe {
        let address = pool as usize;
        let task = start(
            pool,
            move || {
                assert_eq!(pool_workers_self_pool() as usize, address);
                pool_workers_self_result(Box::into_raw(Box::new(77)).cast());
            },
            named,
        );
        assert_eq!(pool_workers_task_wait(task, FOREVER), 0, "{}", error());
        assert_eq!(*Box::from_raw(pool_workers_task_result(task) as *mut i32), 77);
        assert_eq!((cancel(task), info_of(task).state), (TOO_LATE, SUCCEEDED));
        assert_eq!(told.named.load(SeqCst), 1);
        pool_workers_task_release(task);

        let task = start(pool, || std::panic::resume_unwind(Box::new("no luck")), plain);
        assert_eq!(pool_workers_task_wait(task, FOREVER), ETASK);
        assert!(error().contains("no luck"));
        let info = info_of(task);
        assert_eq!((info.state, info.status, info.code), (FAILED, ETASK, 101));
        assert_eq!(message(&info), b"no luck");
        assert_eq!((told.failed.load(SeqCst), told.code.load(SeqCst)), (1, 101));
        pool_workers_task_release(task);

        // The three answers; the one that is too late is above.
        let work = || {
            while pool_workers_self_cancelled() == 0 {
                pause_ms(1);
            }
            assert_eq!(pool_workers_self_commit(), 0);
        };
        let mut task = null_mut();
        let status =
            pool_workers_start_now(pool, run_boxed, boxed(work), &plain, FOREVER, &mut task);
        assert_eq!((status, info_of(task).state), (0, RUNNING));
        assert_eq!(pool_workers_task_wait(task, 1_000_000), ETIMEDOUT);
        let waiting = start(pool, || unreachable!(), plain);
        assert_eq!((info_of(waiting).state, cancel(waiting)), (QUEUED, REMOVED));
        assert_eq!(told.drop_status.load(SeqCst), ECANCELED);
        assert_eq!(pool_workers_task_wait(waiting, FOREVER), ECANCELED);
        assert_eq!(cancel(task), FLAGGED);
        assert_eq!(pool_workers_task_wait(task, FOREVER), ECANCELED);
        assert_eq!((info_of(task).state, info_of(task).cancelled), (CANCELLED, 1));

        let gate = Gate::hold(pool);
        let late = start(pool, || unreachable!(), TaskOptions { start_within: 1, ..plain });
        gate.open();
        assert_eq!(pool_workers_task_wait(late, FOREVER), ECANCELED);
        assert_eq!(pool_workers_destroy(pool), 0);
        assert_eq!((info_of(late).state, told.dropped.load(SeqCst)), (DROPPED, 2));
        for task in [task, waiting, late] {
            pool_workers_task_release(task); // they outlive their pool
        }
    }
}

fn group(pool: Workers, flags: u32) -> Group {
    let size = size_of::<GroupOptions>();
    let options = GroupOptions { size, flags, priority: 0, within: 0, name: null() };
    let mut group = null_mut();
    assert_eq!(unsafe { pool_workers_group_create(pool, &options, &mut group) }, 0, "{}", error());
    group
}

fn grouping() {
    let told = Told::default();
    let pool = made(&told, WorkersOptions { max_workers: 1, ..options() });
    let ran = Arc::new(AtomicUsize::new(0));
    let square = |number: usize| {
        let ran = ran.clone();
        boxed(move || {
            ran.fetch_add(1, SeqCst);
            unsafe { pool_workers_self_result((number * number) as Pointer) };
            assert!(number != 3, "no luck");
        })
    };
    std::panic::set_hook(Box::new(|_| {})); // those that are meant to happen say nothing
    unsafe {
        let all = group(pool, KEEP_GOING | RESULTS);
        for number in 1..6 {
            assert_eq!(pool_workers_group_submit(all, run_boxed, square(number)), 0);
        }
        let mut info = no_info();
        assert_eq!(pool_workers_group_wait(all, FOREVER), ETASK);
        for index in 0..5 {
            assert_eq!(pool_workers_group_result(all, index, &mut info), 0);
            assert_eq!(info.result as usize, (index + 1) * (index + 1));
            assert_eq!(info.status, if index == 2 { ETASK } else { 0 });
        }
        let (mut index, mut seen) = (0, 0);
        while pool_workers_group_next(all, FOREVER, &mut index, &mut info) == 0 {
            seen |= 1 << index;
        }
        assert_eq!((seen, pool_workers_destroy(pool)), (31, EMISUSE));
        assert_eq!(pool_workers_group_destroy(all), 0);

        let until_failure = group(pool, 0);
        ran.store(0, SeqCst);
        let gate = Gate::hold(pool);
        for number in 2..6 {
            assert_eq!(pool_workers_group_submit(until_failure, run_boxed, square(number)), 0);
        }
        gate.open();
        assert_eq!(pool_workers_group_wait(until_failure, FOREVER), ETASK, "{}", error());
        assert_eq!((ran.load(SeqCst), told.dropped.load(SeqCst)), (2, 2));
        assert_eq!(pool_workers_group_cancel(until_failure), 0);
        let refused = square(7);
        assert_eq!(pool_workers_group_submit(until_failure, run_boxed, refused), ECANCELED);
        drop(Box::from_raw(refused as *mut Boxed));
        assert_eq!(pool_workers_group_destroy(until_failure), 0);
        assert_eq!(pool_workers_destroy(pool), 0);
    }
    drop(std::panic::take_hook());
}

/// A worker's state.
#[derive(Default)]
struct Machine {
    processed: i32,
    interrupted: AtomicBool,
}

static MACHINES: AtomicI32 = AtomicI32::new(0);
static READIED: AtomicI32 = AtomicI32::new(0);

extern "C" fn state_new(state: *mut Pointer, _ctx: Pointer) -> Status {
    MACHINES.fetch_add(1, SeqCst);
    unsafe { *state = Box::into_raw(Box::<Machine>::default()).cast() };
    0
}
extern "C" fn ready(_state: Pointer, _ctx: Pointer) {
    READIED.fetch_add(1, SeqCst);
}
/// A payload of 99 takes until it is interrupted.
extern "C" fn process(payload: Pointer, state: Pointer, _ctx: Pointer) -> Pointer {
    let machine = state as *mut Machine;
    unsafe {
        assert_eq!(pool_workers_self_state(), state);
        while payload as usize == 99 && !(*machine).interrupted.load(SeqCst) {
            pause_ms(1);
        }
        (*machine).processed += 1;
    }
    (payload as usize + 1) as Pointer
}
extern "C" fn interrupt(state: Pointer, _ctx: Pointer) {
    unsafe { &(*(state as *const Machine)).interrupted }.store(true, SeqCst);
}
extern "C" fn state_free(state: Pointer, _ctx: Pointer) {
    assert_eq!(unsafe { Box::from_raw(state as *mut Machine) }.processed, 11);
    MACHINES.fetch_sub(1, SeqCst);
}

fn processing() {
    let pool = created(&WorkersOptions {
        max_workers: 1,
        min_workers: 1,
        state_new: Some(state_new),
        ready: Some(ready),
        process: Some(process),
        interrupt: Some(interrupt),
        state_free: Some(state_free),
        ..options()
    });
    assert_eq!(MACHINES.load(SeqCst), 1);
    unsafe {
        let mut result = null_mut();
        for payload in 1..11 {
            let status = pool_workers_process(pool, payload as Pointer, FOREVER, &mut result);
            assert_eq!((status, result as usize), (0, payload + 1), "{}", error());
        }
        let status = pool_workers_process(pool, 99 as Pointer, SECOND / 50, &mut result);
        assert_eq!((status, result), (ETIMEDOUT, null_mut()));
        assert_eq!(pool_workers_destroy(pool), 0);
    }
    assert_eq!(MACHINES.load(SeqCst), 0);
    assert!(READIED.load(SeqCst) >= 11);
}

fn stop(pool: Workers, mode: i32, timeout: i64) -> (Status, Report) {
    let size = size_of::<Report>();
    let mut report = Report { size, ran: 0, discarded: 0, running: 0, waiting: 0 };
    (unsafe { pool_workers_stop(pool, mode, timeout, &mut report) }, report)
}

fn stopping() {
    let told = Told::default();
    let pool = made(&told, WorkersOptions { max_workers: 1, ..options() });
    let ran = Arc::new(AtomicUsize::new(0));
    let add = || {
        let ran = ran.clone();
        move || {
            ran.fetch_add(1, SeqCst);
        }
    };
    unsafe {
        assert_eq!(pool_workers_pause(pool, FOREVER), 0);
        assert_eq!(submit(pool, add()), 0);
        assert_eq!(pool_workers_wait_idle(pool, SECOND / 100), ETIMEDOUT);
        assert_eq!(ran.load(SeqCst), 0);
        assert_eq!(pool_workers_resume(pool), 0);
        wait_idle(pool);
        assert_eq!(ran.load(SeqCst), 1);

        let gate = Gate::hold(pool);
        for _ in 0..3 {
            assert_eq!(submit(pool, add()), 0);
        }
        let (status, report) = stop(pool, DISCARD, SECOND / 100);
        assert_eq!((status, report.running, report.waiting), (ETIMEDOUT, 1, 0));
        assert_eq!((report.discarded, told.dropped.load(SeqCst)), (3, 3));
        let refused = boxed(add());
        assert_eq!(pool_workers_submit(pool, run_boxed, refused), ECLOSED);
        drop(Box::from_raw(refused as *mut Boxed));
        assert_eq!(Arc::strong_count(&ran), 1);
        gate.open();
        let (status, report) = stop(pool, DRAIN, FOREVER);
        assert_eq!((status, report.ran, report.running), (0, 2, 0));
        assert_eq!(pool_workers_restart(pool), 0, "{}", error());
        assert_eq!(pool_workers_run(pool, run_boxed, boxed(add()), FOREVER), 0);
        assert_eq!(ran.load(SeqCst), 2);
        assert_eq!(pool_workers_destroy(pool), 0);
    }
}

fn main() {
    let layout = Layout::read();
    WorkersOptions::check_layout(&layout);
    Item::check_layout(&layout);
    Report::check_layout(&layout);
    TaskOptions::check_layout(&layout);
    TaskInfo::check_layout(&layout);
    GroupOptions::check_layout(&layout);
    Stats::check_layout(&layout);
    submitting();
    handling();
    grouping();
    processing();
    stopping();
}
