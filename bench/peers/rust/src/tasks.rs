// deadpool, whose callers are tasks: on tokio with two workers.
//
// SPDX-License-Identifier: Apache-2.0
//
// There is no row with a hold time: tokio's timers are a millisecond coarse.
use crate::team::Start;
use deadpool::managed::{Manager, Metrics, Pool, RecycleResult};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

const WORKERS: usize = 2;

struct Stub;
struct Connection;

impl Manager for Stub {
    type Type = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        Ok(Connection)
    }
    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

/// With all connections open.
async fn full_pool(most: usize) -> Pool<Stub> {
    let pool = Pool::builder(Stub)
        .max_size(most)
        .build()
        .expect("no timeout needs a runtime");
    let mut taken = Vec::new();
    for _ in 0..most {
        taken.push(pool.get().await.unwrap());
    }
    pool
}

struct Team {
    pool: Pool<Stub>,
    start: Start,
    begun: AtomicUsize,
    count: usize,
}

async fn member(team: Arc<Team>) -> Instant {
    team.start.arrive();
    while !team.start.is_open() {
        tokio::task::yield_now().await;
    }
    while team.begun.fetch_add(crate::CHUNK, Ordering::Relaxed) < team.count {
        for _ in 0..crate::CHUNK {
            drop(team.pool.get().await.unwrap());
        }
    }
    Instant::now()
}

pub fn pairs(tasks: usize, most: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .build()
        .expect("a runtime");
    let count = crate::pairs(tasks);
    runtime.block_on(async {
        let team = Arc::new(Team {
            pool: full_pool(most).await,
            start: Start::new(tasks),
            begun: AtomicUsize::new(0),
            count,
        });
        let members: Vec<_> = (0..tasks)
            .map(|_| tokio::spawn(member(team.clone())))
            .collect();
        let mut ends = Vec::new();
        for one in members {
            ends.push(one.await.unwrap());
        }
        team.start.until(ends.into_iter()) / count as f64
    })
}
