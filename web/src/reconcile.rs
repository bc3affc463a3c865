//! A rail's settlement file of a day against the books: the one comparison behind the API, the command line, staff's pages and
//! the daily run.
//!
//! Three sides: what the rail's file says was paid, what the ledger has as paid, and what the operator credited.

use crate::bind::Reader;
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use charge::partner::TopUp;
use charge::payment::{Currency, PaymentId, PaymentState, Price};
use charge::time::{DAY, SECOND};
use charge::{Code, Money, Timestamp};
use rails::reconcile::{Booked, Difference, Kind, Question, compare, owner};
use rails::{RailError, SettlementKind, SettlementLine};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use store::StoreError;
use store::exceptions::{Exception, Exceptions};
use store::reads::PaymentRow;
use store::runs::Run;
use uuid::Uuid;

/// Rails here write days of Pakistan: five hours before UTC.
pub const DAY_OFFSET_S: i64 = 5 * 3600;
/// Rows of one question.
const PAGE: usize = 500;

/// Which file it is.
#[derive(Clone, Debug)]
pub struct DayFile {
    /// The rail.
    pub rail: Code,
    /// The day that it settles: days since 1970-01-01, in Pakistan.
    pub day: i32,
    /// The highest fee by contract, in parts of ten thousand; `None`: not checked.
    pub fee_max_bp: Option<u32>,
    /// Who wants it: `daily`, or a name.
    pub source: String,
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its figures, as they are kept.
    pub run: Run,
    /// Paid, of the lines that agree.
    pub paid: Money,
    /// Differences that were not known before.
    pub new: usize,
    /// Every difference of this file, known or new.
    pub exceptions: Vec<Exception>,
}

/// The digest of a file: the same file has the same one.
pub fn digest_of(file: &[u8]) -> String {
    let digest = Sha256::digest(file);
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Compares, and keeps figures and differences in one step. The same file again reports nothing twice.
///
/// # Errors
/// [`Fault::NotFound`] where nothing is reconciled, [`Fault::BadField`] for a rail without files, [`Fault::BadRequest`] for a
/// file that cannot be read whole.
pub async fn compare_day(web: &Web, of: DayFile, file: Vec<u8>) -> Result<Compared, Problem> {
    let (desk, kept) = crate::api::reconciliations::desk_and_file(web)?;
    let (rail, day) = (of.rail, of.day);
    let digest = digest_of(&file);
    let read = blocking(move || Ok(desk.settlement(rail, &file))).await?;
    let (lines, rails) = read.map_err(|error| match error {
        RailError::Unsupported => Problem::field(Fault::BadField, "rail"),
        error => Problem::from(Fault::BadRequest).hint(error.to_string()),
    })?;
    let books = Books { rail, rails, day };
    let both = web.parts.reads.ask(move |reader| {
        let known = books.read(reader, &lines)?;
        Ok((lines, known))
    });
    let (lines, (known, expected)) = both.await?;
    let now = web.now();
    blocking(move || {
        let ids: Vec<PaymentId> = known.keys().copied().collect();
        let settled = kept.settled(&ids)?;
        let settled = settled
            .into_iter()
            .filter_map(|(id, kind)| Some((id, kind_of(kind)?)))
            .collect();
        let found = compare(&Question {
            rail,
            lines: &lines,
            known: &known,
            expected: &expected,
            settled: &settled,
            fee_max_bp: of.fee_max_bp,
        });
        let sides = sides(rail, &lines, &known, &expected);
        let run = Run {
            rail,
            day,
            digest,
            source: of.source,
            lines: found.totals.lines,
            matched: found.totals.matched,
            file: sides.file,
            ledger: sides.ledger,
            credited: sides.credited,
            refunded: found.totals.refunded,
            fees: found.totals.fees,
            currency: lines
                .first()
                .map_or_else(String::new, |line| line.gross.currency.to_string()),
            differences: found.differences.len() as u64,
            ran_at: now,
            times: 1,
        };
        let rows: Vec<Exception> = found
            .differences
            .iter()
            .map(|one| row_of(one, rail, day, now))
            .collect();
        let settled = found
            .settled
            .iter()
            .map(|(id, kind)| (*id, *kind as u8))
            .collect();
        let (exceptions, new) = keep(&kept, (rail, day), &rows, &settled, (Some(&run), now))?;
        Ok(Compared {
            run,
            paid: found.totals.paid,
            new,
            exceptions,
        })
    })
    .await
}

/// Says that the file of a day did not come, or cannot be read; it closes by itself when one is compared. True when it is
/// new.
///
/// # Errors
/// [`Fault::NotFound`] where nothing is reconciled.
pub async fn file_wanted(
    web: &Web,
    (rail, day): (Code, i32),
    kind: Kind,
    name: &str,
) -> Result<bool, Problem> {
    let (_, kept) = crate::api::reconciliations::desk_and_file(web)?;
    let about = Difference {
        kind,
        payment: None,
        reference: format!("{} {name}", crate::api::reconciliations::day_text(day)),
        line: 0,
        file: None,
        books: None,
    };
    let one = row_of(&about, rail, day, web.now());
    blocking(move || kept.add(&one)).await
}

/// Says that something about a partner's sale has to be settled by people: what it paid, and what became of it in
/// the books. Durable when it returns; saying it again changes nothing.
///
/// # Errors
/// [`Fault::NotFound`] where nothing is reconciled, [`Fault::Internal`] when it could not be kept.
pub async fn sale_to_settle(web: &Web, kind: Kind, sale: &TopUp, booked: Money) -> Result<(), Problem> {
    let kept = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    // Not the name of the partner's own files: comparing one of those must not close this.
    let rail = Code::new(&format!("bank.{}", sale.partner.0)).unwrap_or_default();
    let about = Difference {
        kind,
        payment: None,
        reference: Uuid::from_u128(sale.id).to_string(),
        line: 0,
        file: Some(Price::pkr(sale.gross)),
        books: Some(Price::pkr(booked)),
    };
    let now = web.now();
    let day = (now.0 + DAY_OFFSET_S * SECOND).div_euclid(DAY);
    let one = row_of(&about, rail, i32::try_from(day).unwrap_or(i32::MAX), now);
    blocking(move || kept.add(&one)).await.map(|_| ())
}

/// Keeps what a comparison found: every difference as it stands now, and how many are new.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn keep(
    file: &Exceptions,
    place: (Code, i32),
    rows: &[Exception],
    settled: &BTreeSet<(PaymentId, u8)>,
    (run, now): (Option<&Run>, Timestamp),
) -> Result<(Vec<Exception>, usize), StoreError> {
    let new = file.keep(place, rows, settled, run, now)?;
    let kept = rows.iter().filter_map(|row| file.get(&row.id).transpose());
    Ok((kept.collect::<Result<_, _>>()?, new))
}

/// The three sides of a day.
struct Sides {
    file: Money,
    ledger: Money,
    credited: Money,
}

fn sides(
    rail: Code,
    lines: &[SettlementLine],
    known: &BTreeMap<PaymentId, Booked>,
    expected: &BTreeSet<(PaymentId, SettlementKind)>,
) -> Sides {
    let payments = || lines.iter().filter(|line| line.kind == SettlementKind::Payment);
    let named = payments().map(|line| owner(rail, line));
    let due = expected
        .iter()
        .filter(|(_, kind)| *kind == SettlementKind::Payment)
        .map(|(id, _)| *id);
    let ids: BTreeSet<PaymentId> = named.chain(due).collect();
    let booked = || ids.iter().filter_map(|id| known.get(id));
    let sum = |amounts: &mut dyn Iterator<Item = Money>| amounts.fold(Money::ZERO, |sum, one| sum + one);
    let paid = |booked: &Booked| booked.paid.map(|price| price.amount);
    Sides {
        file: sum(&mut payments().map(|line| line.gross.amount)),
        ledger: sum(&mut booked().filter_map(paid)),
        credited: sum(&mut booked().filter(|booked| booked.placed).filter_map(paid)),
    }
}

/// Where the books are read.
struct Books {
    rail: Code,
    rails: Vec<Code>,
    day: i32,
}

type Read = (BTreeMap<PaymentId, Booked>, BTreeSet<(PaymentId, SettlementKind)>);

impl Books {
    fn read(&self, reader: &mut Reader, lines: &[SettlementLine]) -> Result<Read, StoreError> {
        let midnight = Timestamp(i64::from(self.day) * DAY - DAY_OFFSET_S * SECOND);
        let from = midnight.plus(-limits::SETTLEMENT_CUT_S * SECOND);
        let span = from..from.plus(DAY);
        let (mut known, mut expected) = (BTreeMap::new(), BTreeSet::new());
        for line in lines {
            for id in [
                owner(self.rail, line),
                PaymentId::of_suspense(self.rail, &line.reference),
            ] {
                let row = reader
                    .models
                    .payment(id)?
                    .filter(|row| self.rails.contains(&row.rail));
                known.extend(row.map(|row| (id, booked(&row))));
            }
        }
        for rail in &self.rails {
            let first = midnight.plus(-limits::SETTLEMENT_AGE_DAYS * DAY);
            let mut after = None;
            loop {
                let page = reader
                    .models
                    .payments_of_rail(*rail, (first, span.end), after, PAGE)?;
                for row in &page {
                    let (id, one) = (row.id, booked(row));
                    let refunded = row.state == PaymentState::Refunded && span.contains(&row.updated_at);
                    if row.paid_at.is_some_and(|at| span.contains(&at)) {
                        expected.insert((id, SettlementKind::Payment));
                    }
                    if refunded {
                        expected.insert((id, SettlementKind::Refund));
                    }
                    known.insert(id, one);
                }
                match page.last() {
                    Some(last) if page.len() == PAGE => after = Some((last.created_at, last.id)),
                    _ => break,
                }
            }
        }
        Ok((known, expected))
    }
}

fn booked(row: &PaymentRow) -> Booked {
    let paid = row.paid_at.map(|_| match row.price.currency {
        Currency::PKR => Price::pkr(row.gross_paid),
        _ => row.price,
    });
    let refund = row.refund.as_ref();
    let placed =
        row.receipt.is_some() || row.delivered.is_some() || row.connector.is_some() || refund.is_some();
    Booked {
        id: row.id,
        state: row.state,
        paid,
        reference: row.reference.clone(),
        placed: placed
            || matches!(
                row.state,
                PaymentState::InSuspense | PaymentState::Assigned | PaymentState::Reversed
            ),
        refund: refund.map(|refund| Price {
            amount: refund.price,
            currency: row.price.currency,
        }),
    }
}

fn row_of(found: &Difference, rail: Code, day: i32, now: Timestamp) -> Exception {
    Exception {
        id: found.id(rail),
        rail,
        day,
        kind: found.kind.name().to_owned(),
        payment: found.payment,
        reference: found.reference.clone(),
        line: found.line,
        file: found.file,
        books: found.books,
        found_at: now,
        owner: String::new(),
        closed: None,
    }
}

fn kind_of(number: u8) -> Option<SettlementKind> {
    let all = [
        SettlementKind::Payment,
        SettlementKind::Refund,
        SettlementKind::Chargeback,
    ];
    all.into_iter().find(|kind| *kind as u8 == number)
}

/// Asks or changes the file of exceptions, on a thread that may wait.
///
/// # Errors
/// [`Fault::Internal`]; the cause is logged.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            tracing::error!(%error, "the file of exceptions does not answer");
            Err(Fault::Internal.into())
        }
        Err(_) => Err(Fault::Internal.into()),
    }
}
