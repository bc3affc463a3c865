//! `offers announce`: whom to tell of a promotion, and when, as a file for the sender of bulk messages.
//!
//! The file is also the memory of who was told: a second run adds those who agreed since, and nobody twice.

use super::existing;
use crate::cli::AnnounceArgs;
use crate::failure::Failure;
use crate::node::{self, Node};
use crate::output::Output;
use anyhow::Context as _;
use charge::announce::{Consents, Pace, Way, plan, text};
use charge::{Account, Catalog, Code, Entity, EntityKey, Msisdn};
use people::People;
use people::consents::{Channel, Notice};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Folder in the data directory.
const FOLDER: &str = "announced";
/// Subscribers read at once.
const PAGE: usize = 1_000;

/// Who agreed, from the accounts of people; who was told, from the file.
struct Said<'a> {
    people: &'a People,
    told: BTreeSet<u64>,
}

impl Consents for Said<'_> {
    type Error = people::PeopleError;

    fn wants_offers(&self, number: Msisdn, way: Way) -> Result<bool, Self::Error> {
        let channel = match way {
            Way::Sms => Channel::Sms,
            Way::Push => Channel::Push,
        };
        self.people.agrees(number, Notice::Offers, channel)
    }

    fn was_told(&self, number: Msisdn, _: Code) -> Result<bool, Self::Error> {
        Ok(self.told.contains(&number.number()))
    }
}

/// `raseed offers announce`.
pub fn announce(args: &AnnounceArgs, output: &Output) -> anyhow::Result<()> {
    let config = existing(&args.data.data, args.data.config.as_ref())?;
    let node = Node::open(&config, None)?;
    let done = announce_from(&node, args, &config.data, output);
    node.stop();
    done
}

fn announce_from(node: &Node, args: &AnnounceArgs, data: &Path, output: &Output) -> anyhow::Result<()> {
    let catalog = node
        .catalogs
        .by_code(&args.operator)
        .ok_or_else(|| Failure::usage(format!("there is no operator \"{}\"", args.operator)))?;
    let promotion = Code::new(&args.promotion)
        .and_then(|code| catalog.promotion(code))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{} has no promotion \"{}\"",
                catalog.code, args.promotion
            ))
        })?;
    let file = data
        .join(FOLDER)
        .join(format!("{}.{}.csv", catalog.code, promotion.code));
    let said = Said {
        people: &node.people,
        told: told(&file)?,
    };
    let pace = Pace {
        per_second: args.per_second,
        ..Pace::default()
    };
    let accounts = accounts(node, catalog)?;
    let now = node::now();
    let plan =
        plan(catalog, promotion, accounts, &said, (Way::Sms, pace, now)).context("read the consents")?;
    let mut rows = String::new();
    for message in &plan.messages {
        let words = text(catalog, promotion, message.language, &args.stop).replace('"', "\"\"");
        rows.push_str(&format!(
            "{},{},{},\"{words}\"\n",
            message.number,
            message.language.tag(),
            message.at
        ));
    }
    if !args.dry_run && !rows.is_empty() {
        append(&file, &rows).with_context(|| format!("write {}", file.display()))?;
    }
    let facts = json!({
        "operator": catalog.code.as_str(), "promotion": promotion.code.as_str(), "file": file.display().to_string(),
        "dry_run": args.dry_run, "messages": plan.messages.len(), "not_agreed": plan.unwilling, "told_before": plan.told,
        "cannot_earn": plan.unfit, "too_late": plan.too_late,
        "first": plan.messages.first().map(|first| first.at.to_string()),
        "last": plan.messages.last().map(|last| last.at.to_string()),
    });
    output.value(&facts, |print| {
        let verb = if args.dry_run {
            "would be told"
        } else {
            "are to be told"
        };
        print.line(&format!(
            "{} people {verb} of {}",
            plan.messages.len(),
            promotion.code
        ));
        print.line(&format!(
            "left out: {} did not agree, {} were told before, {} cannot earn it, {} too late",
            plan.unwilling, plan.told, plan.unfit, plan.too_late
        ));
        if !args.dry_run && !plan.messages.is_empty() {
            print.line(&format!("number, language, not before, text: {}", file.display()));
        }
    })
}

fn accounts(node: &Node, catalog: &Catalog) -> anyhow::Result<Vec<Account>> {
    node.catch_up()?;
    let mut reader = node.reads.reader().context("read the subscribers")?;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = reader
            .subscribers(catalog.operator, after, PAGE)
            .context("read the subscribers")?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.account);
        for subscriber in &page {
            let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).cloned();
            let found = node.engine.read(EntityKey::Account(subscriber.account), look);
            all.extend(found.context("read an account")?);
        }
    }
}

/// Numbers in the file; none when there is no file.
fn told(file: &Path) -> anyhow::Result<BTreeSet<u64>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let first = |line: &str| line.split(',').next().and_then(|number| number.parse().ok());
    Ok(text.lines().filter_map(first).collect())
}

fn append(file: &PathBuf, rows: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(rows.as_bytes())?;
    file.sync_all()
}
