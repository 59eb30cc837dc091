//! What connection pools look like to Rust.
//!
//! SPDX-License-Identifier: Apache-2.0

use std::os::raw::{c_char, c_int, c_short, c_ulong, c_void};

pub type Status = i32;
pub type Pointer = *mut c_void;
pub type HookFn = Option<extern "C" fn(Pointer, *const c_void, usize, Pointer) -> i32>;
pub type CheckFn = Option<extern "C" fn(Pointer, i64, Pointer) -> Status>;
pub type CloseFn = Option<extern "C" fn(Pointer, i32, Pointer)>;
pub type LeaseFn = Option<extern "C" fn(*const LeaseInfo, Pointer)>;

pub const FOREVER: i64 = -1;
pub const SECOND: i64 = 1_000_000_000;
pub const EINVAL: Status = -1;
pub const EAGAIN: Status = -3;
pub const ETIMEDOUT: Status = -4;
pub const ECANCELED: Status = -5;
pub const ECLOSED: Status = -6;
pub const EBAD: Status = -12;
pub const BROKEN: usize = 1;
pub const INVALID: usize = 2;
pub const CLEARED: usize = 7;
pub const FRESH: u32 = 1;
pub const SET_MAX_OPEN_PER_KEY: i32 = 2;
pub const WAIT_TIME: i32 = 1;
pub const POLLIN: c_short = 1;

#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}
pub type Conns = *mut Opaque;
pub type Lease = *mut Opaque;
pub type Request = *mut Opaque;

c_struct!("pool_conns_lease_info", LeaseInfo {
    size: usize,
    taker: *const c_char,
    key: *const c_void,
    key_length: u64,
    conn: Pointer,
    age: i64,
    thread: u64,
    returned: i32,
    reserved: i32,
});

c_struct!("pool_conns_options", ConnsOptions {
    size: usize,
    name: *const c_char,
    dial: Option<extern "C" fn(*const c_void, usize, i64, *mut Pointer, Pointer) -> Status>,
    close: CloseFn,
    is_alive: Option<extern "C" fn(Pointer, i64, Pointer) -> i32>,
    ctx: Pointer,
    ctx_free: Option<extern "C" fn(Pointer)>,
    max_open: u32,
    max_open_per_key: u32,
    max_idle: u32,
    max_idle_per_key: u32,
    max_waiters: u32,
    connect_timeout: i64,
    idle_timeout: i64,
    max_lifetime: i64,
    allocator: *const c_void,
    cpu_mode: i32,
    flags: u32,
    validate: CheckFn,
    reset: CheckFn,
    abandon: Option<extern "C" fn(Pointer, Pointer)>,
    after_connect: HookFn,
    before_acquire: HookFn,
    after_release: HookFn,
    before_close: CloseFn,
    on_leak: LeaseFn,
    validate_after: i64,
    validate_timeout: i64,
    keepalive: i64,
    leak_threshold: i64,
    reap_interval: i64,
    dial_backoff: i64,
    dial_backoff_max: i64,
    key: *const c_void,
    key_length: u64,
    min_idle: u32,
    initial: u32,
    max_dials: u32,
    max_uses: u32,
    handoff: i32,
    idle_order: i32,
});

c_struct!("pool_conns_acquire_options", AcquireOptions {
    size: usize,
    taker: *const c_char,
    priority: i32,
    flags: u32,
});

c_struct!("pool_conns_request_options", RequestOptions {
    size: usize,
    taker: *const c_char,
    priority: i32,
    flags: u32,
    on_done: Option<extern "C" fn(Request, Pointer)>,
    ctx: Pointer,
});

c_struct!("pool_conns_stats", Stats {
    size: usize,
    acquires: u64,
    hits: u64,
    dials: u64,
    dial_fails: u64,
    waits: u64,
    wait_time: u64,
    timeouts: u64,
    closed_broken: u64,
    closed_invalid: u64,
    closed_max_lifetime: u64,
    closed_idle_timeout: u64,
    closed_max_idle: u64,
    closed_pool: u64,
    closed_cleared: u64,
    detached: u64,
    open: u64,
    idle: u64,
    in_use: u64,
    dialing: u64,
    waiters: u64,
    keys: u64,
    closed_max_uses: u64,
    adopted: u64,
    canceled: u64,
    refused: u64,
    backed_off: u64,
    nested: u64,
    dial_time: u64,
    empty_acquires: u64,
    empty_time: u64,
    handoffs: u64,
    validations: u64,
    validate_fails: u64,
    reset_fails: u64,
    leaks: u64,
    threads: u64,
    max_open: u64,
    max_open_per_key: u64,
    max_idle: u64,
    max_idle_per_key: u64,
    memory_bytes: u64,
});

c_struct!("pool_conns_histogram", Histogram {
    size: usize,
    count: u64,
    sum: u64,
    most: u64,
    buckets: [u64; 48],
});

#[link(name = "pool")]
extern "C" {
    pub fn pool_last_error() -> *const c_char;
    pub fn pool_conns_options_init(options: *mut ConnsOptions, size: usize) -> Status;
    pub fn pool_conns_create(options: *const ConnsOptions, out: *mut Conns) -> Status;
    pub fn pool_conns_acquire_with(
        pool: Conns,
        key: *const c_void,
        length: usize,
        timeout: i64,
        options: *const AcquireOptions,
        lease: *mut Lease,
    ) -> Status;
    pub fn pool_conns_lease_conn(lease: *const Opaque) -> Pointer;
    pub fn pool_conns_lease_uses(lease: *const Opaque) -> u64;
    pub fn pool_conns_lease_renew(lease: Lease) -> Status;
    pub fn pool_conns_release(lease: Lease) -> Status;
    pub fn pool_conns_discard(lease: Lease) -> Status;
    pub fn pool_conns_run(
        pool: Conns,
        key: *const c_void,
        length: usize,
        timeout: i64,
        use_it: extern "C" fn(Lease, Pointer, Pointer) -> Status,
        arg: Pointer,
    ) -> Status;
    pub fn pool_conns_fill(
        pool: Conns,
        key: *const c_void,
        length: usize,
        count: u32,
        timeout: i64,
    ) -> Status;
    pub fn pool_conns_clear(pool: Conns) -> Status;
    pub fn pool_conns_set(pool: Conns, setting: i32, value: i64) -> Status;
    pub fn pool_conns_close(pool: Conns, timeout: i64, still_out: *mut u64) -> Status;
    pub fn pool_conns_destroy(pool: Conns) -> Status;
    pub fn pool_conns_request_start(
        pool: Conns,
        key: *const c_void,
        length: usize,
        timeout: i64,
        options: *const RequestOptions,
        request: *mut Request,
    ) -> Status;
    pub fn pool_conns_request_fd(request: Request) -> i32;
    pub fn pool_conns_request_wait(request: Request, timeout: i64) -> Status;
    pub fn pool_conns_request_cancel(request: Request) -> Status;
    pub fn pool_conns_request_finish(request: Request, lease: *mut Lease) -> Status;
    pub fn pool_conns_request_destroy(request: Request) -> Status;
    pub fn pool_conns_get_stats(pool: Conns, stats: *mut Stats) -> Status;
    pub fn pool_conns_get_histogram(pool: Conns, which: i32, histogram: *mut Histogram) -> Status;
    pub fn pool_conns_histogram_percentile(histogram: *const Histogram, percent: f64) -> i64;
    pub fn pool_conns_visit_leases(
        pool: Conns,
        min_age: i64,
        visit: LeaseFn,
        arg: Pointer,
    ) -> Status;
}

#[repr(C)]
pub struct PollFd {
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

extern "C" {
    pub fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
}
