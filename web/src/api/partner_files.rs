//! A partner's own file of a day against our ledger and against what operators credited: three ways, and every difference an
//! exception like those of rails.

use super::auth::Caller;
use super::json::{Json, Query};
use super::partners::existing;
use super::reconciliations::{By, ExceptionAnswer, Reconciled, day_number, day_text};
use super::reports::movements;
use super::reversals;
use crate::bind::Reader;
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::reconcile::{blocking, keep};
use crate::settlement_file::{cells, span};
use crate::state::Web;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use charge::command::TopUpRequest;
use charge::ids::digest128;
use charge::partner::{Scopes, TopUpState};
use charge::payment::Price;
use charge::reversal::{ReversalState, ReverseTopUp};
use charge::{Code, Command, Money, PartnerId, Refusal};
use rails::reconcile::Kind;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::StoreError;
use store::exceptions::Exception;
use store::reads::{FloatKind, FloatLine};
use utoipa::IntoParams;

/// How the rail of such an exception begins; the partner's id follows.
const PREFIX: &str = "partner.";
/// An account answers within this time, or the exception stays open until it is asked for again.
const REVERSAL_WAIT: Duration = Duration::from_secs(5);
/// Lines of a file.
const LINES_MAX: usize = limits::REPORT_LINES_MAX;

/// Which file it is.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileOf {
    /// The day, `2026-11-21`, in Pakistan.
    day: String,
}

/// Compare a partner's own file
///
/// The body is CSV with a line of column names, in any order: `trace` (or `external_id`), `gross` (or `amount`), and if they are
/// there `state`, `msisdn` and `type`; others are passed over, so our own settlement file will do. Each sale is looked for in
/// our ledger, and each one of the ledger in the file and among the operators' credits. Comparing again reports nothing twice.
#[utoipa::path(post, path = "/v1/reports/partners/{id}/reconciliation", tag = "reports",
    params(("id" = String, Path, description = "Its id"), FileOf),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Reconciled)))]
pub async fn compare(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<FileOf>,
    request: Request,
) -> Result<Json<Reconciled>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let partner = existing(&web, &id).await?;
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let day = day_number(&asked.day).ok_or_else(|| Problem::field(Fault::BadField, "day"))?;
    let body = to_bytes(request.into_body(), limits::SETTLEMENT_BYTES_MAX);
    let body = body.await.map_err(|_| Fault::BodyTooLarge)?;
    let lines = read(&body).map_err(|error| Problem::from(Fault::BadRequest).hint(error))?;
    let books = movements(&web, partner, span(i64::from(day))).await?;
    let both = web.parts.reads.ask(move |reader| {
        let credits = credits(reader, &books)?;
        Ok((books, credits))
    });
    let (books, credits) = both.await?;
    let found = differences(&lines, &books, &credits);
    let (rail, now) = (rail_of(partner), web.now());
    let rows: Vec<Exception> = found
        .differences
        .iter()
        .map(|one| Exception {
            id: one.id(rail),
            rail,
            day,
            kind: one.kind.name().to_owned(),
            payment: None,
            reference: one.reference.clone(),
            line: one.line,
            file: one.file.map(Price::pkr),
            books: one.books.map(Price::pkr),
            found_at: now,
            owner: String::new(),
            closed: None,
        })
        .collect();
    let (kept, new) =
        blocking(move || keep(&file, (rail, day), &rows, &BTreeSet::new(), (None, now))).await?;
    Ok(Json(Reconciled {
        rail: rail.to_string(),
        day: day_text(day),
        lines: lines.len() as u64,
        matched: found.matched,
        paid: super::json::Decimal(found.sold),
        refunded: super::json::Decimal(found.back),
        fees: super::json::Decimal(found.commission),
        figures: None,
        new: new as u64,
        exceptions: kept.iter().map(|one| ExceptionAnswer::of(one, now)).collect(),
    }))
}

/// The name under which a partner's exceptions stand.
fn rail_of(partner: PartnerId) -> Code {
    Code::new(&format!("{PREFIX}{}", partner.0)).unwrap_or_default()
}

/// The partner of an exception, when it is one of these.
pub fn partner_of(rail: Code) -> Option<PartnerId> {
    rail.as_str().strip_prefix(PREFIX)?.parse().ok().map(PartnerId)
}

/// What can be done about a kind of difference.
pub fn remedies(kind: Kind) -> &'static [&'static str] {
    match kind {
        // The seller has never sold it: its money can go back.
        Kind::Missing | Kind::Amount => &["refund", "dismiss"],
        _ => &["dismiss"],
    }
}

/// Takes the sale of an exception back, as staff. True when the float has what was unused; false while the account was not
/// heard or somebody else has to approve it: asking again goes on from there.
///
/// # Errors
/// What the core refuses, and what the account refused.
pub(crate) async fn put_right(web: &Web, by: By<'_>, one: &Exception) -> Result<bool, Problem> {
    let partner = partner_of(one.rail).ok_or(Fault::Internal)?;
    let asked = |by| ReverseTopUp {
        partner,
        external: TopUpRequest::digest_of(&one.reference, false),
        by,
        staff: true,
        two_from: web.parts.reversal_two_from,
    };
    // Where two of staff have agreed, both are told to the core, which wants two as well.
    for by in by.first.into_iter().chain([by.key]) {
        web.parts.core.call(Command::ReverseTopUp(asked(by))).await?;
    }
    let top_up = reversals::ended(web, asked(by.key).key(), REVERSAL_WAIT).await?;
    let reversal = top_up.after.reversal.as_ref().ok_or(Fault::Internal)?;
    match reversal.reason {
        Some(code) => Err(Refusal::from_code(code).unwrap_or(Refusal::NotReversible).into()),
        None => Ok(reversal.state == ReversalState::Done),
    }
}

/// A sale as the partner has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Theirs {
    line: u32,
    reference: String,
    gross: Money,
    msisdn: String,
    sold: bool,
}

/// Reads a file: the columns are found by their names.
fn read(body: &[u8]) -> Result<Vec<Theirs>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the file is not text".to_owned())?;
    let mut lines = (1_u32..).zip(text.trim_start_matches('\u{feff}').lines());
    let head = lines.next().and_then(|(_, head)| cells(head));
    let head = head.ok_or("the file has no line of column names")?;
    let column = |names: &[&str]| {
        let same = |cell: &String| names.contains(&cell.trim().to_ascii_lowercase().as_str());
        head.iter().position(same)
    };
    let trace = column(&["trace", "external_id"]).ok_or("there is no column trace or external_id")?;
    let gross = column(&["gross", "amount"]).ok_or("there is no column gross or amount")?;
    let (state, msisdn, kind) = (column(&["state"]), column(&["msisdn"]), column(&["type"]));
    let mut out = Vec::new();
    for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        let cells = cells(text).ok_or(format!("line {line}: its quotes do not match"))?;
        if matches!(cells[0].as_str(), "trailer" | "partial") {
            break;
        }
        let cell = |column: Option<usize>| column.and_then(|at| cells.get(at)).map_or("", |cell| cell.trim());
        if kind.is_some() && cell(kind) != "sale" {
            continue;
        }
        let reference = cell(Some(trace));
        let amount = Money::parse(cell(Some(gross))).map_err(|_| format!("line {line}: no amount"))?;
        if reference.is_empty() || reference.len() > limits::EXTERNAL_ID_BYTES_MAX + 1 {
            return Err(format!("line {line}: no trace"));
        }
        let state = cell(state).to_ascii_uppercase();
        out.push(Theirs {
            line,
            // As our own files mark what a spreadsheet would take for a formula.
            reference: unmarked(reference).to_owned(),
            gross: amount,
            msisdn: cell(msisdn).to_owned(),
            sold: matches!(
                state.as_str(),
                "" | "COMPLETED" | "SUCCESS" | "SUCCESSFUL" | "REVERSED"
            ),
        });
        if out.len() > LINES_MAX {
            return Err("the file has too many lines".to_owned());
        }
    }
    Ok(out)
}

fn unmarked(reference: &str) -> &str {
    match reference.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => reference,
    }
}

/// What operators credited for sales: by our number of the movement.
fn credits(reader: &mut Reader, books: &[FloatLine]) -> Result<BTreeMap<u64, Money>, StoreError> {
    let mut all = BTreeMap::new();
    for line in books.iter().filter(|line| line.kind == FloatKind::Sale) {
        if let Some((_, reference)) = &line.outside {
            if !reference.is_empty() {
                all.insert(line.seq, line.gross);
            }
        } else if let Some(receipt) = line.receipt
            && let Some(credit) = reader.models.receipt(receipt)?
            && let Some(recharge) = &credit.recharge
        {
            all.insert(line.seq, recharge.gross);
        }
    }
    Ok(all)
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    kind: Kind,
    reference: String,
    line: u32,
    file: Option<Money>,
    books: Option<Money>,
}

impl Difference {
    fn id(&self, rail: Code) -> String {
        let parts = [
            rail.as_str().as_bytes(),
            self.kind.name().as_bytes(),
            self.reference.as_bytes(),
        ];
        format!("{:032x}", digest128("exception/partner", &parts))
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
struct Found {
    differences: Vec<Difference>,
    matched: u64,
    sold: Money,
    back: Money,
    commission: Money,
}

/// Their sales, our ledger, the operators' credits.
fn differences(theirs: &[Theirs], books: &[FloatLine], credits: &BTreeMap<u64, Money>) -> Found {
    let mut found = Found::default();
    let ours: BTreeMap<&str, &FloatLine> = books
        .iter()
        .filter(|line| line.kind == FloatKind::Sale)
        .map(|line| (line.reference.as_str(), line))
        .collect();
    let mut seen = BTreeSet::new();
    for one in theirs {
        let booked = ours.get(one.reference.as_str());
        let sold = booked.filter(|line| line.state == TopUpState::Completed);
        let difference = |kind, books: Option<Money>| Difference {
            kind,
            reference: one.reference.clone(),
            line: one.line,
            file: Some(one.gross),
            books,
        };
        if !seen.insert(one.reference.as_str()) {
            let again = difference(Kind::Twice, sold.map(|line| line.gross));
            found.differences.push(again);
            continue;
        }
        let same_number = |line: &FloatLine| {
            let number = line.msisdn.map_or_else(String::new, |msisdn| msisdn.to_string());
            one.msisdn.is_empty() || number.ends_with(one.msisdn.trim_start_matches(['+', '0']))
        };
        match (one.sold, sold) {
            (true, Some(line)) if line.gross != one.gross || !same_number(line) => {
                found.differences.push(difference(Kind::Amount, Some(line.gross)));
            }
            (true, Some(line)) if credits.get(&line.seq) == Some(&line.gross) => {
                found.matched += 1;
                found.sold += one.gross;
            }
            // Theirs and ours agree; what the operator credited is said below.
            (true, Some(_)) => {}
            (true, None) => found.differences.push(difference(Kind::Extra, None)),
            // They say it failed, and the operator has credited it.
            (false, Some(line)) => found
                .differences
                .push(difference(Kind::Missing, Some(line.gross))),
            (false, None) => found.matched += 1,
        }
    }
    for line in books {
        found.commission += line.commission;
        if line.kind == FloatKind::Reversal {
            found.back += line.gross;
        }
        if line.kind != FloatKind::Sale || line.state != TopUpState::Completed {
            continue;
        }
        let difference = |kind| Difference {
            kind,
            reference: line.reference.clone(),
            line: 0,
            file: None,
            books: Some(line.gross),
        };
        if !seen.contains(line.reference.as_str()) {
            found.differences.push(difference(Kind::Missing));
        }
        if credits.get(&line.seq) != Some(&line.gross) {
            found.differences.push(difference(Kind::NotCredited));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::{Msisdn, OperatorId, Timestamp};

    fn sale(seq: u64, reference: &str, rupees: i64, state: TopUpState) -> FloatLine {
        FloatLine {
            seq,
            at: Timestamp(1),
            operator: OperatorId(1),
            kind: FloatKind::Sale,
            top_up: Some(seq.into()),
            reference: reference.to_owned(),
            msisdn: Msisdn::parse("923001234567").ok(),
            gross: Money::from_units(rupees),
            tax: Money::ZERO,
            net: Money::ZERO,
            commission: Money::from_units(1),
            before: Money::ZERO,
            after: Money::ZERO,
            state,
            receipt: None,
            outside: None,
            reversed: false,
        }
    }

    #[test]
    fn one_missing_one_extra_one_changed_and_one_not_credited_are_four() {
        use TopUpState::{Completed, Declined};
        let books = [
            sale(1, "good", 100, Completed),
            sale(2, "changed", 100, Completed),
            sale(3, "missing", 100, Completed),
            sale(4, "declined", 100, Declined),
            sale(5, "uncredited", 100, Completed),
            sale(6, "number", 100, Completed),
        ];
        let credits = BTreeMap::from([1, 2, 3, 6].map(|seq| (seq, Money::from_units(100))));
        let file = b"state,amount,external_id,msisdn\nSUCCESS,100,good,03001234567\n,101,changed,\nCOMPLETED,100,declined,\n\
            FAILED,100,never,\nCOMPLETED,100,uncredited,\nCOMPLETED,100,number,03451112223\nCOMPLETED,100,good,\n";
        let found = differences(&read(file).unwrap(), &books, &credits);
        let got: BTreeSet<(&str, Kind)> = found
            .differences
            .iter()
            .map(|one| (one.reference.as_str(), one.kind))
            .collect();
        let expected = [
            ("changed", Kind::Amount),
            ("declined", Kind::Extra),
            ("good", Kind::Twice),
            ("missing", Kind::Missing),
            ("number", Kind::Amount),
            ("uncredited", Kind::NotCredited),
        ];
        assert_eq!(got, BTreeSet::from(expected));
        assert_eq!((found.matched, found.commission), (2, Money::from_units(6)));
    }

    #[test]
    fn files_that_cannot_be_read_say_where() {
        for (file, told) in [
            (&b""[..], "no line of column names"),
            (b"trace\nx\n", "no column gross"),
            (b"amount\n1\n", "no column trace"),
            (b"trace,amount\nx,1\ny,one\n", "line 3: no amount"),
            (b"trace,amount\n,1\n", "line 2: no trace"),
            (b"trace,amount\n\"x,1\n", "line 2: its quotes"),
            (b"\xff\xfe", "not text"),
        ] {
            let error = read(file).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
