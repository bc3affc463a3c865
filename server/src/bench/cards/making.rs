//! Making cards, in a process of its own: what a million PINs leave behind in the memory of one that prints is not in the
//! server that redeems them days later.

use super::{CardsLoad, bytes_in, desk_of, per_second};
use crate::bench::OPERATOR;
use crate::cards::{Vault, sealed};
use crate::config::Config;
use crate::node::Node;
use anyhow::{Context as _, anyhow};
use charge::card::{BATCH_CARDS_MAX, CardState, NewBatch, SetCards};
use charge::time::DAY;
use charge::{Code, Command, Entity, EntityKey, Money, OperatorId};
use engine::Engine;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sim::bench::journal;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use web::cards::make::Printable;
use web::cards::{CardDesk, CardVault};

/// The name of the printer's key.
const PRINTER: &str = "press";
/// Batches that are made at the same time.
const AT_ONCE: usize = 2;
/// PINs that are to be redeemed, in their order, one in a line.
const PINS_FILE: &str = "bench-pins";

/// What was made.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    /// The first number of an account; the others follow it.
    pub first: u64,
    pub per_s: u64,
    pub bytes: u64,
    pub export_bytes: u64,
}

/// Makes accounts and cards in a directory, in a child process; gives the PINs to be redeemed as well.
pub(super) fn in_a_child(load: &CardsLoad, dir: &Path) -> anyhow::Result<(Made, Vec<String>)> {
    let program = std::env::current_exe().context("find this program")?;
    let numbers = [
        ("--cards", load.cards),
        ("--subscribers", load.subscribers),
        ("--rate", load.rate),
        ("--seconds", load.seconds),
    ];
    let child = std::process::Command::new(program)
        .args(["bench", "cards", "--make-in"])
        .arg(dir)
        .args(
            numbers
                .iter()
                .flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]),
        )
        .stderr(Stdio::inherit())
        .output()
        .context("start the press")?;
    anyhow::ensure!(child.status.success(), "the press ended with {}", child.status);
    let made = serde_json::from_slice(&child.stdout).context("read what was made")?;
    let pins = dir.join(PINS_FILE);
    let text = std::fs::read_to_string(&pins).context("read the PINs")?;
    std::fs::remove_file(&pins).context("remove the PINs")?;
    Ok((made, text.lines().map(str::to_owned).collect()))
}

/// The child: makes, and prints a [`Made`].
pub(super) fn run(load: &CardsLoad, dir: &Path) -> anyhow::Result<()> {
    let config = config_in(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the network threads")?;
    let node = Node::open(&config, None)?;
    let operator = node
        .catalogs
        .by_code(OPERATOR)
        .context("the catalog has no operator")?
        .operator;
    let population = journal::populate(&node.engine, operator, load.subscribers, |_| {});
    let population = population.map_err(|error| anyhow!(error))?;
    node.stop();
    let before = bytes_in(dir)?;

    let press = Arc::new(Press {
        vault: Vault::open(&config.data, &config.cards)?,
        kept: usize::try_from(load.redemptions()).unwrap_or(usize::MAX),
        pins: Mutex::default(),
    });
    let node = Node::open(&config, None)?;
    let desk = desk_of(&node, Arc::clone(&press) as Arc<dyn CardVault>);
    eprintln!("making {} cards", load.cards);
    let began = Instant::now();
    let batches = runtime.block_on(make(&desk, operator, load.cards))?;
    let made_in = began.elapsed();
    drop(desk);
    node.stop();
    let export_bytes = handed_out(&press, &batches)?;
    let bytes = bytes_in(dir)?.saturating_sub(before);

    let node = Node::open(&config, None)?;
    for batch in &batches {
        activate(&node.engine, *batch)?;
    }
    node.stop();
    std::fs::write(dir.join(PINS_FILE), press.in_turn(load.redemptions())).context("write the PINs")?;
    let made = Made {
        first: population.msisdn,
        per_s: per_second(load.cards, made_in),
        bytes,
        export_bytes,
    };
    println!("{}", serde_json::to_string(&made).context("write what was made")?);
    Ok(())
}

/// The vault of the server, which seals to a printer's key and writes; and some PINs of each batch, to be redeemed.
struct Press {
    vault: Vault,
    /// PINs of a batch that are kept at most.
    kept: usize,
    pins: Mutex<BTreeMap<u32, Vec<String>>>,
}

impl Press {
    /// So many PINs in lines, from all batches in turn; the hashes spread them over the shelves.
    fn in_turn(&self, count: u64) -> String {
        let pins = self.pins.lock();
        let turns = (0..self.kept).flat_map(|place| pins.values().filter_map(move |batch| batch.get(place)));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        turns.take(count).flat_map(|pin| [pin.as_str(), "\n"]).collect()
    }
}

impl CardVault for Press {
    fn printers(&self) -> Vec<String> {
        self.vault.printers()
    }
    fn seal(&self, batch: u32, printer: &str, cards: &Printable) -> Result<(), String> {
        self.vault.seal(batch, printer, cards)?;
        let mut lines = String::new();
        cards.write_lines(0..cards.len().min(self.kept), &mut lines);
        let pins = lines.lines().filter_map(|line| line.split_once(','));
        let pins = pins.take(self.kept).map(|(_, pin)| pin.to_owned()).collect();
        self.pins.lock().insert(batch, pins);
        Ok(())
    }
    fn take(&self, batch: u32) -> Result<Option<Vec<u8>>, String> {
        self.vault.take(batch)
    }
}

/// A configuration with a printer's key.
fn config_in(dir: &Path) -> anyhow::Result<Config> {
    let mut config = Config {
        data: dir.to_owned(),
        ..Config::default()
    };
    let (_, public) = sealed::generate().map_err(|error| anyhow!(error))?;
    config.cards.printers.insert(PRINTER.to_owned(), public);
    Ok(config)
}

/// Gives the exports to their printer, so that what stays is the journal and the snapshots; how long they were.
fn handed_out(press: &Press, batches: &[u32]) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for batch in batches {
        let export = press.take(*batch).map_err(|error| anyhow!(error))?;
        bytes += u64::try_from(export.context("a batch has no export")?.len()).unwrap_or(0);
    }
    Ok(bytes)
}

async fn make(desk: &CardDesk, operator: OperatorId, cards: u64) -> anyhow::Result<Vec<u32>> {
    let (mut left, mut all, mut running) = (cards, Vec::new(), Vec::new());
    while left > 0 || !running.is_empty() {
        if left > 0 && running.len() < AT_ONCE {
            let count = u32::try_from(left).unwrap_or(u32::MAX).min(BATCH_CARDS_MAX);
            let new = NewBatch {
                operator,
                face: Money::from_units(100),
                count,
                expires_at: crate::node::now().plus(365 * DAY),
                printer: Code::new(PRINTER).unwrap_or_default(),
                label: "bench".to_owned(),
                partitions: desk.parts().partitions,
            };
            let batch = desk.generate(new).await.context("make a batch")?;
            left -= u64::from(count);
            running.push(batch);
            all.push(batch);
            continue;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        running.retain(|batch| desk.progress(*batch).is_some());
    }
    for batch in &all {
        let entity = desk.parts().core.read(EntityKey::CardBatch(*batch)).await;
        let ready = matches!(entity.context("read a batch")?, Some(Entity::CardBatch(batch)) if batch.ready);
        anyhow::ensure!(ready, "batch {batch} was not made");
    }
    Ok(all)
}

fn activate(engine: &Engine, batch: u32) -> anyhow::Result<()> {
    engine.call(Command::ExportCards(batch)).context("export")?;
    for state in [CardState::Shipped, CardState::Active] {
        let set = SetCards {
            batch,
            part: None,
            state,
            dealer: Code::new("dealer").unwrap_or_default(),
        };
        engine.call(Command::SetCards(set)).context("activate")?;
    }
    Ok(())
}
