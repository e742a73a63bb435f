// SPDX-License-Identifier: MIT

//! What a get and its return cost in pools for Rust, beside libpool's core, which is called as C is called. The pools take
//! turns in short rounds. r2d2 and libpool are used by threads, and deadpool and bb8 by tasks of tokio on two threads.

mod pools;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const CASES: [(usize, usize); 4] = [(1, 8), (2, 8), (8, 8), (64, 8)];

pub struct Contender {
    pub name: &'static str,
    /// Works in one round until it is told to stop, and says how often it did it.
    pub round: Box<dyn Fn(Arc<AtomicBool>) -> u64>,
}

/// Nanoseconds for one get and its return.
fn measure(contender: &Contender, length: Duration) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let timer = std::thread::spawn(move || {
        std::thread::sleep(length);
        told.store(true, Ordering::Relaxed);
    });
    let began = Instant::now();
    let cycles = (contender.round)(stop);
    let took = began.elapsed().as_nanos() as f64;
    timer.join().unwrap();
    took / cycles.max(1) as f64
}

fn compete(case: &str, contenders: &[Contender], rounds: usize, length: Duration, figures: &mut Vec<String>) {
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (at, contender) in contenders.iter().enumerate() {
            let time = measure(contender, length);
            if round > 0 {
                times[at].push(time); // the first warms up
            }
        }
    }
    for (contender, times) in contenders.iter().zip(times) {
        let mut sorted = times.clone();
        sorted.sort_by(f64::total_cmp);
        let (name, median) = (contender.name, sorted[sorted.len() / 2]);
        println!("{:<56} {median:>12.1}  ns", format!("{case}: {name}"));
        figures.push(format!(
            "  {{\"name\": \"{case}: {name}\", \"value\": {median}, \"unit\": \"ns\", \"bound\": null, \"met\": null, \
             \"case\": \"{case}\", \"contender\": \"{name}\", \"rounds\": {times:?}}}"
        ));
    }
}

fn usage() -> ! {
    eprintln!("usage: tools/bench rust [--json FILE] [--rounds N] [--round-ms N]");
    std::process::exit(2);
}

fn main() {
    let (mut json, mut rounds, mut length) = (None, 15, 60);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| usage());
        match argument.as_str() {
            "--json" => json = Some(value),
            "--rounds" => rounds = value.parse().ok().filter(|n| *n > 0).unwrap_or_else(|| usage()),
            "--round-ms" => length = value.parse().ok().filter(|n| *n > 0).unwrap_or_else(|| usage()),
            _ => usage(),
        }
    }
    let mut figures = Vec::new();
    for (threads, connections) in CASES {
        let case = format!("{threads} thread{} or tasks, {connections} connections", if threads == 1 { "" } else { "s" });
        let contenders = pools::contenders(threads, connections);
        compete(&case, &contenders, rounds, Duration::from_millis(length), &mut figures);
    }
    if let Some(file) = json {
        if let Err(error) = std::fs::write(&file, format!("[\n{}\n]\n", figures.join(",\n"))) {
            eprintln!("bench: cannot write {file}: {error}");
            std::process::exit(1);
        }
    }
}
