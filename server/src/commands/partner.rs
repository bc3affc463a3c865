//! `partner commission|report|check|reconcile|reverse`: what was agreed, reported and taken back.

use super::reconcile::print_found;
use super::subscriber::money;
use crate::cli::partner::{CommissionArgs, ReportArgs, TradeCommand};
use crate::client::{Client, escaped};
use crate::failure::{Failure, Kind};
use crate::output::{Output, Printer};
use anyhow::Context as _;
use charge::Money;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use web::settlement_file::{Checked, Checker, LINE_BYTES_MAX};

/// How long a reversal may take to reach the account and come back, seconds.
const WAIT_S: u32 = 10;

/// Carries a command out that needs a server.
pub fn run(client: &Client, command: &TradeCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        TradeCommand::Commission(args) => commission(client, args, output),
        TradeCommand::Report(args) => report(client, args, output),
        TradeCommand::Reconcile {
            partner, day, file, ..
        } => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("read {}", file.display()))?;
            let path = format!("/v1/reports/partners/{partner}/reconciliation");
            let found = client
                .post_file(&path, "text/csv", text)
                .query("day", day)
                .send()?;
            output.value(&found, |print| print_found(print, &found))
        }
        TradeCommand::Reverse { topup, .. } => reverse(client, topup, output),
        TradeCommand::Check { .. } => local(command, output),
    }
}

/// Carries a command out that needs no server.
pub fn local(command: &TradeCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        TradeCommand::Check { file } => check(file, output),
        _ => Ok(()),
    }
}

fn commission(client: &Client, args: &CommissionArgs, output: &Output) -> anyhow::Result<()> {
    let path = format!("/v1/partners/{}/commission", args.partner);
    let terms = if args.end {
        client.delete(path).send()?
    } else if let Some(percent) = &args.percent {
        let amount = |text: &Option<String>| -> anyhow::Result<Option<String>> {
            Ok(text.as_deref().map(money).transpose()?.map(Money::exact))
        };
        let body = json!({
            "kind": args.kind, "percent": percent, "fixed": amount(&args.fixed)?, "minimum": amount(&args.minimum)?,
            "maximum": amount(&args.maximum)?, "from": args.from,
        });
        client.put(path, body).send()?
    } else {
        client.get(path).send()?
    };
    output.value(&terms, |print| {
        match &terms["now"] {
            Value::Null => print.line("no commission now"),
            rule => print_rule(print, "now", rule),
        }
        for rule in terms["planned"].as_array().into_iter().flatten() {
            print_rule(print, rule["from"].as_str().unwrap_or("-"), rule);
        }
    })
}

fn print_rule(print: &mut Printer, when: &str, rule: &Value) {
    let word = |name: &str| rule[name].as_str().unwrap_or("-").to_owned();
    let mut line = format!("{when}: {} %", word("percent"));
    for (name, label) in [("fixed", "plus"), ("minimum", "at least"), ("maximum", "at most")] {
        if rule[name].is_string() {
            line.push_str(&format!(", {label} {}", word(name)));
        }
    }
    print.line(&format!("{line}, {}", word("kind")));
}

fn report(client: &Client, args: &ReportArgs, output: &Output) -> anyhow::Result<()> {
    if args.summary {
        return summary(client, args, output);
    }
    let path = format!("/v1/reports/partners/{}/settlement", args.partner);
    let mut call = client.get(path).query("day", &args.day);
    if args.partial {
        call = call.query("partial", &true);
    }
    let Some(out) = &args.out else {
        let mut stdout = std::io::stdout().lock();
        call.save(&mut stdout)?;
        return Ok(());
    };
    let file = std::fs::File::create(out).with_context(|| format!("write {}", out.display()))?;
    let mut file = std::io::BufWriter::new(file);
    call.save(&mut file)?;
    file.flush().with_context(|| format!("write {}", out.display()))?;
    // What the line brought is checked here and now: a download that broke off is no settlement.
    let checked = checked(out)?;
    output.value(&said(&checked), |print| print_checked(print, out, &checked))
}

fn summary(client: &Client, args: &ReportArgs, output: &Output) -> anyhow::Result<()> {
    let path = format!("/v1/reports/partners/{}/summary", args.partner);
    let mut call = client.get(path).query("from", &args.day);
    if let Some(to) = &args.to {
        call = call.query("to", to);
    }
    let sums = call.send()?;
    output.value(&sums, |print| {
        let columns = [
            "day",
            "operator",
            "type",
            "state",
            "count",
            "gross",
            "tax",
            "net",
            "commission",
            "change",
        ];
        let cell = |row: &Value, name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let rows = sums["rows"].as_array().into_iter().flatten();
        let rows: Vec<Vec<String>> = rows
            .map(|row| columns.iter().map(|name| cell(row, name)).collect())
            .collect();
        print.table(&columns, &rows, &[4, 5, 6, 7, 8, 9]);
        print.line(&format!(
            "the float changed by {}",
            sums["change"].as_str().unwrap_or("-")
        ));
    })
}

fn reverse(client: &Client, topup: &str, output: &Output) -> anyhow::Result<()> {
    let path = format!("/v1/topups/{}/reversal", escaped(topup));
    let done = client.post(path, json!({})).query("wait", &WAIT_S).send()?;
    output.value(&done, |print| {
        let reversal = &done["reversal"];
        let word = |name: &str| reversal[name].as_str().unwrap_or("-");
        match word("state") {
            "done" => print.line(&format!(
                "taken back: {} (unused {}, tax {}), commission returned {}",
                word("amount"),
                word("unused"),
                word("tax"),
                word("commission")
            )),
            "awaiting-approval" => {
                print.line("somebody else has to approve it: the same command with another key");
            }
            state => print.line(&format!("{state}: ask again with GET /v1/topups/{topup}")),
        }
    })
}

fn check(file: &Path, output: &Output) -> anyhow::Result<()> {
    let checked = checked(file)?;
    output.value(&said(&checked), |print| print_checked(print, file, &checked))
}

fn checked(path: &Path) -> anyhow::Result<Checked> {
    let file = std::fs::File::open(path).with_context(|| format!("read {}", path.display()))?;
    let mut file = BufReader::new(file);
    let mut checker = Checker::default();
    let flawed = |flaw: web::settlement_file::Flaw| {
        Failure::new(Kind::Failed, format!("{}: {flaw}", path.display()))
            .hint("Ask for the file again; if it stays so, it is not ours.")
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut file).take(most).read_until(b'\n', &mut line);
        if read.with_context(|| format!("read {}", path.display()))? == 0 {
            return Ok(checker.end().map_err(flawed)?);
        }
        checker.take(&line).map_err(flawed)?;
    }
}

fn said(checked: &Checked) -> Value {
    json!({
        "whole": checked.whole, "count": checked.count,
        "balance_before": checked.balances.map(|(before, _)| before.exact()),
        "balance_after": checked.balances.map(|(_, after)| after.exact()),
    })
}

fn print_checked(print: &mut Printer, path: &Path, checked: &Checked) {
    let balances = checked.balances.map_or_else(String::new, |(before, after)| {
        format!("; the float was {} and became {}", before.exact(), after.exact())
    });
    let whole = if checked.whole {
        "whole"
    } else {
        "good so far: the day is not over"
    };
    print.line(&format!(
        "{}: {whole}, {} movements{balances}",
        path.display(),
        checked.count
    ));
}
