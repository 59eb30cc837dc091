//! What worker pools look like to Rust.
//!
//! SPDX-License-Identifier: Apache-2.0

use std::os::raw::{c_char, c_void};

pub type Status = i32;
pub type Pointer = *mut c_void;
pub type TaskFn = extern "C" fn(Pointer);
pub type HookFn = Option<extern "C" fn(Pointer)>;
pub type OfStateFn = Option<extern "C" fn(Pointer, Pointer)>;
pub type ObserverFn = Option<extern "C" fn(*const c_char, Pointer, Pointer)>;

pub const FOREVER: i64 = -1;
pub const SECOND: i64 = 1_000_000_000;
pub const EINVAL: Status = -1;
pub const ETIMEDOUT: Status = -4;
pub const ECANCELED: Status = -5;
pub const ECLOSED: Status = -6;
pub const EFULL: Status = -7;
pub const ETASK: Status = -13;
pub const EMISUSE: Status = -14;
pub const DROP_NEWEST: i32 = 3;
pub const QUEUED: i32 = 1;
pub const RUNNING: i32 = 2;
pub const SUCCEEDED: i32 = 3;
pub const FAILED: i32 = 4;
pub const CANCELLED: i32 = 5;
pub const DROPPED: i32 = 6;
pub const REMOVED: i32 = 1;
pub const FLAGGED: i32 = 2;
pub const TOO_LATE: i32 = 3;
pub const DRAIN: i32 = 1;
pub const DISCARD: i32 = 2;
pub const KEEP_GOING: u32 = 1;
pub const RESULTS: u32 = 2;

#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}
pub type Workers = *mut Opaque;
pub type Task = *mut Opaque;
pub type Group = *mut Opaque;

c_struct!("pool_workers_options", WorkersOptions {
    size: usize,
    name: *const c_char,
    max_workers: u32,
    min_workers: u32,
    queue_capacity: u64,
    stack_size: u64,
    on_thread_start: HookFn,
    on_thread_exit: HookFn,
    ctx: Pointer,
    ctx_free: HookFn,
    allocator: *const c_void,
    cpu_mode: i32,
    flags: u32,
    full: i32,
    max_blocked: u32,
    queue_bytes: u64,
    idle_timeout: i64,
    reap: i32,
    idle_order: i32,
    spawn_rate: u32,
    cpu_count: u32,
    cpus: *const u32,
    state_new: Option<extern "C" fn(*mut Pointer, Pointer) -> Status>,
    ready: OfStateFn,
    process: Option<extern "C" fn(Pointer, Pointer, Pointer) -> Pointer>,
    interrupt: OfStateFn,
    state_free: OfStateFn,
    on_drop: Option<extern "C" fn(Pointer, Status, Pointer)>,
    on_failed: Option<extern "C" fn(Pointer, i32, *const c_char, Pointer)>,
    on_task_begin: ObserverFn,
    on_task_end: ObserverFn,
});

c_struct!("pool_workers_item", Item {
    task: TaskFn,
    arg: Pointer,
});

c_struct!("pool_workers_report", Report {
    size: usize,
    ran: u64,
    discarded: u64,
    running: u64,
    waiting: u64,
});

c_struct!("pool_workers_task_options", TaskOptions {
    size: usize,
    name: *const c_char,
    priority: i32,
    flags: u32,
    key: u64,
    start_within: i64,
    weight: u64,
});

c_struct!("pool_workers_task_info", TaskInfo {
    size: usize,
    state: i32,
    status: Status,
    code: i32,
    cancelled: i32,
    result: Pointer,
    message: [c_char; 128],
});

c_struct!("pool_workers_group_options", GroupOptions {
    size: usize,
    flags: u32,
    priority: i32,
    within: i64,
    name: *const c_char,
});

c_struct!("pool_workers_stats", Stats {
    size: usize,
    submitted: u64,
    succeeded: u64,
    failed: u64,
    discarded: u64,
    rejected: u64,
    waiting: u64,
    running: u64,
    workers: u64,
    idle: u64,
    blocked_submitters: u64,
    max_workers: u64,
    queue_capacity: u64,
    cancelled: u64,
    dropped: u64,
    stolen: u64,
    started: u64,
    start_fails: u64,
    replaced: u64,
    min_workers: u64,
    waiting_bytes: u64,
    paused: u64,
    memory_bytes: u64,
});

#[link(name = "pool")]
extern "C" {
    pub fn pool_last_error() -> *const c_char;
    pub fn pool_workers_options_init(options: *mut WorkersOptions, size: usize) -> Status;
    pub fn pool_workers_create(options: *const WorkersOptions, out: *mut Workers) -> Status;
    pub fn pool_workers_submit(pool: Workers, task: TaskFn, arg: Pointer) -> Status;
    pub fn pool_workers_try_submit(pool: Workers, task: TaskFn, arg: Pointer) -> Status;
    pub fn pool_workers_submit_bulk(
        pool: Workers,
        items: *const Item,
        count: usize,
        timeout: i64,
        accepted: *mut usize,
    ) -> Status;
    pub fn pool_workers_process(
        pool: Workers,
        payload: Pointer,
        timeout: i64,
        result: *mut Pointer,
    ) -> Status;
    pub fn pool_workers_run(pool: Workers, task: TaskFn, arg: Pointer, timeout: i64) -> Status;
    pub fn pool_workers_resize(pool: Workers, min: u32, max: u32) -> Status;
    pub fn pool_workers_wait_idle(pool: Workers, timeout: i64) -> Status;
    pub fn pool_workers_pause(pool: Workers, timeout: i64) -> Status;
    pub fn pool_workers_resume(pool: Workers) -> Status;
    pub fn pool_workers_stop(
        pool: Workers,
        mode: i32,
        timeout: i64,
        report: *mut Report,
    ) -> Status;
    pub fn pool_workers_restart(pool: Workers) -> Status;
    pub fn pool_workers_destroy(pool: Workers) -> Status;
    pub fn pool_workers_start(
        pool: Workers,
        task: TaskFn,
        arg: Pointer,
        options: *const TaskOptions,
        timeout: i64,
        out: *mut Task,
    ) -> Status;
    pub fn pool_workers_start_now(
        pool: Workers,
        task: TaskFn,
        arg: Pointer,
        options: *const TaskOptions,
        timeout: i64,
        out: *mut Task,
    ) -> Status;
    pub fn pool_workers_task_wait(task: Task, timeout: i64) -> Status;
    pub fn pool_workers_task_get_info(task: Task, info: *mut TaskInfo) -> Status;
    pub fn pool_workers_task_result(task: Task) -> Pointer;
    pub fn pool_workers_task_cancel(task: Task, answer: *mut i32) -> Status;
    pub fn pool_workers_task_release(task: Task);
    pub fn pool_workers_self_cancelled() -> i32;
    pub fn pool_workers_self_commit() -> i32;
    pub fn pool_workers_self_result(result: Pointer);
    pub fn pool_workers_self_fail(code: i32, message: *const c_char);
    pub fn pool_workers_self_pool() -> Workers;
    pub fn pool_workers_self_state() -> Pointer;
    pub fn pool_workers_group_create(
        pool: Workers,
        options: *const GroupOptions,
        out: *mut Group,
    ) -> Status;
    pub fn pool_workers_group_submit(group: Group, task: TaskFn, arg: Pointer) -> Status;
    pub fn pool_workers_group_wait(group: Group, timeout: i64) -> Status;
    pub fn pool_workers_group_cancel(group: Group) -> Status;
    pub fn pool_workers_group_result(group: Group, index: usize, info: *mut TaskInfo) -> Status;
    pub fn pool_workers_group_next(
        group: Group,
        timeout: i64,
        index: *mut usize,
        info: *mut TaskInfo,
    ) -> Status;
    pub fn pool_workers_group_destroy(group: Group) -> Status;
    pub fn pool_workers_get_stats(pool: Workers, stats: *mut Stats) -> Status;
}
