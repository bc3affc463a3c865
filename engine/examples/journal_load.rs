//! Load on the engine with a durable SQLite journal, in process: 80 % report-and-reserve, 20 % recharge (`charglt`).
//!
//! `cargo run --release -p engine --example journal_load -- DIR SUBSCRIBERS SECONDS [OUTSTANDING] [HOT] [RATE]`
//!
//! Closed loop with so many requests outstanding per generator, or paced to RATE per second (0: not paced). It prints the raw
//! append limit for the same commits. `raseed bench` is the tool for people; this one is for work on the engine.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a measuring tool reads the clock

#[path = "../tests/support/mod.rs"]
mod support;

use charge::command::{ChargeKind, Command};
use charge::ids::SessionKey;
use charge::{Reply, Timestamp};
use engine::{Clock, CompletionSink, Engine, EngineError, Settings};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::{SqliteOptions, SqliteStore, Store};

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

#[derive(Default)]
struct Sink {
    done: Mutex<Vec<(u64, bool)>>,
    waiting: Mutex<Option<std::thread::Thread>>,
}

impl CompletionSink for Sink {
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>) {
        self.done.lock().extend(results.drain(..).map(|(ticket, result)| {
            if let Err(error) = &result
                && !matches!(error, EngineError::Busy)
            {
                eprintln!("{error}");
            }
            (ticket, result.is_ok())
        }));
        if let Some(thread) = self.waiting.lock().as_ref() {
            thread.unpark();
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |index: usize, default: u64| args.get(index).and_then(|a| a.parse().ok()).unwrap_or(default);
    let dir = std::path::PathBuf::from(args.get(1).expect("a directory"));
    let (subscribers, seconds) = (number(2, 1_000_000), number(3, 10));
    let (outstanding, hot, rate) = (number(4, 1_000), number(5, 0), number(6, 0));
    let started = Instant::now();
    let store = Arc::new(SqliteStore::open(&dir, SqliteOptions::default()).expect("the store opens"));
    let threads = std::env::var("ENGINE_THREADS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(2);
    let settings = Settings {
        threads,
        cache_bytes_max: std::env::var("CACHE_MIB")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(4096)
            << 20,
        ..Settings::default()
    };
    let store_dyn: Arc<dyn Store> = Arc::<SqliteStore>::clone(&store);
    let engine = Engine::open(
        store_dyn,
        support::catalogs(),
        Arc::new(SystemClock),
        settings,
        None,
    )
    .expect("it opens");
    let engine = Arc::new(engine);
    let first = engine
        .read(support::account_key(1), |entity, _| entity.is_some())
        .expect("an answer");
    println!(
        "open and first answer: {:?}; rss {} MiB",
        started.elapsed(),
        rss_mib()
    );
    if !first {
        let begun = Instant::now();
        drive(&engine, 4_000, None, 0, &|n| {
            (n < subscribers).then(|| support::open(n + 1, 1_000_000))
        });
        println!(
            "{subscribers} accounts opened in {:?}; rss {} MiB",
            begun.elapsed(),
            rss_mib()
        );
    }
    let before = engine.stats();
    let sessions = AtomicU64::new(u64::from(std::process::id()) << 20);
    let numbers: Vec<AtomicU64> = (0..subscribers).map(|_| AtomicU64::new(0)).collect();
    let begun = Instant::now();
    let stop = Instant::now() + Duration::from_secs(seconds);
    let base = sessions.fetch_add(1, Ordering::Relaxed);
    let spread = if hot > 0 { hot } else { subscribers };
    let make = |n: u64| {
        let mut random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        random ^= random >> 29;
        random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random ^= random >> 32;
        let account = random % spread;
        if n % 5 == 4 {
            return Some(support::recharge(account + 1, 100, &format!("{base}-{n}")));
        }
        let number = numbers[account as usize].fetch_add(1, Ordering::Relaxed) as u32;
        let kind = if number == 0 {
            ChargeKind::Initial
        } else {
            ChargeKind::Update
        };
        let mut command = support::charge(account + 1, "s", kind, number, (number > 0).then_some(1 << 20));
        if let Command::Charge(request) = &mut command {
            request.session = SessionKey(u128::from(base) << 64 | u128::from(account));
        }
        Some(command)
    };
    let latencies = drive(&engine, outstanding, Some(stop), rate, &make);
    let elapsed = begun.elapsed();
    report(&engine, before, elapsed, latencies, &dir);
    let begun = Instant::now();
    engine.stop();
    println!("stopped in {:?}", begun.elapsed());
}

/// Two generators, each with a window of outstanding requests; answers the latencies in microseconds.
fn drive(
    engine: &Arc<Engine>,
    outstanding: u64,
    stop: Option<Instant>,
    rate: u64,
    make: &(impl Fn(u64) -> Option<Command> + Sync),
) -> Vec<u32> {
    const GENERATORS: u64 = 2;
    let over = AtomicBool::new(false);
    let run = |generator: u64| {
        let sink = Arc::new(Sink::default());
        *sink.waiting.lock() = Some(std::thread::current());
        let id = engine.add_sink(Arc::<Sink>::clone(&sink));
        let mut sent_at: Vec<Instant> = vec![Instant::now(); outstanding as usize];
        let mut free: Vec<u64> = (0..outstanding).collect();
        let (mut latencies, mut done, mut batch) = (Vec::new(), Vec::new(), Vec::new());
        let (mut next, begun, mut exhausted) = (generator, Instant::now(), false);
        loop {
            std::mem::swap(&mut *sink.done.lock(), &mut done);
            let now = Instant::now();
            for (ticket, _) in done.drain(..) {
                latencies.push((now - sent_at[ticket as usize]).as_micros() as u32);
                free.push(ticket);
            }
            exhausted |= stop.is_some_and(|stop| now >= stop) || over.load(Ordering::Relaxed);
            let mut allowed = u64::MAX;
            if rate > 0 {
                let due = begun.elapsed().as_micros() as u64 * rate / GENERATORS / 1_000_000;
                allowed = due.saturating_sub(next / GENERATORS);
            }
            while !exhausted && allowed > 0 {
                let Some(ticket) = free.pop() else { break };
                let Some(command) = make(next) else {
                    exhausted = true;
                    free.push(ticket);
                    break;
                };
                next += GENERATORS;
                allowed -= 1;
                sent_at[ticket as usize] = now;
                batch.push((ticket, command));
            }
            engine.submit_many(id, &mut batch);
            free.extend(batch.drain(..).map(|(ticket, _)| ticket));
            if exhausted && free.len() as u64 == outstanding {
                break;
            }
            std::thread::park_timeout(Duration::from_micros(500));
        }
        engine.remove_sink(id);
        latencies
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..GENERATORS).map(|n| scope.spawn(move || run(n))).collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().expect("a generator ends"))
            .collect()
    })
}

fn report(
    engine: &Engine,
    before: engine::StatsSnapshot,
    elapsed: Duration,
    mut latencies: Vec<u32>,
    dir: &std::path::Path,
) {
    latencies.sort_unstable();
    let percentile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let stats = engine.stats();
    let (ops, commits) = (latencies.len() as f64, stats.commits - before.commits);
    let bytes = stats.batch_bytes - before.batch_bytes;
    let rate = ops / elapsed.as_secs_f64();
    println!(
        "{rate:.0} ops/s; p50 {} p99 {} p99.9 {} max {} us; {commits} commits of {:.0} ops, {} B/op, {:.1} rows; rss {} MiB",
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0),
        ops / commits as f64,
        bytes / latencies.len() as u64,
        (stats.batches - before.batches) as f64 / commits as f64,
        rss_mib(),
    );
    println!("{stats:?}");
    let sizes = vec![(bytes / commits.max(1)) as usize; commits.min(2_000) as usize];
    let raw = store::raw_append_limit(dir, &sizes).expect("the disk can be measured");
    let per_commit = raw.elapsed.as_secs_f64() / sizes.len().max(1) as f64;
    let limit = ops / commits as f64 / per_commit;
    println!(
        "raw append limit of the same commits: {limit:.0} ops/s; ratio {:.2}",
        rate / limit
    );
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
