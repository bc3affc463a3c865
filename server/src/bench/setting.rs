//! Where a benchmark runs: data directory, store, engine, accounts, and the thread that keeps the read models up.

use super::Load;
use crate::node::SystemClock;
use crate::node::follow::day_of;
use anyhow::{Context as _, anyhow, bail};
use charge::catalog::Catalogs;
use charge::{AccountId, EntityKey, OperatorId};
use engine::{Engine, Settings};
use sim::bench::journal::{self, Population};
use sim::bench::report::{ReadModelLag, rss_bytes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::project::STEP_BYTES;
use store::{Projector, SqliteOptions, SqliteStore, Store, StoreError};

/// What an earlier run left in a data directory.
const LEFT_FILE: &str = "bench.json";
/// How often the projection looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// An engine with accounts.
pub(super) struct Setting {
    pub engine: Arc<Engine>,
    pub population: Population,
    pub dir: PathBuf,
    pub populate_ms: Option<u64>,
    /// From opening the store to the first answer, milliseconds.
    pub open_ms: u64,
    pub rss_idle_bytes: u64,
    projection: Option<Projection>,
    /// Removes a directory that this run made.
    _scratch: Option<Scratch>,
}

impl Setting {
    /// Opens the data directory, and makes its accounts when it has none.
    pub fn open(load: &Load, catalogs: &Arc<Catalogs>, operator: OperatorId) -> anyhow::Result<Setting> {
        let (dir, scratch) = match &load.data {
            Some(dir) => (dir.clone(), None),
            None => {
                let scratch = Scratch::make()?;
                (scratch.0.clone(), Some(scratch))
            }
        };
        let began = Instant::now();
        let store = SqliteStore::open(&dir, SqliteOptions::default())
            .with_context(|| format!("open the data directory {}", dir.display()))?;
        let settings = Settings {
            threads: usize::try_from(load.threads).unwrap_or(2),
            cache_bytes_max: usize::try_from(load.cache_mib << 20).unwrap_or(usize::MAX),
            snapshot_interval_us: i64::try_from(load.snapshot_seconds).unwrap_or(60) * 1_000_000,
            ..Settings::default()
        };
        let store_dyn: Arc<dyn Store> = Arc::new(store.clone());
        let engine = Engine::open(
            store_dyn,
            Arc::clone(catalogs),
            Arc::new(SystemClock),
            settings,
            None,
        )
        .with_context(|| format!("open the data directory {}", dir.display()))?;
        let engine = Arc::new(engine);
        // Every partition answers.
        for id in 1..=u64::from(engine.partitions()) {
            engine
                .read(EntityKey::Account(AccountId(id)), |entity, _| entity.is_some())
                .context("read an account")?;
        }
        let open_ms = millis(began);
        let projection = if load.no_read_models {
            None
        } else {
            Some(Projection::start(&store, catalogs)?)
        };
        let began = Instant::now();
        let (population, populate_ms) = match left_by_earlier_run(&dir)? {
            Some(population) if population.count < load.subscribers => {
                bail!(
                    "{} holds {} accounts; take another directory for more",
                    dir.display(),
                    population.count
                )
            }
            Some(population) => (
                Population {
                    count: load.subscribers,
                    ..population
                },
                None,
            ),
            None => {
                let population = populate(&engine, operator, load.subscribers)?;
                leave(&dir, population)?;
                (population, Some(millis(began)))
            }
        };
        let mut setting = Setting {
            engine,
            population,
            dir,
            populate_ms,
            open_ms,
            rss_idle_bytes: 0,
            projection,
            _scratch: scratch,
        };
        if populate_ms.is_some() {
            setting.settle();
        }
        setting.rss_idle_bytes = rss_bytes();
        Ok(setting)
    }

    /// Waits until the read models and the snapshots have what came with the accounts, so that the measurement begins
    /// with a quiet disk.
    fn settle(&mut self) {
        eprintln!("waiting for read models and snapshots");
        let rounds = self.engine.stats().snapshot_rounds;
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let stats = self.engine.stats();
            let written = stats.snapshot_rounds >= rounds + u64::from(self.engine.partitions());
            let projected = self
                .projection
                .as_ref()
                .is_none_or(|p| p.behind.load(Ordering::Relaxed) == 0);
            if written && projected {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops the engine; says how far behind the read models were and how long they took.
    pub fn finish(&mut self) -> anyhow::Result<Option<ReadModelLag>> {
        let lag = match self.projection.take() {
            Some(projection) => Some(projection.finish()?),
            None => None,
        };
        self.engine.stop();
        Ok(lag)
    }
}

fn populate(engine: &Engine, operator: OperatorId, count: u64) -> anyhow::Result<Population> {
    let (began, mut told) = (Instant::now(), Instant::now());
    let population = journal::populate(engine, operator, count, |done| {
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            let per_s = u128::from(done) * 1_000 / began.elapsed().as_millis().max(1);
            eprintln!("accounts {done}/{count}  {per_s}/s");
        }
    });
    population.map_err(|error| anyhow!(error))
}

fn left_by_earlier_run(dir: &Path) -> anyhow::Result<Option<Population>> {
    let path = dir.join(LEFT_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let numbers: [u64; 3] =
        serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(Population {
        first: AccountId(numbers[0]),
        count: numbers[1],
        msisdn: numbers[2],
    }))
}

fn leave(dir: &Path, population: Population) -> anyhow::Result<()> {
    let numbers = [population.first.0, population.count, population.msisdn];
    let path = dir.join(LEFT_FILE);
    std::fs::write(&path, serde_json::to_string(&numbers)?)
        .with_context(|| format!("write {}", path.display()))
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The thread that keeps the read models up, as `serve` has it.
struct Projection {
    stop: Arc<AtomicBool>,
    /// Batches that were waiting at the end of the last step.
    behind: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Projection {
    fn start(store: &SqliteStore, catalogs: &Arc<Catalogs>) -> anyhow::Result<Projection> {
        let models = store.read_models().context("open the read models")?;
        let mut projector = Projector::open(&models, day_of(catalogs)).context("open the read models")?;
        let mut journal = store.journal_reader().context("read the journal")?;
        let stop = Arc::new(AtomicBool::new(false));
        let behind = Arc::new(AtomicU64::new(0));
        let (stopped, left) = (Arc::clone(&stop), Arc::clone(&behind));
        let run = move || {
            store::background::lower_priority();
            loop {
                let began = Instant::now();
                let last = stopped.load(Ordering::Acquire);
                let step = projector.step(&mut *journal, STEP_BYTES)?;
                left.store(step.behind, Ordering::Relaxed);
                if last {
                    if step.batches == 0 {
                        return Ok(());
                    }
                } else {
                    let until = Instant::now() + projector.rest(&step, began.elapsed());
                    while Instant::now() < until && !stopped.load(Ordering::Acquire) {
                        std::thread::sleep(LOOK_EVERY);
                    }
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("read-models".to_owned())
            .spawn(run)
            .context("start the thread of the read models")?;
        Ok(Projection { stop, behind, thread })
    }

    fn finish(self) -> anyhow::Result<ReadModelLag> {
        let behind_batches = self.behind.load(Ordering::Relaxed);
        let began = Instant::now();
        self.stop.store(true, Ordering::Release);
        match self.thread.join() {
            Ok(result) => result.context("keep the read models up")?,
            Err(_) => bail!("the thread of the read models has panicked"),
        }
        Ok(ReadModelLag {
            behind_batches,
            caught_up_ms: millis(began),
        })
    }
}

/// A directory of this run in the current directory, on the disk that is to be measured.
pub(super) struct Scratch(pub PathBuf);

impl Scratch {
    pub fn make() -> anyhow::Result<Scratch> {
        let here = std::env::current_dir().context("find the current directory")?;
        let dir = here.join(format!("raseed-bench-{}", std::process::id()));
        std::fs::create_dir(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
