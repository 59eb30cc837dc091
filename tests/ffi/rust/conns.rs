//! Connection pools from Rust, through `extern "C"`, with callbacks of its own, against the
//! installed library.
//!
//! SPDX-License-Identifier: Apache-2.0

#[macro_use]
mod layout;
mod conns_api;

use conns_api::*;
use layout::Layout;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

fn error() -> String {
    unsafe { CStr::from_ptr(pool_last_error()) }.to_string_lossy().into_owned()
}

/// The other side, and what was done to it. Connections are boxed numbers.
#[derive(Default)]
struct Server {
    dialed: AtomicI32,
    open: AtomicI32,
    closed: [AtomicI32; 9], // by reason
    validated: AtomicI32,
    dead: AtomicI32,  // is_alive says so
    dirty: AtomicI32, // reset cannot help
    leaks: AtomicI32,
    returned: AtomicI32,
}

fn server<'a>(ctx: Pointer) -> &'a Server {
    unsafe { &*(ctx as *const Server) }
}

extern "C" fn dial(
    key: *const c_void,
    length: usize,
    deadline: i64,
    conn: *mut Pointer,
    ctx: Pointer,
) -> Status {
    let key = unsafe { std::slice::from_raw_parts(key as *const u8, length) };
    if key != b"host" || deadline <= 0 {
        return 42;
    }
    let number = server(ctx).dialed.fetch_add(1, Relaxed) + 1;
    server(ctx).open.fetch_add(1, Relaxed);
    unsafe { *conn = Box::into_raw(Box::new(number)).cast() };
    0
}
extern "C" fn close(conn: Pointer, reason: i32, ctx: Pointer) {
    drop(unsafe { Box::from_raw(conn as *mut i32) });
    server(ctx).open.fetch_sub(1, Relaxed);
    server(ctx).closed[reason as usize].fetch_add(1, Relaxed);
}
extern "C" fn is_alive(_conn: Pointer, _idle_time: i64, ctx: Pointer) -> i32 {
    1 - server(ctx).dead.load(Relaxed)
}
extern "C" fn validate(_conn: Pointer, _deadline: i64, ctx: Pointer) -> Status {
    server(ctx).validated.fetch_add(1, Relaxed);
    0
}
extern "C" fn reset(_conn: Pointer, _deadline: i64, ctx: Pointer) -> Status {
    if server(ctx).dirty.load(Relaxed) != 0 { EBAD } else { 0 }
}
extern "C" fn on_leak(lease: *const LeaseInfo, ctx: Pointer) {
    let lease = unsafe { &*lease };
    assert_eq!(unsafe { CStr::from_ptr(lease.taker) }.to_bytes(), b"careless");
    let counter = if lease.returned != 0 { &server(ctx).returned } else { &server(ctx).leaks };
    counter.fetch_add(1, Relaxed);
}

fn options() -> ConnsOptions {
    unsafe {
        let mut options: ConnsOptions = std::mem::zeroed();
        assert_eq!(pool_conns_options_init(&mut options, size_of::<ConnsOptions>()), 0);
        options
    }
}

/// A pool whose default key is "host".
fn made(server: &Server, mut options: ConnsOptions) -> Conns {
    options.dial = Some(dial);
    options.close = Some(close);
    options.is_alive = Some(is_alive);
    options.validate = Some(validate);
    options.reset = Some(reset);
    options.on_leak = Some(on_leak);
    options.ctx = server as *const _ as Pointer;
    options.key = b"host".as_ptr().cast();
    options.key_length = 4;
    let mut pool = null_mut();
    assert_eq!(unsafe { pool_conns_create(&options, &mut pool) }, 0, "{}", error());
    pool
}

fn acquire_with(
    pool: Conns,
    timeout: i64,
    taker: &'static CStr,
    priority: i32,
    flags: u32,
) -> Result<Lease, Status> {
    let size = size_of::<AcquireOptions>();
    let how = AcquireOptions { size, taker: taker.as_ptr(), priority, flags };
    let mut lease = null_mut();
    match unsafe { pool_conns_acquire_with(pool, null(), 0, timeout, &how, &mut lease) } {
        0 => Ok(lease),
        status => {
            assert!(lease.is_null());
            Err(status)
        }
    }
}

fn acquire(pool: Conns) -> Lease {
    acquire_with(pool, 10 * SECOND, name(b"Rust\0"), 0, 0).unwrap_or_else(|_| panic!("{}", error()))
}

fn name(bytes: &'static [u8]) -> &'static CStr {
    CStr::from_bytes_with_nul(bytes).unwrap()
}

fn number(lease: Lease) -> i32 {
    unsafe { *(pool_conns_lease_conn(lease) as *const i32) }
}

fn start(pool: Conns, options: *const RequestOptions) -> Request {
    let mut request = null_mut();
    let status =
        unsafe { pool_conns_request_start(pool, null(), 0, FOREVER, options, &mut request) };
    assert_eq!(status, 0, "{}", error());
    request
}

fn finish(request: Request) -> Result<Lease, Status> {
    let mut lease = null_mut();
    match unsafe { pool_conns_request_finish(request, &mut lease) } {
        0 => Ok(lease),
        status => Err(status),
    }
}

fn stats(pool: Conns) -> Stats {
    unsafe {
        let mut stats: Stats = std::mem::zeroed();
        stats.size = size_of::<Stats>();
        assert_eq!(pool_conns_get_stats(pool, &mut stats), 0, "{}", error());
        stats
    }
}

fn lending() {
    let server = Server::default();
    let pool = made(&server, ConnsOptions { validate_after: 1, ..options() });
    unsafe {
        assert_eq!(acquire_with(pool, 0, name(b"early\0"), 0, 0), Err(EAGAIN));
        assert_eq!(acquire_with(pool, 0, name(b"odd\0"), 2, 0), Err(EINVAL));
        let lease = acquire_with(pool, SECOND, name(b"first\0"), 1, 0).unwrap();
        assert_eq!((number(lease), pool_conns_lease_uses(lease)), (1, 0));
        assert_eq!(pool_conns_lease_renew(lease), 0);
        assert_eq!(pool_conns_release(lease), 0);
        sleep(Duration::from_millis(20));
        let lease = acquire(pool);
        assert_eq!((number(lease), pool_conns_lease_uses(lease)), (1, 1));
        assert_eq!(server.validated.load(Relaxed), 1);
        server.dirty.store(1, Relaxed);
        assert_eq!(pool_conns_release(lease), 0);
        server.dirty.store(0, Relaxed);
        assert_eq!(server.closed[INVALID].load(Relaxed), 1);
        assert_eq!(pool_conns_release(acquire(pool)), 0);
        server.dead.store(1, Relaxed);
        let lease = acquire(pool);
        server.dead.store(0, Relaxed);
        assert_eq!((number(lease), server.closed[INVALID].load(Relaxed)), (3, 2));
        assert_eq!(pool_conns_release(lease), 0);
        let lease = acquire_with(pool, SECOND, name(b"fresh\0"), 0, FRESH).unwrap();
        assert_eq!(number(lease), 4);
        assert_eq!(pool_conns_discard(lease), 0);
        assert_eq!(server.closed[BROKEN].load(Relaxed), 1);
        assert_eq!(pool_conns_clear(pool), 0);
        assert_eq!(server.closed[CLEARED].load(Relaxed), 1);
        assert_eq!(pool_conns_destroy(pool), 0);
    }
    assert_eq!(server.open.load(Relaxed), 0);
}

extern "C" fn use_it(lease: Lease, conn: Pointer, arg: Pointer) -> Status {
    assert_eq!(unsafe { pool_conns_lease_conn(lease) }, conn);
    match unsafe { &*(arg as *const AtomicI32) }.fetch_add(1, Relaxed) {
        0 => EBAD,
        _ => 7,
    }
}

fn running() {
    let server = Server::default();
    let pool = made(&server, options());
    let calls = AtomicI32::new(0);
    let arg = &calls as *const _ as Pointer;
    unsafe {
        assert_eq!(pool_conns_fill(pool, null(), 0, 1, SECOND), 0);
        assert_eq!(pool_conns_run(pool, null(), 0, SECOND, use_it, arg), 7, "{}", error());
        assert_eq!(calls.load(Relaxed), 2);
        assert_eq!(server.closed[BROKEN].load(Relaxed), 1);
        assert_eq!(server.dialed.load(Relaxed), 2);
        assert_eq!(pool_conns_destroy(pool), 0);
    }
    assert_eq!(server.open.load(Relaxed), 0);
}

extern "C" fn count(request: Request, ctx: Pointer) {
    assert!(!request.is_null());
    unsafe { &*(ctx as *const AtomicI32) }.fetch_add(1, Relaxed);
}

fn requesting() {
    let server = Server::default();
    let pool = made(&server, ConnsOptions { max_open_per_key: 1, ..options() });
    let done = AtomicI32::new(0);
    let how = RequestOptions {
        size: size_of::<RequestOptions>(),
        taker: null(),
        priority: 0,
        flags: 0,
        on_done: Some(count),
        ctx: &done as *const _ as Pointer,
    };
    let lease = acquire(pool);
    unsafe {
        let request = start(pool, &how);
        let mut poller =
            PollFd { fd: pool_conns_request_fd(request), events: POLLIN, revents: 0 };
        assert_eq!((poll(&mut poller, 1, 0), finish(request)), (0, Err(EAGAIN)));
        assert_eq!(pool_conns_release(lease), 0);
        assert_eq!((poll(&mut poller, 1, 10_000), poller.revents), (1, POLLIN));
        assert_eq!(done.load(Relaxed), 1);
        let lease = finish(request).unwrap();
        assert_eq!(pool_conns_lease_uses(lease), 1);

        let request = start(pool, null());
        assert_eq!(pool_conns_request_wait(request, 1_000_000), ETIMEDOUT);
        let address = request as usize;
        let canceler = std::thread::spawn(move || {
            sleep(Duration::from_millis(20));
            assert_eq!(pool_conns_request_cancel(address as Request), 0);
        });
        assert_eq!(pool_conns_request_wait(request, FOREVER), 0);
        canceler.join().unwrap();
        assert_eq!(finish(request), Err(ECANCELED));

        assert_eq!(pool_conns_request_destroy(start(pool, &how)), 0);
        assert_eq!((stats(pool).canceled, done.load(Relaxed)), (2, 1));
        assert_eq!(pool_conns_release(lease), 0);
        assert_eq!(pool_conns_destroy(pool), 0);
    }
    assert_eq!(server.open.load(Relaxed), 0);
}

extern "C" fn see(lease: *const LeaseInfo, arg: Pointer) {
    let lease = unsafe { &*lease };
    assert_eq!(unsafe { CStr::from_ptr(lease.taker) }.to_bytes(), b"seen");
    let length = lease.key_length as usize;
    let key = unsafe { std::slice::from_raw_parts(lease.key as *const u8, length) };
    assert_eq!(key, b"host");
    assert!(lease.age >= 0 && lease.thread != 0 && lease.returned == 0);
    unsafe { &*(arg as *const AtomicUsize) }.store(lease.conn as usize, Relaxed);
}

fn looking() {
    let server = Server::default();
    let pool = made(&server, ConnsOptions { max_open_per_key: 1, ..options() });
    let lease = acquire_with(pool, SECOND, name(b"seen\0"), 0, 0).unwrap();
    let seen = AtomicUsize::new(0);
    let arg = &seen as *const _ as Pointer;
    unsafe {
        assert_eq!(pool_conns_visit_leases(pool, 3600 * SECOND, Some(see), arg), 0);
        assert_eq!(seen.load(Relaxed), 0);
        assert_eq!(pool_conns_visit_leases(pool, 0, Some(see), arg), 0);
        assert_eq!(seen.load(Relaxed), pool_conns_lease_conn(lease) as usize);
        assert_eq!(acquire_with(pool, SECOND / 100, name(b"late\0"), 0, 0), Err(ETIMEDOUT));
        assert_eq!(pool_conns_set(pool, SET_MAX_OPEN_PER_KEY, 2), 0);
        assert_eq!(pool_conns_set(pool, 99, 2), EINVAL);
        let second = acquire(pool);
        let now = stats(pool);
        assert_eq!((now.acquires, now.dials, now.in_use, now.timeouts), (2, 2, 2, 1));
        assert!(now.max_open_per_key == 2 && now.memory_bytes > 0);
        let mut waits: Histogram = std::mem::zeroed();
        waits.size = size_of::<Histogram>();
        assert_eq!(pool_conns_get_histogram(pool, WAIT_TIME, &mut waits), 0);
        assert_eq!((waits.count, waits.buckets.iter().sum()), (1, 1));
        assert!(waits.most >= 9_000_000);
        assert_eq!(pool_conns_histogram_percentile(&waits, 50.0), waits.most as i64);
        assert_eq!(pool_conns_release(lease), 0);
        assert_eq!(pool_conns_release(second), 0);
        assert_eq!(pool_conns_destroy(pool), 0);
    }
    assert_eq!(server.open.load(Relaxed), 0);
}

fn leaking() {
    let server = Server::default();
    let pool = made(&server, ConnsOptions { leak_threshold: SECOND / 100, ..options() });
    let lease = acquire_with(pool, SECOND, name(b"careless\0"), 0, 0).unwrap();
    for _ in 0..1000 {
        if server.leaks.load(Relaxed) != 0 {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    assert_eq!((server.leaks.load(Relaxed), server.returned.load(Relaxed)), (1, 0));
    let mut still_out = 99;
    unsafe {
        assert_eq!(pool_conns_close(pool, SECOND / 100, &mut still_out), ETIMEDOUT);
        assert_eq!(still_out, 1);
        assert_eq!(pool_conns_release(lease), 0);
        assert_eq!(server.returned.load(Relaxed), 1);
        assert_eq!(pool_conns_close(pool, SECOND, &mut still_out), 0);
        assert_eq!(still_out, 0);
        assert_eq!(acquire_with(pool, SECOND, name(b"late\0"), 0, 0), Err(ECLOSED));
        assert_eq!(pool_conns_destroy(pool), 0);
    }
    assert_eq!(server.open.load(Relaxed), 0);
}

fn main() {
    let layout = Layout::read();
    LeaseInfo::check_layout(&layout);
    ConnsOptions::check_layout(&layout);
    AcquireOptions::check_layout(&layout);
    RequestOptions::check_layout(&layout);
    Stats::check_layout(&layout);
    Histogram::check_layout(&layout);
    lending();
    running();
    requesting();
    looking();
    leaking();
}
