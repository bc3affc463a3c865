//! The cash book of a kiosk, and what staff does with it. The kiosk may be running.

use super::config::KioskConfig;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use kiosk::book::{Book, Order, State};
use serde_json::{Value, json};
use std::path::PathBuf;

/// `kiosk ...`
#[derive(Subcommand, Debug)]
pub enum KioskCommand {
    /// Run the kiosk: the touch screen, its devices, its book.
    #[command(after_help = "Point the kiosk's browser at the address that it prints:\n  \
                            chromium --kiosk --kiosk-printing http://127.0.0.1:8091\n\ndocs/how-to/kiosk.md says more.")]
    Run {
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
        /// Simulate cash acceptor and card terminal; what happens to them is typed.
        #[arg(long)]
        simulate: bool,
    },
    /// Show the cash book: the box, what was credited, what waits, what is owed.
    Status {
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
    },
    /// Show one order and everything that happened to it.
    Order {
        /// Number behind the name in the reference of the slip.
        number: u64,
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
    },
    /// Write down that somebody took the notes out of the box.
    Empty {
        /// Who.
        #[arg(long)]
        by: String,
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
    },
    /// Write down where a stuck note was found that the acceptor does not remember.
    Found {
        /// Number of the order: see `stuck` in `status`.
        order: u64,
        /// Number of the note.
        note: u64,
        /// It was in the box: it is recharged. Without this it was taken out and given back.
        #[arg(long)]
        in_box: bool,
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
    },
    /// Write down that a customer got the money of an owed slip back.
    Repaid {
        /// Number behind the name in the reference of the slip.
        number: u64,
        /// Who gave it back.
        #[arg(long)]
        by: String,
        /// Where its file is.
        #[command(flatten)]
        file: KioskFile,
    },
}

/// The file of a kiosk.
#[derive(Args, Debug)]
pub struct KioskFile {
    /// Configuration of the kiosk.
    #[arg(long, value_name = "FILE", default_value = "kiosk.toml")]
    pub config: PathBuf,
}

/// Carries a command out.
pub fn run(command: &KioskCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        KioskCommand::Run { file, simulate } => super::run(&file.config, *simulate, output),
        KioskCommand::Status { file } => status(&open(file)?, output),
        KioskCommand::Order { number, file } => order(&open(file)?, *number, output),
        KioskCommand::Empty { by, file } => empty(&mut open(file)?, by, output),
        KioskCommand::Found {
            order,
            note,
            in_box,
            file,
        } => found(&mut open(file)?, (*order, *note), *in_box, output),
        KioskCommand::Repaid { number, by, file } => repaid(&mut open(file)?, *number, by, output),
    }
}

fn open(file: &KioskFile) -> anyhow::Result<Book> {
    let config = KioskConfig::read(&file.config)?;
    if !config.book.exists() {
        let message = format!("{} is not there", config.book.display());
        return Err(Failure::usage(message)
            .hint("The kiosk makes its book when it runs.")
            .into());
    }
    Book::open(&config.book).with_context(|| format!("open {}", config.book.display()))
}

fn order_json(order: &Order) -> Value {
    json!({
        "order": order.seq, "state": order.state.name(), "begun_at": order.begun_at.to_string(),
        "msisdn": order.number.masked(), "operator": order.operator, "asked": order.asked.exact(), "paid": order.paid.exact(),
        "way": if order.card { "card" } else { "cash" }, "offline": order.offline, "receipt": order.receipt,
        "credited": order.credited.exact(), "refusal": order.refusal, "refused": order.refused, "follows": order.follows,
        "bundle": order.bundle,
    })
}

fn status(book: &Book, output: &Output) -> anyhow::Result<()> {
    let cash = book.cash()?;
    let list = |state: State| -> anyhow::Result<Vec<Value>> {
        Ok(book.in_state(state)?.iter().map(order_json).collect())
    };
    let notes: Vec<Value> = cash
        .notes
        .iter()
        .map(|(value, count)| json!({"value": value.exact(), "count": count}))
        .collect();
    let stuck: Vec<Value> = book
        .open_notes()?
        .iter()
        .map(|note| json!({"order": note.seq, "note": note.note, "value": note.value.exact()}))
        .collect();
    let value = json!({
        "box": {"total": cash.in_box.exact(), "notes": notes},
        "taken": cash.taken.exact(), "credited": cash.credited.exact(), "waiting": cash.waiting.exact(),
        "owed": cash.owed.exact(), "repaid": cash.repaid.exact(), "open": cash.open.exact(), "stray": cash.stray.exact(),
        "balances": cash.balances(), "stuck": stuck,
        "orders": {"paying": list(State::Paying)?, "paid": list(State::Paid)?, "owed": list(State::Owed)?,
            "reversing": list(State::Reversing)?},
    });
    output.value(&value, |print| {
        print.line(&format!("in the box: {}", cash.in_box.shown()));
        for (value, count) in &cash.notes {
            print.line(&format!("  {count} x {}", value.shown()));
        }
        for (name, amount) in [
            ("credited", cash.credited),
            ("waits for its credit", cash.waiting),
            ("owed to customers", cash.owed),
            ("given back", cash.repaid),
            ("being paid", cash.open),
            ("of nobody", cash.stray),
        ] {
            print.line(&format!("{name}: {}", amount.shown()));
        }
        print.line(if cash.balances() {
            "every note is accounted for"
        } else {
            "NOTES ARE MISSING"
        });
    })
}

fn order(book: &Book, number: u64, output: &Output) -> anyhow::Result<()> {
    let order = book.order(number)?.ok_or_else(|| no_order(number))?;
    let steps = book.steps(number)?;
    let mut value = order_json(&order);
    value["steps"] = steps
        .iter()
        .map(|(at, what)| json!({"at": at.to_string(), "what": what}))
        .collect::<Vec<_>>()
        .into();
    output.value(&value, |print| {
        print.line(&format!(
            "order {number}: {}, paid {}",
            order.state.name(),
            order.paid.shown()
        ));
        for (at, what) in &steps {
            print.line(&format!("  {at}  {what}"));
        }
    })
}

fn empty(book: &mut Book, by: &str, output: &Output) -> anyhow::Result<()> {
    let cash = book.empty_box(by, super::line::now())?;
    let count: u64 = cash.notes.iter().map(|(_, count)| count).sum();
    let value = json!({"notes": count, "total": cash.in_box.exact(), "by": by});
    output.value(&value, |print| {
        print.line(&format!(
            "{count} notes, {} together; the box counts from zero",
            cash.in_box.shown()
        ));
    })
}

fn found(book: &mut Book, which: (u64, u64), in_box: bool, output: &Output) -> anyhow::Result<()> {
    let (order, note) = which;
    if !kiosk::till::found(book, which, in_box, super::line::now())? {
        let message = format!("order {order} has no stuck note {note}");
        return Err(Failure::new(Kind::Refused, message).into());
    }
    output.value(
        &json!({"order": order, "note": note, "in_box": in_box}),
        |print| {
            print.line(if in_box {
                "counted; it is recharged"
            } else {
                "given back"
            });
        },
    )
}

fn repaid(book: &mut Book, number: u64, by: &str, output: &Output) -> anyhow::Result<()> {
    let now = super::line::now();
    let done = book.change(|page| {
        let Some(order) = page.order(number)? else {
            return Ok(None);
        };
        if order.state != State::Owed {
            return Ok(Some(Err(order.state)));
        }
        let order = Order {
            state: State::Repaid,
            ..order
        };
        page.put(&order, now, &format!("repaid by {by}"))?;
        Ok(Some(Ok(order.paid)))
    })?;
    match done {
        None => Err(no_order(number).into()),
        Some(Err(state)) => {
            let message = format!("order {number} is {}, nothing is owed", state.name());
            Err(Failure::new(Kind::Refused, message).into())
        }
        Some(Ok(paid)) => output.value(
            &json!({"order": number, "repaid": paid.exact(), "by": by}),
            |print| {
                print.line(&format!("order {number}: {} given back", paid.shown()));
            },
        ),
    }
}

fn no_order(number: u64) -> Failure {
    Failure::new(Kind::Refused, format!("there is no order {number}"))
}
