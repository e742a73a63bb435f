// SPDX-License-Identifier: MIT

//! Real work in Rust: many tasks or threads share few connections of PostgreSQL, lent by the pools that Rust programs use.
//! bench/work/run starts the server and says what a line of the output is.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::{Config, NoTls};

const TASKS: usize = 64;
const CONNECTIONS: usize = 8;

type Use = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Works in one round until it is told to stop, and gives the time of each use in nanoseconds.
type Round = Box<dyn Fn(Arc<AtomicBool>) -> Vec<u64>>;

fn server() -> Config {
    let of = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let mut config = Config::new();
    config.host(&of("PGHOST")).port(of("PGPORT").parse().unwrap()).user(&of("PGUSER")).dbname("postgres");
    config
}

async fn noted(stop: Arc<AtomicBool>, once: Use) -> Vec<u64> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        once().await;
        times.push(asked.elapsed().as_nanos() as u64);
    }
    times
}

fn by_tasks(runtime: &Arc<Runtime>, once: Use) -> Round {
    let runtime = runtime.clone();
    Box::new(move |stop| {
        let workers: Vec<_> = (0..TASKS).map(|_| runtime.spawn(noted(stop.clone(), once.clone()))).collect();
        workers.into_iter().flat_map(|worker| runtime.block_on(worker).unwrap()).collect()
    })
}

fn deadpool(runtime: &Arc<Runtime>) -> Round {
    let manager = deadpool_postgres::Manager::new(server(), NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(CONNECTIONS).build().unwrap();
    by_tasks(
        runtime,
        Arc::new(move || {
            let pool = pool.clone();
            Box::pin(async move {
                pool.get().await.unwrap().simple_query("SELECT 1").await.unwrap();
            })
        }),
    )
}

fn bb8(runtime: &Arc<Runtime>) -> Round {
    let manager = bb8_postgres::PostgresConnectionManager::new(server(), NoTls);
    let pool = runtime.block_on(bb8::Pool::builder().max_size(CONNECTIONS as u32).build(manager)).unwrap();
    by_tasks(
        runtime,
        Arc::new(move || {
            let pool = pool.clone();
            Box::pin(async move {
                pool.get().await.unwrap().simple_query("SELECT 1").await.unwrap();
            })
        }),
    )
}

fn r2d2() -> Round {
    let of = |name| std::env::var(name).unwrap();
    let mut config = r2d2_postgres::postgres::Config::new();
    config.host(&of("PGHOST")).port(of("PGPORT").parse().unwrap()).user(&of("PGUSER")).dbname("postgres");
    let manager = r2d2_postgres::PostgresConnectionManager::new(config, r2d2_postgres::postgres::NoTls);
    let pool = r2d2::Pool::builder().max_size(CONNECTIONS as u32).build(manager).unwrap();
    Box::new(move |stop| {
        std::thread::scope(|scope| {
            let work = || {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    pool.get().unwrap().simple_query("SELECT 1").unwrap();
                    times.push(asked.elapsed().as_nanos() as u64);
                }
                times
            };
            let workers: Vec<_> = (0..TASKS).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        })
    })
}

fn tell(name: &str, round: &Round, length: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let began = Instant::now();
    let timer = std::thread::spawn(move || {
        std::thread::sleep(length);
        told.store(true, Ordering::Relaxed);
    });
    let mut times = round(stop);
    let took = began.elapsed().as_nanos() as usize / times.len();
    timer.join().unwrap();
    times.sort_unstable();
    let shown: Vec<_> = [500, 990, 999, 1000].iter().map(|each| times[(times.len() - 1) * each / 1000].to_string()).collect();
    println!("PostgreSQL\t{name}\t{took}\t{}", shown.join("\t"));
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().expect("usage: work ROUNDS ROUND_MS")).collect();
    let (rounds, length) = (numbers[0], Duration::from_millis(numbers[1]));
    let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    let contenders = [("deadpool", deadpool(&runtime)), ("bb8", bb8(&runtime)), ("r2d2", r2d2())];
    for (_, round) in &contenders {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(length);
            told.store(true, Ordering::Relaxed);
        });
        round(stop); // warms up
    }
    for _ in 0..rounds {
        for (name, round) in &contenders {
            tell(name, round, length);
        }
    }
}
