// r2d2, whose callers are threads.
//
// SPDX-License-Identifier: Apache-2.0
//
// Connections are not tested when they are taken, nor replaced while they are idle.
use crate::report::Counters;
use crate::team;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Stub;
struct Connection;

impl r2d2::ManageConnection for Stub {
    type Connection = Connection;
    type Error = Infallible;

    fn connect(&self) -> Result<Connection, Infallible> {
        Ok(Connection)
    }
    fn is_valid(&self, _: &mut Connection) -> Result<(), Infallible> {
        Ok(())
    }
    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

/// With all connections open.
fn full_pool(most: usize) -> r2d2::Pool<Stub> {
    r2d2::Pool::builder()
        .max_size(most as u32)
        .test_on_check_out(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .build(Stub)
        .expect("stubs do not fail")
}

pub fn pairs(threads: usize, most: usize) -> f64 {
    let pool = full_pool(most);
    let count = crate::pairs(threads);
    let begun = AtomicUsize::new(0);
    let time = team::run(threads, |_| {
        while begun.fetch_add(crate::CHUNK, Ordering::Relaxed) < count {
            for _ in 0..crate::CHUNK {
                drop(pool.get().unwrap());
            }
        }
    });
    time / count as f64
}

pub fn hold(threads: usize, most: usize, counters: &mut Counters) -> f64 {
    let pool = full_pool(most);
    team::hold(threads, most, || pool.get().unwrap(), counters)
}
