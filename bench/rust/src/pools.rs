// SPDX-License-Identifier: MIT

//! The contenders: a connection of nothing in each.

use std::convert::Infallible;
use std::ffi::c_void;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use crate::Contender;

const BATCH: u64 = 64;

pub fn contenders(threads: usize, connections: usize) -> Vec<Contender> {
    vec![libpool(threads, connections), r2d2(threads, connections), deadpool(threads, connections), bb8(threads, connections)]
}

/// What each of the threads does.
fn by_threads(threads: usize, stop: &AtomicBool, cycle: impl Fn() + Sync) -> u64 {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut cycles = 0;
                    while !stop.load(Ordering::Relaxed) {
                        (0..BATCH).for_each(|_| cycle());
                        cycles += BATCH;
                    }
                    cycles
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    })
}

/// What each of the tasks does; after a batch it lets others run.
fn by_tasks<F>(runtime: &tokio::runtime::Runtime, tasks: usize, stop: Arc<AtomicBool>, cycle: impl Fn() -> F + Clone + Send + 'static) -> u64
where
    F: Future<Output = ()> + Send,
{
    let workers: Vec<_> = (0..tasks)
        .map(|_| {
            let (stop, cycle) = (stop.clone(), cycle.clone());
            runtime.spawn(async move {
                let mut cycles = 0;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..BATCH {
                        cycle().await;
                    }
                    cycles += BATCH;
                    tokio::task::yield_now().await;
                }
                cycles
            })
        })
        .collect();
    runtime.block_on(async {
        let mut cycles = 0;
        for worker in workers {
            cycles += worker.await.unwrap();
        }
        cycles
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

// ---- libpool ----

extern "C" {
    // Of nothing.c.
    fn pool_of_nothing(connections: i32) -> *mut c_void;
    fn pool_get(pool: *mut c_void) -> i64;
    fn pool_put(lease: i64) -> i32;
    fn pool_free(pool: *mut c_void);
}

struct Libpool(*mut c_void);

// The library is for many threads.
unsafe impl Sync for Libpool {}

impl Libpool {
    fn cycle(&self) {
        let lease = unsafe { pool_get(self.0) };
        assert!(lease > 0 && unsafe { pool_put(lease) } == 0);
    }
}

impl Drop for Libpool {
    fn drop(&mut self) {
        unsafe { pool_free(self.0) }
    }
}

fn libpool(threads: usize, connections: usize) -> Contender {
    let pool = Libpool(unsafe { pool_of_nothing(connections as i32) });
    Contender { name: "libpool", round: Box::new(move |stop| by_threads(threads, &stop, || pool.cycle())) }
}

// ---- the peers ----

struct Nothing;

impl r2d2::ManageConnection for Nothing {
    type Connection = ();
    type Error = std::fmt::Error;
    fn connect(&self) -> Result<(), Self::Error> {
        Ok(())
    }
    fn is_valid(&self, _: &mut ()) -> Result<(), Self::Error> {
        Ok(())
    }
    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

fn r2d2(threads: usize, connections: usize) -> Contender {
    let pool = r2d2::Pool::builder().max_size(connections as u32).test_on_check_out(false).build(Nothing).unwrap();
    Contender { name: "r2d2", round: Box::new(move |stop| by_threads(threads, &stop, || drop(pool.get().unwrap()))) }
}

impl deadpool::managed::Manager for Nothing {
    type Type = ();
    type Error = Infallible;
    async fn create(&self) -> Result<(), Infallible> {
        Ok(())
    }
    async fn recycle(&self, _: &mut (), _: &deadpool::managed::Metrics) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

fn deadpool(tasks: usize, connections: usize) -> Contender {
    let runtime = runtime();
    let pool = deadpool::managed::Pool::<Nothing>::builder(Nothing).max_size(connections).build().unwrap();
    let cycle = move || {
        let pool = pool.clone();
        async move { drop(pool.get().await.unwrap()) }
    };
    Contender { name: "deadpool", round: Box::new(move |stop| by_tasks(&runtime, tasks, stop, cycle.clone())) }
}

impl bb8::ManageConnection for Nothing {
    type Connection = ();
    type Error = Infallible;
    async fn connect(&self) -> Result<(), Infallible> {
        Ok(())
    }
    async fn is_valid(&self, _: &mut ()) -> Result<(), Infallible> {
        Ok(())
    }
    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

fn bb8(tasks: usize, connections: usize) -> Contender {
    let runtime = runtime();
    let builder = bb8::Pool::builder().max_size(connections as u32).min_idle(connections as u32).test_on_check_out(false);
    let pool = runtime.block_on(builder.build(Nothing)).unwrap();
    let cycle = move || {
        let pool = pool.clone();
        async move { drop(pool.get().await.unwrap()) }
    };
    Contender { name: "bb8", round: Box::new(move |stop| by_tasks(&runtime, tasks, stop, cycle.clone())) }
}
