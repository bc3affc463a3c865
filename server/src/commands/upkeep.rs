//! Work on a stopped data directory: `audit`, `rebuild`.

use super::existing;
use crate::catalogs;
use crate::cli::DataArgs;
use crate::failure::{self, Failure, Kind};
use crate::instance::Instance;
use crate::node::{Node, follow, open_store};
use crate::output::{Output, Printer};
use crate::progress::Progress;
use anyhow::Context as _;
use charge::catalog::Catalogs;
use engine::AuditReport;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::{Projector, ReadModels, SqliteStore, Store};

/// `raseed rebuild`: read models anew from the journal.
pub fn rebuild(args: &DataArgs, output: &Output) -> anyhow::Result<()> {
    let config = existing(&args.data, args.config.as_ref())?;
    let started = Instant::now();
    let store = open_store(&config)?;
    let catalogs = Arc::new(catalogs::load(config.catalogs.dir.as_deref())?);
    let models = store.read_models().context("open the read models")?;
    let mut projector =
        Projector::open(&models, follow::day_of(&catalogs)).context("open the read models")?;
    projector.rebuild().context("empty the read models")?;
    let mut progress = Progress::new("batches", 0);
    let (mut batches, mut events) = (0, 0);
    let mut journal = store.journal_reader().context("open the journal")?;
    projector
        .catch_up(&mut *journal, |step| {
            batches += step.batches;
            events += step.events;
            progress.at(batches, batches + step.behind);
        })
        .context("project the journal")?;
    drop(progress);
    let counts = models.reader()?.counts().context("count the read models")?;
    let rows: serde_json::Map<String, serde_json::Value> = counts
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
        .collect();
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.value(
        &json!({"ok": true, "batches": batches, "events": events, "rows": rows, "elapsed_ms": elapsed_ms}),
        |print| {
            print.line(&format!(
                "read models made again from {batches} batches, {events} events, in {elapsed_ms} ms"
            ));
            for (table, rows) in &counts {
                print.line(&format!("  {rows:>12}  {table}"));
            }
        },
    )
}

/// `raseed audit`: replays everything and compares everything.
pub fn audit(args: &DataArgs, output: &Output) -> anyhow::Result<()> {
    let config = existing(&args.data, args.config.as_ref())?;
    let started = Instant::now();
    let partitions =
        Instance::find(&config.data)?.map_or(config.engine.partitions, |instance| instance.partitions);
    let store = open_store(&config)?;
    let catalogs = Arc::new(catalogs::load(config.catalogs.dir.as_deref())?);
    let mut progress = Progress::new("batches", 0);
    let mut watch = |batches, of| progress.at(batches, of);
    let found = audit_store(&store, partitions, &catalogs, &mut watch)?;
    drop(progress);
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.value(&found.json(elapsed_ms), |print| found.print(print, elapsed_ms))?;
    if found.ok() {
        return Ok(());
    }
    let count = found.report.problem_count + found.read_models.len() as u64;
    Err(
        Failure::new(Kind::Failed, format!("the audit found {count} problems"))
            .hint(
                "Keep a copy of the data directory before anything else. `raseed rebuild` mends read models.",
            )
            .into(),
    )
}

/// What an audit found.
pub struct Audited {
    /// Journal, hashes, snapshots, ledger.
    pub report: AuditReport,
    /// Read-model tables that differ from a fresh projection.
    pub read_models: Vec<String>,
}

/// Audits an open store whose engine has stopped. The read models are brought up to date first, then compared with a
/// second projection from nothing.
pub fn audit_store(
    store: &SqliteStore,
    partitions: u16,
    catalogs: &Arc<Catalogs>,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Audited> {
    let report = replay(store, partitions, progress)?;
    let models = store.read_models().context("open the read models")?;
    let read_models = match project(store, &models, catalogs) {
        Ok(()) => compare(store, &models, catalogs)?,
        // Read models that cannot go on are a finding, not a reason to give up.
        Err(error) => vec![failure::chain(&error)],
    };
    Ok(Audited { report, read_models })
}

/// Audits a running node that has nothing to do.
pub fn audit_live(node: &Node) -> anyhow::Result<Audited> {
    let report = replay(&node.store, node.instance.partitions, &mut |_, _| {})?;
    node.catch_up()?;
    let read_models = compare(&node.store, &node.reads, &node.catalogs)?;
    Ok(Audited { report, read_models })
}

fn replay(
    store: &SqliteStore,
    partitions: u16,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<AuditReport> {
    engine::audit::audit(store, partitions, &mut |at| progress(at.batches, at.of))
        .context("replay the journal")
}

fn project(store: &SqliteStore, models: &ReadModels, catalogs: &Arc<Catalogs>) -> anyhow::Result<()> {
    let mut journal = store.journal_reader().context("open the journal")?;
    let mut projector = Projector::open(models, follow::day_of(catalogs)).context("open the read models")?;
    projector
        .catch_up(&mut *journal, |_| {})
        .context("project the journal")
}

fn compare(
    store: &SqliteStore,
    models: &ReadModels,
    catalogs: &Arc<Catalogs>,
) -> anyhow::Result<Vec<String>> {
    let scratch = Scratch::new(store.dir());
    let fresh = ReadModels::at_path(&scratch.path).context("make read models to compare with")?;
    project(store, &fresh, catalogs)?;
    models.differences(&fresh).context("compare the read models")
}

impl Audited {
    /// True when everything is whole.
    pub fn ok(&self) -> bool {
        self.report.ok() && self.read_models.is_empty()
    }

    fn json(&self, elapsed_ms: u64) -> Value {
        let report = &self.report;
        json!({
            "ok": self.ok(), "partitions": report.partitions, "batches": report.batches, "events": report.events,
            "entities": report.entities, "snapshot_rows": report.snapshots, "in_transit_micros": report.in_transit.to_string(),
            "problem_count": report.problem_count + self.read_models.len() as u64,
            "problems": report.problems.iter().chain(&self.read_models).collect::<Vec<_>>(),
            "elapsed_ms": elapsed_ms,
        })
    }

    fn print(&self, print: &mut Printer, elapsed_ms: u64) {
        let report = &self.report;
        print.line(&format!(
            "journal: {} batches, {} events in {} partitions replayed from nothing in {elapsed_ms} ms",
            report.batches, report.events, report.partitions
        ));
        print.line(&format!(
            "snapshots: {} rows compared with {} entities",
            report.snapshots, report.entities
        ));
        for problem in report.problems.iter().chain(&self.read_models) {
            print.line(&format!("  problem: {problem}"));
        }
        if self.ok() {
            print.line("hash chain whole, snapshots and read models equal, the ledger sums to zero");
        }
    }
}

/// A database file that goes away again.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(dir: &Path) -> Scratch {
        let scratch = Scratch {
            path: dir.join(format!("audit-{}.sqlite", std::process::id())),
        };
        scratch.remove();
        scratch
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            // It may not be there.
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}
