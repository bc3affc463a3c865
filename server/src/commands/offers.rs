//! `offers announce`: tells people of a promotion. The order goes to the server (or into a stopped data directory), which keeps
//! it, writes the letters and sends them; with `--dry-run` only a plan is written, and nothing is sent or remembered.

use super::{existing, with};
use crate::cli::AnnounceArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::node::{self, Node};
use crate::output::Output;
use crate::progress::Progress;
use anyhow::Context as _;
use charge::announce::{Consents, Pace, Way, plan, text};
use charge::{Account, Catalog, Code, Entity, EntityKey, Msisdn};
use people::People;
use people::consents::{Channel, Notice};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Folder in the data directory.
const FOLDER: &str = "announced";
/// Subscribers read at once.
const PAGE: usize = 1_000;

/// So many looks without a change end the watching.
const STILL_MAX: u32 = 10;
/// Looked at so often while letters go out.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who agreed, from the accounts of people; who was told, from the outbox: a plan has not told anybody.
struct Said<'a> {
    people: &'a People,
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

    fn was_told(&self, _: Msisdn, _: Code) -> Result<bool, Self::Error> {
        Ok(false)
    }
}

/// `raseed offers announce`.
pub fn announce(args: &AnnounceArgs, output: &Output) -> anyhow::Result<()> {
    if args.dry_run {
        let data = args.target.data.as_ref().ok_or_else(|| {
            Failure::usage("a dry run reads a stopped data directory").hint("Name it with --data DIR.")
        })?;
        let config = existing(data, args.target.config.as_ref())?;
        let node = Node::open(&config, None)?;
        let done = plan_from(&node, args, &config.data, output);
        node.stop();
        return done;
    }
    with(&args.target, |client| order(client, args, output))
}

/// Orders it, and watches until all letters are out or wait for the morning.
fn order(client: &Client, args: &AnnounceArgs, output: &Output) -> anyhow::Result<()> {
    let body = json!({
        "operator": args.operator, "promotion": args.promotion, "per_second": args.per_second, "stop": args.stop,
    });
    let mut state = client.post("/v1/announcements", body).send()?;
    let number = |state: &Value, name: &str| state[name].as_u64().unwrap_or(0);
    if args.target.data.is_none() && !args.no_wait {
        let path = format!("/v1/announcements/{}/{}", args.operator, args.promotion);
        let mut bar = Progress::new("letters", 0);
        let (mut last, mut still) = (u64::MAX, 0_u32);
        while !state["reached_all"].as_bool().unwrap_or(false) || number(&state, "waiting") > 0 {
            std::thread::sleep(LOOK_EVERY);
            state = client.get(path.clone()).send()?;
            let done = number(&state, "sent") + number(&state, "failed");
            bar.at(done, done + number(&state, "waiting"));
            still = if done == last { still + 1 } else { 0 };
            last = done;
            // The rest waits for the end of the quiet hours or for the other side; the server goes on without us.
            if still > STILL_MAX {
                break;
            }
        }
    }
    output.value(&state, |print| {
        print.line(&format!(
            "{}: {} people told or to be told, {} left out; letters: {} sent, {} waiting, {} given up",
            args.promotion,
            number(&state, "told"),
            number(&state, "left_out"),
            number(&state, "sent"),
            number(&state, "waiting"),
            number(&state, "failed"),
        ));
        if number(&state, "waiting") > 0 || args.target.data.is_some() {
            print.line("what waits is sent by `raseed serve`, outside of the quiet hours");
        }
    })
}

fn plan_from(node: &Node, args: &AnnounceArgs, data: &Path, output: &Output) -> anyhow::Result<()> {
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
    let said = Said { people: &node.people };
    let pace = Pace {
        per_second: args.per_second,
        quiet: node.desk.quiet(),
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
    write(&file, &rows).with_context(|| format!("write {}", file.display()))?;
    let facts = json!({
        "operator": catalog.code.as_str(), "promotion": promotion.code.as_str(), "file": file.display().to_string(),
        "dry_run": true, "messages": plan.messages.len(), "not_agreed": plan.unwilling, "cannot_earn": plan.unfit, "too_late": plan.too_late,
        "first": plan.messages.first().map(|first| first.at.to_string()),
        "last": plan.messages.last().map(|last| last.at.to_string()),
    });
    output.value(&facts, |print| {
        print.line(&format!(
            "{} people would be told of {} by SMS",
            plan.messages.len(),
            promotion.code
        ));
        print.line(&format!(
            "left out: {} did not agree, {} cannot earn it, {} too late",
            plan.unwilling, plan.unfit, plan.too_late
        ));
        print.line(&format!("number, language, not before, text: {}", file.display()));
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

fn write(file: &Path, rows: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(rows.as_bytes())?;
    file.sync_all()
}
