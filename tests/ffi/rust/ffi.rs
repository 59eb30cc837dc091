//! Every area but connections from Rust, through `extern "C"`, with callbacks of its own, against
//! the installed library.
//!
//! SPDX-License-Identifier: Apache-2.0

#[macro_use]
mod layout;

use layout::Layout;
use std::ffi::CStr;
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

type Status = i32;
const FOREVER: i64 = -1;

#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}

c_struct!("pool_objects_options", ObjectsOptions {
    size: usize,
    name: *const c_char,
    create: Option<extern "C" fn(*mut c_void) -> *mut c_void>,
    reset: Option<extern "C" fn(*mut c_void, *mut c_void) -> Status>,
    destroy: Option<extern "C" fn(*mut c_void, *mut c_void)>,
    ctx: *mut c_void,
    ctx_free: Option<extern "C" fn(*mut c_void)>,
    max_idle: u64,
    object_size: u64,
    sweep_period: i64,
    allocator: *const c_void,
    cpu_mode: i32,
    flags: u32,
});

c_struct!("pool_buffer", Buffer {
    data: *mut u8,
    capacity: usize,
});

c_struct!("pool_buf", Buf {
    data: *mut u8,
    length: usize,
    capacity: usize,
    peak: usize,
    pool: *mut Opaque,
    tag: u32,
    reserved: u32,
});

#[link(name = "pool")]
extern "C" {
    fn pool_last_error() -> *const c_char;
    fn pool_last_error_status() -> Status;
    fn pool_objects_options_init(options: *mut ObjectsOptions, size: usize) -> Status;
    fn pool_objects_create(options: *const ObjectsOptions, out: *mut *mut Opaque) -> Status;
    fn pool_objects_get(pool: *mut Opaque) -> *mut c_void;
    fn pool_objects_try_get(pool: *mut Opaque) -> *mut c_void;
    fn pool_objects_put(pool: *mut Opaque, object: *mut c_void) -> Status;
    fn pool_objects_destroy(pool: *mut Opaque) -> Status;
    fn pool_buffers_create(options: *const c_void, out: *mut *mut Opaque) -> Status;
    fn pool_buffers_get(pool: *mut Opaque, size: usize) -> Buffer;
    fn pool_buffers_put(pool: *mut Opaque, buffer: Buffer) -> Status;
    fn pool_buf_get(pool: *mut Opaque, tag: u32, buf: *mut Buf) -> Status;
    fn pool_buf_append(buf: *mut Buf, data: *const u8, n: usize) -> Status;
    fn pool_buf_put(buf: *mut Buf) -> Status;
    fn pool_buffers_destroy(pool: *mut Opaque) -> Status;
    fn pool_workers_create(options: *const c_void, out: *mut *mut Opaque) -> Status;
    fn pool_workers_submit(
        pool: *mut Opaque,
        task: extern "C" fn(*mut c_void),
        arg: *mut c_void,
    ) -> Status;
    fn pool_workers_wait_idle(pool: *mut Opaque, timeout: i64) -> Status;
    fn pool_workers_destroy(pool: *mut Opaque) -> Status;
    fn pool_stats_write(
        format: i32,
        write: extern "C" fn(*const c_char, usize, *mut c_void),
        ctx: *mut c_void,
    ) -> Status;
}

fn error() -> String {
    unsafe { CStr::from_ptr(pool_last_error()) }.to_string_lossy().into_owned()
}

fn made(create: impl FnOnce(*mut *mut Opaque) -> Status) -> *mut Opaque {
    let mut pool = null_mut();
    assert_eq!(create(&mut pool), 0, "{}", error());
    pool
}

#[derive(Default)]
struct Counts {
    created: AtomicI32,
    reset: AtomicI32,
    destroyed: AtomicI32,
}

static CONTEXTS_FREED: AtomicI32 = AtomicI32::new(0);

extern "C" fn create(ctx: *mut c_void) -> *mut c_void {
    unsafe { &*(ctx as *const Counts) }.created.fetch_add(1, Relaxed);
    Box::into_raw(Box::new(Vec::<u8>::new())).cast()
}
extern "C" fn reset(object: *mut c_void, ctx: *mut c_void) -> Status {
    unsafe { &*(ctx as *const Counts) }.reset.fetch_add(1, Relaxed);
    if unsafe { &*(object as *const Vec<u8>) }.len() > 100 { -12 } else { 0 }
}
extern "C" fn destroy(object: *mut c_void, ctx: *mut c_void) {
    unsafe { &*(ctx as *const Counts) }.destroyed.fetch_add(1, Relaxed);
    drop(unsafe { Box::from_raw(object as *mut Vec<u8>) });
}
extern "C" fn ctx_free(ctx: *mut c_void) {
    let counts = unsafe { Box::from_raw(ctx as *mut Counts) };
    assert_eq!(counts.created.load(Relaxed), counts.destroyed.load(Relaxed));
    CONTEXTS_FREED.fetch_add(1, Relaxed);
}

fn objects() {
    let counts = Box::into_raw(Box::<Counts>::default());
    unsafe {
        let mut options: ObjectsOptions = std::mem::zeroed();
        assert_eq!(pool_objects_options_init(&mut options, size_of::<ObjectsOptions>()), 0);
        options.create = Some(create);
        options.reset = Some(reset);
        options.destroy = Some(destroy);
        options.ctx = counts.cast();
        options.ctx_free = Some(ctx_free);
        options.max_idle = 4;
        let pool = made(|out| pool_objects_create(&options, out));
        let object = pool_objects_get(pool);
        (*(object as *mut Vec<u8>)).extend_from_slice(b"from Rust");
        assert_eq!(pool_objects_put(pool, object), 0);
        assert_eq!(pool_objects_try_get(pool), object);
        assert_eq!(*(object as *const Vec<u8>), b"from Rust");
        assert!(pool_objects_try_get(pool).is_null());
        assert_eq!(pool_last_error_status(), -3, "{}", error());
        (*(object as *mut Vec<u8>)).resize(101, 0);
        assert_eq!(pool_objects_put(pool, object), 0);
        assert_eq!((*counts).destroyed.load(Relaxed), 1);
        let five: Vec<_> = (0..5).map(|_| pool_objects_get(pool)).collect();
        for object in five {
            assert_eq!(pool_objects_put(pool, object), 0);
        }
        assert_eq!((*counts).destroyed.load(Relaxed), 2); // one more than max_idle
        let address = pool as usize;
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    for _ in 0..10_000 {
                        let pool = address as *mut Opaque;
                        let object = pool_objects_get(pool);
                        assert_eq!(pool_objects_put(pool, object), 0);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(pool_objects_destroy(pool), 0);
        assert_eq!(CONTEXTS_FREED.load(Relaxed), 1);
    }
}

fn buffers() {
    unsafe {
        let pool = made(|out| pool_buffers_create(null(), out));
        let buffer = pool_buffers_get(pool, 600);
        std::slice::from_raw_parts_mut(buffer.data, buffer.capacity).fill(3);
        assert_eq!(buffer.capacity, 640);
        assert_eq!(pool_buffers_put(pool, buffer), 0);
        let mut buf = std::mem::MaybeUninit::<Buf>::uninit();
        assert_eq!(pool_buf_get(pool, 0, buf.as_mut_ptr()), 0);
        let mut buf = buf.assume_init();
        for word in ["one ", "two ", "three"] {
            assert_eq!(pool_buf_append(&mut buf, word.as_ptr(), word.len()), 0);
        }
        assert_eq!(std::slice::from_raw_parts(buf.data, buf.length), b"one two three");
        assert_eq!(pool_buf_put(&mut buf), 0);
        assert!(buf.data.is_null());
        assert_eq!(pool_buffers_destroy(pool), 0);
    }
}

extern "C" fn add(sum: *mut c_void) {
    unsafe { &*(sum as *const AtomicI32) }.fetch_add(1, Relaxed);
}

fn workers() {
    let sum = AtomicI32::new(0);
    unsafe {
        let pool = made(|out| pool_workers_create(null(), out));
        for _ in 0..100 {
            assert_eq!(pool_workers_submit(pool, add, &sum as *const _ as *mut c_void), 0);
        }
        assert_eq!(pool_workers_wait_idle(pool, FOREVER), 0);
        assert_eq!(pool_workers_destroy(pool), 0);
    }
    assert_eq!(sum.load(Relaxed), 100);
}

extern "C" fn collect(text: *const c_char, length: usize, to: *mut c_void) {
    let piece = unsafe { std::slice::from_raw_parts(text as *const u8, length) };
    unsafe { &mut *(to as *mut Vec<u8>) }.extend_from_slice(piece);
}

fn stats() {
    let mut text = Vec::<u8>::new();
    unsafe {
        let pool = made(|out| pool_buffers_create(null(), out));
        assert_eq!(pool_stats_write(2, collect, &mut text as *mut _ as *mut c_void), 0);
        assert_eq!(pool_buffers_destroy(pool), 0);
    }
    assert!(String::from_utf8(text).unwrap().contains("\"area\":\"buffers\""));
}

fn main() {
    let layout = Layout::read();
    ObjectsOptions::check_layout(&layout);
    Buffer::check_layout(&layout);
    Buf::check_layout(&layout);
    objects();
    buffers();
    workers();
    stats();
}
