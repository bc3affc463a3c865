//! `subscriber ...`: making and showing accounts.

use super::{balance, with};
use crate::cli::{GenerateArgs, SubscriberAddArgs, SubscriberCommand};
use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::generate::{self, Made, Plan};
use crate::node::Node;
use crate::output::Output;
use crate::progress::Progress;
use anyhow::Context as _;
use charge::Money;
use charge::catalog::Catalogs;
use serde_json::{Map, Value, json};
use std::io::{BufRead, Read};
use std::path::Path;
use std::time::Instant;

/// Lines of an import that go in one request.
///
/// The server answers line by line while it reads, and this client reads after it has written: the answers of one request
/// must fit into the sockets' buffers.
const LINES_PER_REQUEST: usize = 500;
/// Longest line of an import, bytes.
const LINE_BYTES_MAX: u64 = 4 * 1024;
/// Refused lines that are shown; all are counted.
const REFUSED_SHOWN_MAX: usize = 20;

/// Carries a `subscriber` command out.
pub fn run(command: &SubscriberCommand, output: &Output) -> anyhow::Result<()> {
    match command {
        SubscriberCommand::Add(args) => with(&args.target, |client| add(client, args, output)),
        SubscriberCommand::Import {
            file,
            operator,
            target,
        } => with(target, |client| import(client, file, operator.as_deref(), output)),
        SubscriberCommand::Generate(args) => match &args.target.data {
            Some(data) => generate_here(args, data, output),
            None => with(&args.target, |client| generate_there(client, args, output)),
        },
        SubscriberCommand::Show(args) => with(&args.target, |client| balance::show(client, args, output)),
    }
}

fn add(client: &Client, args: &SubscriberAddArgs, output: &Output) -> anyhow::Result<()> {
    let balance = args.balance.as_deref().map(money).transpose()?;
    let mut body = Map::new();
    body.insert("msisdn".to_owned(), json!(args.msisdn));
    let fields = [
        ("operator", args.operator.clone()),
        ("imsi", args.imsi.clone()),
        (
            "language",
            args.language.map(|language| language.tag().to_owned()),
        ),
        ("tax_class", args.tax_class.clone()),
        ("region", args.region.clone()),
        ("balance", balance.map(Money::exact)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    let made = client.post("/v1/subscribers", Value::Object(body)).send()?;
    output.value(&made, |print| {
        print.line(&format!(
            "opened: {} ({})",
            made["msisdn"].as_str().unwrap_or(""),
            made["operator"]["code"].as_str().unwrap_or("")
        ));
    })
}

fn import(client: &Client, file: &Path, operator: Option<&str>, output: &Output) -> anyhow::Result<()> {
    let started = Instant::now();
    let (reader, bytes): (Box<dyn Read>, u64) = if file == Path::new("-") {
        (Box::new(std::io::stdin()), 0)
    } else {
        let opened = std::fs::File::open(file)
            .map_err(|error| Failure::usage(format!("read {}: {error}", file.display())))?;
        let bytes = opened.metadata().map_or(0, |data| data.len());
        (Box::new(opened), bytes)
    };
    let mut lines = Lines {
        reader: std::io::BufReader::new(reader),
        number: 0,
        bytes: 0,
    };
    let first = lines
        .next()?
        .ok_or_else(|| Failure::usage(format!("{} is empty", file.display())))?;
    let ndjson = first.1.trim_start().starts_with('{');
    let mut importer = Importer::new(client, ndjson, operator);
    if ndjson {
        importer.push(first.0, &first.1)?;
    } else {
        importer.columns(&first.1)?;
    }
    let mut progress = Progress::new("bytes", bytes);
    while let Some((number, line)) = lines.next()? {
        importer.push(number, &line)?;
        progress.at(lines.bytes, bytes);
    }
    importer.flush()?;
    drop(progress);
    importer.total.told(started, output)
}

/// `subscriber generate` through a running server, as an import.
fn generate_there(client: &Client, args: &GenerateArgs, output: &Output) -> anyhow::Result<()> {
    let balance = money(&args.balance)?.exact();
    let started = Instant::now();
    let mut importer = Importer::new(client, true, None);
    let mut progress = Progress::new("accounts", args.count);
    for index in 0..args.count {
        let number = args.from.saturating_add(index);
        let line = json!({"msisdn": number.to_string(), "operator": args.operator, "balance": balance});
        importer.push(index + 1, &line.to_string())?;
        progress.at(index, args.count);
    }
    importer.flush()?;
    drop(progress);
    importer.total.told(started, output)
}

/// Numbered lines of a bounded length.
struct Lines {
    reader: std::io::BufReader<Box<dyn Read>>,
    number: u64,
    bytes: u64,
}

impl Lines {
    fn next(&mut self) -> anyhow::Result<Option<(u64, String)>> {
        let mut line = String::new();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_line(&mut line);
        let read = read.with_context(|| format!("read line {} of the import", self.number + 1))? as u64;
        self.number += 1;
        self.bytes += read;
        if read == LINE_BYTES_MAX {
            return Err(Failure::usage(format!(
                "line {} has more than {LINE_BYTES_MAX} bytes",
                self.number
            ))
            .into());
        }
        line.truncate(line.trim_end_matches(['\n', '\r']).len());
        Ok((read > 0).then_some((self.number, line)))
    }
}

/// Sends lines in requests of a bounded size and adds up what came of them.
struct Importer<'a> {
    client: &'a Client,
    kind: &'static str,
    head: String,
    /// A column that every line gets.
    operator: Option<String>,
    numbers: Vec<u64>,
    body: String,
    total: Total,
}

#[derive(Default)]
struct Total {
    created: u64,
    exists: u64,
    refused: u64,
    shown: Vec<Value>,
}

impl Importer<'_> {
    fn new<'a>(client: &'a Client, ndjson: bool, operator: Option<&str>) -> Importer<'a> {
        Importer {
            client,
            kind: if ndjson {
                "application/x-ndjson"
            } else {
                "text/csv"
            },
            head: String::new(),
            operator: operator.map(str::to_owned).filter(|_| !ndjson),
            numbers: Vec::new(),
            body: String::new(),
            total: Total::default(),
        }
    }

    /// The first line of a CSV file.
    fn columns(&mut self, line: &str) -> anyhow::Result<()> {
        let mut columns: Vec<&str> = line
            .trim_start_matches('\u{feff}')
            .split(',')
            .map(str::trim)
            .collect();
        if !columns.contains(&"msisdn") {
            return Err(Failure::usage("the first line does not name a column msisdn")
                .hint("Write for example: msisdn,operator,imsi,language,tax_class,region,balance")
                .into());
        }
        if columns.contains(&"operator") {
            self.operator = None;
        } else if self.operator.is_some() {
            columns.push("operator");
        }
        self.head = columns.join(",") + "\n";
        Ok(())
    }

    fn push(&mut self, number: u64, line: &str) -> anyhow::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        self.numbers.push(number);
        self.body.push_str(line);
        if let Some(operator) = &self.operator {
            self.body.push(',');
            self.body.push_str(operator);
        }
        self.body.push('\n');
        if self.numbers.len() >= LINES_PER_REQUEST {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let body = format!("{}{}", self.head, self.body);
        let answers = self.client.import(self.kind, body)?;
        let head_lines = u64::from(!self.head.is_empty());
        let mut done = false;
        for answer in &answers {
            match answer["result"].as_str() {
                Some("created") => self.total.created += 1,
                Some("exists") => self.total.exists += 1,
                Some(_) => self.total.refused(answer, &self.numbers, head_lines),
                None => done = answer["done"].as_bool().unwrap_or(false),
            }
        }
        self.numbers.clear();
        self.body.clear();
        if done {
            return Ok(());
        }
        Err(Failure::unavailable("the import broke off")
            .hint("Repeat it: lines that are done are left alone.")
            .into())
    }
}

impl Total {
    fn refused(&mut self, answer: &Value, numbers: &[u64], head_lines: u64) {
        self.refused += 1;
        if self.shown.len() < REFUSED_SHOWN_MAX {
            let index = answer["line"]
                .as_u64()
                .unwrap_or(1)
                .saturating_sub(1 + head_lines);
            let number = usize::try_from(index).ok().and_then(|index| numbers.get(index));
            let mut answer = answer.clone();
            answer["line"] = json!(number);
            self.shown.push(answer);
        }
    }

    fn told(&self, started: Instant, output: &Output) -> anyhow::Result<()> {
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let value = json!({
            "opened": self.created, "there_before": self.exists, "refused": self.refused,
            "refused_lines": self.shown, "elapsed_ms": elapsed_ms,
        });
        output.value(&value, |print| {
            for line in &self.shown {
                let told = |name: &str| line[name].as_str().unwrap_or("").to_owned();
                let hint = match (told("field").as_str(), told("hint").as_str()) {
                    ("", "") => String::new(),
                    (field, hint) => format!(" ({})", format!("{field} {hint}").trim()),
                };
                print.line(&format!(
                    "line {}: {}: {}{hint}",
                    line["line"],
                    told("msisdn"),
                    told("title")
                ));
            }
            print.line(&format!(
                "{} accounts opened, {} were there before, {} refused, in {elapsed_ms} ms",
                self.created, self.exists, self.refused
            ));
        })?;
        if self.refused > 0 {
            return Err(
                Failure::new(Kind::Failed, format!("{} lines were refused", self.refused))
                    .hint("The other lines are done. Correct these and repeat the import.")
                    .into(),
            );
        }
        Ok(())
    }
}

/// `subscriber generate --data DIR`: straight into the engine.
fn generate_here(args: &GenerateArgs, data: &Path, output: &Output) -> anyhow::Result<()> {
    let config = super::config_for(data, args.target.config.as_ref())?;
    let balance = money(&args.balance)?;
    let started = Instant::now();
    let node = Node::open(&config, None)?;
    let made = operator(&node.catalogs, &args.operator).and_then(|operator| {
        let plan = Plan {
            operator,
            from: args.from,
            count: args.count,
            balance,
        };
        let mut progress = Progress::new("accounts", plan.count);
        generate::run(&node.engine, &plan, &mut |done| progress.at(done, args.count))
    });
    node.stop();
    let Made { opened, there_before } = made?;
    let total = Total {
        created: opened,
        exists: there_before,
        ..Total::default()
    };
    total.told(started, output)
}

/// An amount from the command line, not negative.
pub fn money(text: &str) -> anyhow::Result<Money> {
    match Money::parse(text) {
        Ok(amount) if amount >= Money::ZERO => Ok(amount),
        _ => Err(Failure::usage(format!("`{text}` is not an amount"))
            .hint("Write digits with at most six decimals, like 100 or 86.95.")
            .into()),
    }
}

/// An operator by its code.
fn operator(catalogs: &Catalogs, code: &str) -> anyhow::Result<charge::OperatorId> {
    catalogs
        .by_code(code)
        .map(|catalog| catalog.operator)
        .ok_or_else(|| {
            let known: Vec<&str> = catalogs.iter().map(|catalog| catalog.code.as_str()).collect();
            Failure::usage(format!("there is no operator `{code}`"))
                .hint(format!("Operators here: {}.", known.join(", ")))
                .into()
        })
}
