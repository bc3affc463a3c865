//! Imports: many subscribers from NDJSON or CSV, answered line by line while they are read.

use super::auth::Caller;
use super::json::Decimal;
use super::subscribers::NewSubscriber;
use crate::core::{CoreError, Pending};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::router::{Speaks, header_text};
use crate::state::Web;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::catalog::Language;
use charge::partner::Scopes;
use charge::{Command, Money, Refusal, Reply};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use utoipa::ToSchema;

/// What became of a line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportLine {
    /// Line of the input, from 1.
    pub line: u64,
    /// The number as it stood there.
    pub msisdn: String,
    /// created, exists or refused.
    pub result: String,
    /// Stable code when refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// What is wrong, in the language of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The field that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// More for developers, in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The last line of the answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportTotal {
    /// True: everything was read. False: the input broke off; what is reported is done.
    pub done: bool,
    /// Lines with a subscriber.
    pub lines: u64,
    /// Accounts that were opened.
    pub created: u64,
    /// Numbers that had an account already.
    pub exists: u64,
    /// Lines that were refused.
    pub refused: u64,
}

/// Import subscribers
///
/// The body is NDJSON (`application/x-ndjson`, one object as for POST /v1/subscribers a line) or CSV (`text/csv`, the first
/// line names the columns: msisdn, operator, imsi, language, tax_class, region, balance). The answer is NDJSON: one object a
/// line in the order of the input, then a total. Importing again is safe: what is there is reported as `exists`.
#[utoipa::path(post, path = "/v1/subscribers/import", tag = "subscribers",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = ImportLine, content_type = "application/x-ndjson")))]
pub async fn import(
    State(web): State<Web>,
    caller: Caller,
    Extension(Speaks(language)): Extension<Speaks>,
    request: Request,
) -> Result<Response, Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    let kind = header_text(request.headers(), &header::CONTENT_TYPE).unwrap_or("");
    let format = match kind.split(';').next().unwrap_or("").trim() {
        "application/x-ndjson" | "application/jsonl" => Format::Ndjson,
        "text/csv" => Format::Csv(None),
        _ => return Err(Problem::from(Fault::UnsupportedType).hint("application/x-ndjson or text/csv")),
    };
    let (sender, body) = Channel::<Bytes>::new(16);
    let job = Job {
        web,
        caller,
        language,
        format,
        sender,
        waiting: VecDeque::new(),
        total: ImportTotal::default(),
        line: 0,
    };
    tokio::spawn(job.run(request.into_body()));
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::new(body)).into_response())
}

enum Format {
    Ndjson,
    /// The columns, once the first line has named them.
    Csv(Option<Vec<String>>),
}

struct Job {
    web: Web,
    caller: Caller,
    language: Language,
    format: Format,
    sender: Sender<Bytes>,
    waiting: VecDeque<Waiting>,
    total: ImportTotal,
    line: u64,
}

struct Waiting {
    line: u64,
    msisdn: String,
    outcome: Outcome,
}

enum Outcome {
    Asked(Pending<Result<Reply, CoreError>>),
    Refused(Problem),
}

/// The reader of the answers has gone.
struct Gone;

impl Job {
    async fn run(mut self, body: Body) {
        let read = self.read(body).await;
        let rest = self.answer_down_to(0).await;
        if let (Ok(whole), Ok(())) = (read, rest) {
            self.total.done = whole;
            let _ = send(&mut self.sender, &self.total).await;
        }
    }

    /// Reads the body line by line; `false` when it broke off.
    async fn read(&mut self, mut body: Body) -> Result<bool, Gone> {
        let mut held: Vec<u8> = Vec::new();
        let mut skipping = false;
        let mut bytes_total = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Ok(false) };
            let Ok(data) = frame.into_data() else { continue };
            bytes_total = bytes_total.saturating_add(data.len());
            if bytes_total > limits::IMPORT_BYTES_MAX {
                return Ok(false);
            }
            for part in data.split_inclusive(|byte| *byte == b'\n') {
                let ends = part.ends_with(b"\n");
                if !skipping {
                    held.extend_from_slice(part);
                }
                if held.len() > limits::IMPORT_LINE_BYTES_MAX {
                    held.clear();
                    skipping = true;
                    self.line += 1;
                    let problem = Problem::from(Fault::BodyTooLarge).hint("the line is too long");
                    self.push(String::new(), Outcome::Refused(problem)).await?;
                }
                if ends {
                    if !skipping {
                        self.take(&held).await?;
                    }
                    held.clear();
                    skipping = false;
                }
            }
        }
        if !held.is_empty() && !skipping {
            self.take(&held).await?;
        }
        Ok(true)
    }

    /// Takes one line.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.line += 1;
        let bad = |hint: String| Problem::from(Fault::BadRequest).hint(hint);
        let Ok(text) = std::str::from_utf8(bytes) else {
            let problem = bad("the line is not UTF-8".to_owned());
            return self.push(String::new(), Outcome::Refused(problem)).await;
        };
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            return Ok(());
        }
        let read = match &mut self.format {
            Format::Ndjson => serde_json::from_str(text).map_err(|error| bad(error.to_string())),
            Format::Csv(columns @ None) => {
                *columns = Some(
                    csv_cells(text)
                        .into_iter()
                        .map(|cell| cell.trim().to_owned())
                        .collect(),
                );
                return Ok(());
            }
            Format::Csv(Some(columns)) => csv_row(columns, &csv_cells(text)),
        };
        let (msisdn, command) = match read {
            Ok(new) => (new.msisdn.clone(), new.command(&self.web, &self.caller)),
            Err(problem) => (String::new(), Err(problem)),
        };
        let outcome = match command {
            Ok(open) => Outcome::Asked(self.web.parts.core.call(Command::OpenAccount(open))),
            Err(problem) => Outcome::Refused(problem),
        };
        self.push(msisdn, outcome).await
    }

    async fn push(&mut self, msisdn: String, outcome: Outcome) -> Result<(), Gone> {
        self.waiting.push_back(Waiting {
            line: self.line,
            msisdn,
            outcome,
        });
        self.answer_down_to(limits::IMPORT_PARALLEL).await
    }

    /// Answers the oldest lines until at most so many wait.
    async fn answer_down_to(&mut self, count: usize) -> Result<(), Gone> {
        while self.waiting.len() > count {
            let Some(waiting) = self.waiting.pop_front() else {
                break;
            };
            let result = match waiting.outcome {
                Outcome::Asked(pending) => pending.await.map(|_| ()).map_err(Problem::from),
                Outcome::Refused(problem) => Err(problem),
            };
            let mut answer = ImportLine {
                line: waiting.line,
                msisdn: waiting.msisdn,
                result: "created".to_owned(),
                code: None,
                title: None,
                field: None,
                hint: None,
            };
            self.total.lines += 1;
            match result {
                Ok(()) => self.total.created += 1,
                Err(problem) => {
                    let exists = problem.fault == Fault::Refused(Refusal::NumberTaken);
                    answer.result = if exists { "exists" } else { "refused" }.to_owned();
                    self.total.exists += u64::from(exists);
                    self.total.refused += u64::from(!exists);
                    let document = problem.document(self.language, "");
                    answer.code = Some(document.code);
                    answer.title = Some(document.title);
                    answer.field = document.field;
                    answer.hint = document.hint;
                }
            }
            send(&mut self.sender, &answer).await?;
        }
        Ok(())
    }
}

async fn send(sender: &mut Sender<Bytes>, value: &impl Serialize) -> Result<(), Gone> {
    let mut line = serde_json::to_vec(value).map_err(|_| Gone)?;
    line.push(b'\n');
    sender.send_data(Bytes::from(line)).await.map_err(|_| Gone)
}

/// The cells of a CSV line (RFC 4180; a quoted cell cannot hold a line break here).
fn csv_cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut().expect("there is always a cell");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    cells
}

fn csv_row(columns: &[String], cells: &[String]) -> Result<NewSubscriber, Problem> {
    let bad = |hint: &str| Problem::from(Fault::BadRequest).hint(hint);
    if cells.len() != columns.len() {
        return Err(bad(&format!("{} columns, {} cells", columns.len(), cells.len())));
    }
    let mut new = NewSubscriber {
        msisdn: String::new(),
        operator: None,
        imsi: None,
        language: None,
        tax_class: None,
        region: None,
        balance: None,
    };
    for (column, cell) in columns.iter().zip(cells) {
        let cell = cell.trim();
        let value = (!cell.is_empty()).then(|| cell.to_owned());
        match column.as_str() {
            "msisdn" => cell.clone_into(&mut new.msisdn),
            "operator" => new.operator = value,
            "imsi" => new.imsi = value,
            "language" => new.language = value,
            "tax_class" => new.tax_class = value,
            "region" => new.region = value,
            "balance" => {
                let amount = value.map(|text| Money::parse(&text)).transpose();
                let amount = amount.map_err(|_| Problem::field(Fault::BadAmount, "balance"))?;
                new.balance = amount.map(Decimal);
            }
            other => return Err(bad(&format!("unknown column {other}"))),
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_lines_are_read() {
        assert_eq!(csv_cells("a,b,,d"), ["a", "b", "", "d"]);
        assert_eq!(csv_cells(r#""a,1","say ""hi""",x"#), ["a,1", "say \"hi\"", "x"]);
        let columns = ["msisdn", "balance"].map(str::to_owned);
        let row = |cells: [&str; 2]| csv_row(&columns, &cells.map(str::to_owned));
        let new = row(["0300 1234567", "10.50"]).unwrap();
        assert_eq!(new.msisdn, "0300 1234567");
        assert_eq!(new.balance, Some(Decimal(Money::parse("10.5").unwrap())));
        assert_eq!(row(["1", "ten"]).unwrap_err().fault, Fault::BadAmount);
        assert!(csv_row(&columns, &["1".to_owned()]).is_err());
    }
}
