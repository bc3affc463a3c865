//! `raseed cards`: scratch cards from the key of a printer to the last try.

use crate::cards::sealed;
use crate::cli::{CardChange, CardsCommand};
use crate::client::{Client, escaped};
use crate::commands::with;
use crate::failure::Failure;
use crate::key_file;
use crate::output::Output;
use crate::progress::Progress;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// How often a batch that is being made is asked about.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// `raseed cards ...`
pub fn run(command: &CardsCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        CardsCommand::Key { out } => key(out, output),
        CardsCommand::Open { file, key, out } => open(file, key, out.as_deref(), output),
        CardsCommand::Generate(args) => with(&args.target, |client| {
            let body = json!({
                "operator": args.operator, "denomination": args.denomination, "count": args.count,
                "expires_at": format!("{}T00:00:00Z", args.expires), "printer": args.printer,
                "label": args.label.clone().unwrap_or_else(|| format!("{} {}", args.operator, args.denomination)),
            });
            generate(client, body, output)
        }),
        CardsCommand::Export { batch, out, target } => {
            with(target, |client| export(client, *batch, out, output))
        }
        CardsCommand::Ship(change) => set(change, "shipped", output),
        CardsCommand::Activate(change) => set(change, "active", output),
        CardsCommand::Sold(change) => set(change, "sold", output),
        CardsCommand::Recall(change) => set(change, "recalled", output),
        CardsCommand::Stolen(change) => set(change, "stolen", output),
        CardsCommand::Expire { batch, target } => with(target, |client| {
            let call = client.post(format!("/v1/card-batches/{batch}/expire"), Value::Null);
            changed(&call.send()?, output)
        }),
        CardsCommand::List { target } => with(target, |client| {
            let batches = client.get("/v1/card-batches").send()?;
            output.value(&batches, |print| {
                for batch in batches.as_array().into_iter().flatten() {
                    print.line(&summary(batch));
                }
            })
        }),
        CardsCommand::Show { what, target } => with(target, |client| show(client, what, output)),
        CardsCommand::Attempts { msisdn, target } => with(target, |client| {
            let mut call = client.get("/v1/card-attempts");
            if let Some(msisdn) = msisdn {
                call = call.query("msisdn", msisdn);
            }
            attempts(&call.send()?, output)
        }),
        CardsCommand::Redeem { msisdn, pin, target } => with(target, |client| {
            let body = json!({"msisdn": msisdn, "pin": pin});
            let done = client.post("/v1/vouchers/redeem", body).send()?;
            output.value(&done, |print| {
                let before = if done["repeated"] == true { " before" } else { "" };
                print.line(&format!(
                    "{} {} credited{before} to {}, receipt {}",
                    done["currency"].as_str().unwrap_or(""),
                    word(&done, "amount"),
                    word(&done, "msisdn"),
                    word(&done, "receipt")
                ));
            })
        }),
    }
}

fn key(out: &Path, output: &Output) -> anyhow::Result<()> {
    if out.exists() {
        return Err(Failure::usage(format!("{} is there already", out.display())).into());
    }
    let (private, public) = sealed::generate().map_err(anyhow::Error::msg)?;
    key_file::write(out, format!("{private}\n").as_bytes())?;
    let facts = json!({"private_key_file": out.display().to_string(), "public_key": public});
    output.value(&facts, |print| {
        print.line(&format!("private key, for the printer alone: {}", out.display()));
        print.line(&format!(
            "public key, for [cards.printers] of the server: {public}"
        ));
    })
}

fn open(file: &Path, key: &Path, out: Option<&Path>, output: &Output) -> anyhow::Result<()> {
    let private = key_file::read(key, "the printer's key")?
        .ok_or_else(|| Failure::usage(format!("there is no key at {}", key.display())))?;
    let sealed = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let mut lines = String::from("serial,pin\n");
    let header = sealed::open(&private, &sealed, |more| {
        lines.push_str(more);
        Ok(())
    })
    .map_err(Failure::usage)?;
    match out {
        Some(out) => {
            key_file::write(out, lines.as_bytes())?;
            output.value(&header, |print| {
                print.line(&format!("{} cards: {}", header["cards"], out.display()));
            })
        }
        None => {
            let mut to = std::io::stdout().lock();
            to.write_all(lines.as_bytes()).context("write the cards")
        }
    }
}

fn generate(client: &Client, body: Value, output: &Output) -> anyhow::Result<()> {
    let mut batch = client.post("/v1/card-batches", body).send()?;
    let path = format!("/v1/card-batches/{}", batch["batch"]);
    let count = batch["count"].as_u64().unwrap_or(0);
    let mut progress = Progress::new("cards", count);
    while batch["ready"] != true {
        let recalled = batch["ranges"][0]["state"] == "recalled";
        if recalled {
            let message = format!("batch {} could not be made; it was recalled", batch["batch"]);
            return Err(Failure::new(crate::failure::Kind::Failed, message)
                .hint("The server's log says why.")
                .into());
        }
        std::thread::sleep(ASK_EVERY);
        batch = client.get(path.clone()).send()?;
        progress.at(batch["made"].as_u64().unwrap_or(0), count);
    }
    drop(progress);
    output.value(&batch, |print| {
        print.line(&summary(&batch));
        print.line(&format!(
            "fetch the sealed cards, once: raseed cards export {} --out FILE",
            batch["batch"]
        ));
    })
}

fn export(client: &Client, batch: u32, out: &Path, output: &Output) -> anyhow::Result<()> {
    // Looked at before: what cannot be kept must not be fetched.
    if out.exists() {
        return Err(Failure::usage(format!("{} is there already", out.display())).into());
    }
    std::fs::write(out, b"").with_context(|| format!("write {}", out.display()))?;
    let sealed = match client
        .post(format!("/v1/card-batches/{batch}/export"), Value::Null)
        .bytes()
    {
        Ok(sealed) => sealed,
        Err(error) => {
            let _ = std::fs::remove_file(out);
            return Err(error);
        }
    };
    key_file::write(out, &sealed)?;
    let facts = json!({"batch": batch, "file": out.display().to_string(), "bytes": sealed.len()});
    output.value(&facts, |print| {
        print.line(&format!(
            "{}: sealed, {} bytes; it cannot be fetched again",
            out.display(),
            sealed.len()
        ));
    })
}

fn set(change: &CardChange, state: &str, output: &Output) -> anyhow::Result<()> {
    let mut body = json!({"state": state});
    for (name, value) in [
        ("first", &change.first),
        ("last", &change.last),
        ("dealer", &change.dealer),
    ] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    with(&change.target, |client| {
        let call = client.post(format!("/v1/card-batches/{}/cards", change.batch), body);
        changed(&call.send()?, output)
    })
}

fn changed(answer: &Value, output: &Output) -> anyhow::Result<()> {
    output.value(answer, |print| {
        print.line(&format!("{} cards changed", answer["cards"]));
        ranges(&answer["batch"], |line| print.line(line));
        if answer["batch"]["pending"].as_u64().unwrap_or(0) > 0 {
            print.line("on its way to all partitions; `raseed cards show` says when it is in force");
        }
    })
}

fn show(client: &Client, what: &str, output: &Output) -> anyhow::Result<()> {
    if what.len() >= 13 {
        let card = client.get(format!("/v1/cards/{}", escaped(what))).send()?;
        return output.value(&card, |print| {
            print.line(&format!(
                "{}  {} {}  {}  dealer {}",
                word(&card, "serial"),
                word(&card, "operator"),
                word(&card, "denomination"),
                word(&card, "state"),
                word(&card, "dealer")
            ));
        });
    }
    let batch = client.get(format!("/v1/card-batches/{}", escaped(what))).send()?;
    output.value(&batch, |print| {
        print.line(&summary(&batch));
        print.line(&format!(
            "made {}, exported {}, expires {}, printer {}, label {}",
            word(&batch, "created_at"),
            word(&batch, "exported_at"),
            word(&batch, "expires_at"),
            word(&batch, "printer"),
            word(&batch, "label")
        ));
        ranges(&batch, |line| print.line(line));
        for tries in batch["tries"].as_array().into_iter().flatten() {
            print.line(&format!(
                "refused tries, {}: {}",
                word(tries, "kind"),
                tries["count"]
            ));
        }
        for tried in batch["recent_tries"].as_array().into_iter().flatten() {
            print.line(&format!(
                "  {}  {}  {}  {}",
                word(tried, "at"),
                word(tried, "msisdn"),
                word(tried, "serial"),
                word(tried, "kind")
            ));
        }
    })
}

fn attempts(found: &Value, output: &Output) -> anyhow::Result<()> {
    output.value(found, |print| {
        print.line(&format!(
            "wrong tries let through now, all numbers together: {}",
            found["wrong_tries_left"]
        ));
        for one in found["numbers"].as_array().into_iter().flatten() {
            let whose = if one["own"] == true { "own" } else { "strangers" };
            print.line(&format!(
                "{}  {whose:<9}  {} wrong  {}  locked until {}",
                word(one, "msisdn"),
                one["wrong"],
                word(one, "at"),
                word(one, "locked_until")
            ));
        }
    })
}

fn ranges(batch: &Value, mut line: impl FnMut(&str)) {
    for range in batch["ranges"].as_array().into_iter().flatten() {
        line(&format!(
            "  {} - {}  {:>7}  {:<9}  used {}  dealer {}",
            word(range, "first"),
            word(range, "last"),
            range["cards"],
            word(range, "state"),
            range["used"],
            word(range, "dealer")
        ));
    }
}

fn summary(batch: &Value) -> String {
    format!(
        "batch {}: {} x {} {} {}, made {}, used {}, owed {}",
        batch["batch"],
        batch["count"],
        word(batch, "operator"),
        word(batch, "currency"),
        word(batch, "denomination"),
        batch["made"],
        batch["used"],
        word(batch, "owed")
    )
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or("-")
}
