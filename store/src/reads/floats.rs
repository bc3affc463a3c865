//! Floats movement by movement: what a partner's settlement file says, and what its own file is compared with.

use super::query::{ReadsReader, code, id, number, page};
use super::rows::code_of;
use super::write::Changes;
use crate::sql::{floats as statements, sqlite};
use crate::traits::StoreError;
use charge::partner::TopUpState;
use charge::reply::Receipt;
use charge::reversal::Taken;
use charge::seller::ChainEvent;
use charge::{AccountId, Code, EventBody, Money, Msisdn, OperatorId, PartnerId, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;

/// Kind of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatKind {
    /// Money came in.
    Funding,
    /// Money went out.
    Withdrawal,
    /// A top-up was sold; with commission given at once.
    Sale,
    /// A top-up was declined: its money came back, and its commission went.
    Declined,
    /// Commission of a completed sale.
    Commission,
    /// A completed top-up was taken back: what was unused came back, and its commission went.
    Reversal,
    /// Stock came in from another seller, with commission on top.
    StockIn,
    /// Stock went to another seller.
    StockOut,
    /// Stock could not be delivered and is back.
    StockBack,
    /// Drawn from the credit line.
    CreditDrawn,
    /// Paid of what was owed.
    CreditPaid,
    /// A share of a sale below, or of its reversal.
    Share,
}

impl FloatKind {
    /// Every kind with its number in the tables and its name in files.
    pub const ALL: [(FloatKind, i64, &'static str); 12] = [
        (FloatKind::Funding, 1, "funding"),
        (FloatKind::Withdrawal, 2, "withdrawal"),
        (FloatKind::Sale, 3, "sale"),
        (FloatKind::Declined, 4, "declined"),
        (FloatKind::Commission, 5, "commission"),
        (FloatKind::Reversal, 6, "reversal"),
        (FloatKind::StockIn, 70, "stock-in"),
        (FloatKind::StockOut, 71, "stock-out"),
        (FloatKind::StockBack, 72, "stock-back"),
        (FloatKind::CreditDrawn, 73, "credit-drawn"),
        (FloatKind::CreditPaid, 74, "credit-paid"),
        (FloatKind::Share, 75, "share"),
    ];

    /// Its number in the tables.
    pub fn number(self) -> i64 {
        let found = FloatKind::ALL.iter().find(|(kind, ..)| *kind == self);
        found.map_or(0, |(_, number, _)| *number)
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        let found = FloatKind::ALL.iter().find(|(kind, ..)| *kind == self);
        found.map_or("", |(.., name)| name)
    }

    /// How the gross amount moves the float: 1, -1 or not at all.
    pub fn sign(self) -> i64 {
        match self {
            FloatKind::Funding
            | FloatKind::Declined
            | FloatKind::Reversal
            | FloatKind::StockIn
            | FloatKind::StockBack
            | FloatKind::CreditDrawn => 1,
            FloatKind::Withdrawal | FloatKind::Sale | FloatKind::StockOut | FloatKind::CreditPaid => -1,
            FloatKind::Commission | FloatKind::Share => 0,
        }
    }

    fn of(number: i64) -> rusqlite::Result<FloatKind> {
        let found = FloatKind::ALL.iter().find(|(_, known, _)| *known == number);
        let found = found.map(|(kind, ..)| *kind);
        found.ok_or(rusqlite::types::FromSqlError::OutOfRange(number).into())
    }
}

/// A movement on its way into the table; its number and balance are given there.
#[derive(Debug)]
pub struct FloatChange {
    /// Whose float.
    pub partner: PartnerId,
    /// Tenant of the sale.
    pub operator: OperatorId,
    /// When.
    pub at: Timestamp,
    /// Kind.
    pub kind: FloatKind,
    /// The top-up, if it is about one.
    pub top_up: Option<u128>,
    /// Reference of a funding.
    pub reference: String,
    /// Amount, never negative.
    pub gross: Money,
    /// Commission that comes with it, or goes.
    pub commission: Money,
}

impl FloatChange {
    fn delta(&self) -> i64 {
        self.kind.sign() * self.gross.0 + self.commission.0
    }
}

/// What happens to the float of a top-up's seller after the beginning of it.
#[derive(Debug)]
pub enum TopUpEnd {
    /// Another operator credited it.
    Delivered(String),
    /// It was taken back.
    Reversed(Taken, Money),
}

impl Changes {
    /// Takes in a movement of a float. Commission of the same sale, decided together with it, belongs to one line.
    pub(crate) fn float_moved(
        &mut self,
        (partner, operator, at): (PartnerId, OperatorId, Timestamp),
        body: &EventBody,
    ) {
        let line = |kind, gross: Money, commission, top_up| FloatChange {
            partner,
            operator,
            at,
            kind,
            top_up,
            reference: String::new(),
            gross,
            commission,
        };
        let last = self.float_lines.last_mut();
        let about = |top_up: u128| {
            move |line: &&mut FloatChange| {
                line.partner == partner && line.top_up == Some(top_up) && line.at == at
            }
        };
        let new = match body {
            EventBody::FloatFunded {
                amount, reference, ..
            } => {
                let kind = match amount.is_positive() {
                    true => FloatKind::Funding,
                    false => FloatKind::Withdrawal,
                };
                FloatChange {
                    reference: reference.clone(),
                    ..line(kind, Money(amount.0.saturating_abs()), Money::ZERO, None)
                }
            }
            EventBody::FloatDebited { amount, top_up, .. } => {
                let upfront = last
                    .filter(about(*top_up))
                    .filter(|line| line.kind == FloatKind::Commission);
                if let Some(line) = upfront {
                    (line.kind, line.gross) = (FloatKind::Sale, *amount);
                    return;
                }
                line(FloatKind::Sale, *amount, Money::ZERO, Some(*top_up))
            }
            EventBody::CommissionPaid { amount, top_up, .. } => {
                let back = last.filter(about(*top_up)).filter(|line| {
                    matches!(line.kind, FloatKind::Declined | FloatKind::Reversal)
                        && line.commission == Money::ZERO
                });
                if let Some(line) = back {
                    line.commission = *amount;
                    return;
                }
                line(FloatKind::Commission, Money::ZERO, *amount, Some(*top_up))
            }
            EventBody::FloatSettled {
                amount,
                top_up,
                credited: false,
            } => line(FloatKind::Declined, *amount, Money::ZERO, Some(*top_up)),
            EventBody::FloatReturned { amount, top_up } => {
                line(FloatKind::Reversal, *amount, Money::ZERO, Some(*top_up))
            }
            EventBody::Chain(happened) => match chain_line(happened) {
                Some((kind, gross, commission, reference)) => FloatChange {
                    reference,
                    ..line(kind, gross, commission, None)
                },
                None => return,
            },
            _ => return,
        };
        self.float_lines.push(new);
    }
}

/// Kind, amount, commission and reference of what the selling chain does to a float.
fn chain_line(happened: &ChainEvent) -> Option<(FloatKind, Money, Money, String)> {
    let reference = |id: u128| format!("{id:032x}");
    Some(match happened {
        ChainEvent::StockReceived(stock) => {
            let commission = stock.commission;
            (FloatKind::StockIn, stock.amount, commission, reference(stock.id))
        }
        ChainEvent::StockSent(stock) => (
            FloatKind::StockOut,
            stock.amount,
            Money::ZERO,
            reference(stock.id),
        ),
        ChainEvent::StockSettled {
            stock,
            accepted: false,
        } => (
            FloatKind::StockBack,
            stock.amount,
            Money::ZERO,
            reference(stock.id),
        ),
        ChainEvent::CreditMoved(amount) => {
            let kind = match amount.is_positive() {
                true => FloatKind::CreditDrawn,
                false => FloatKind::CreditPaid,
            };
            (kind, Money(amount.0.saturating_abs()), Money::ZERO, String::new())
        }
        ChainEvent::OverrideReceived { amount, top_up, .. } => {
            (FloatKind::Share, Money::ZERO, *amount, reference(*top_up))
        }
        _ => return None,
    })
}

/// Writes movements with their numbers and balances.
pub(super) fn write(tx: &Transaction<'_>, changes: &[FloatChange]) -> rusqlite::Result<()> {
    let mut last = tx.prepare_cached(&sqlite(statements::LAST))?;
    let mut put = tx.prepare_cached(&sqlite(statements::LINE_PUT))?;
    let mut ends: HashMap<PartnerId, (i64, i64)> = HashMap::new();
    for change in changes {
        let (seq, balance) = match ends.get(&change.partner) {
            Some(end) => *end,
            None => last
                .query_row([change.partner.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?
                .unwrap_or((0, 0)),
        };
        let (seq, balance) = (seq + 1, balance + change.delta());
        ends.insert(change.partner, (seq, balance));
        put.execute(params![
            change.partner.0,
            seq,
            change.at.0,
            change.operator.0,
            change.kind.number(),
            change.top_up.map(u128::to_be_bytes),
            change.reference,
            change.gross.0,
            change.commission.0,
            change.delta(),
            balance,
        ])?;
    }
    Ok(())
}

/// Writes what became of a top-up after its beginning.
pub(super) fn write_end(
    tx: &Transaction<'_>,
    (partner, digest): (PartnerId, u128),
    end: &TopUpEnd,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let digest = digest.to_be_bytes();
    let state = match end {
        TopUpEnd::Delivered(reference) => {
            tx.prepare_cached(&sqlite(statements::OUTSIDE_END))?
                .execute(params![partner.0, digest, reference])?;
            TopUpState::Completed
        }
        TopUpEnd::Reversed(taken, commission) => {
            tx.prepare_cached(&sqlite(statements::BACK_PUT))?
                .execute(params![
                    partner.0,
                    digest,
                    taken.gross.0,
                    taken.unused.0,
                    taken.tax.0,
                    commission.0,
                    at.0
                ])?;
            TopUpState::Reversed
        }
    };
    tx.prepare_cached(&sqlite(statements::TOP_UP_STATE))?
        .execute(params![partner.0, digest, code_of(&state), at.0])?;
    Ok(())
}

/// A movement of a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatLine {
    /// Its number, from 1 without gaps for each partner.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Tenant of the sale.
    pub operator: OperatorId,
    /// Kind.
    pub kind: FloatKind,
    /// The top-up, if it is about one.
    pub top_up: Option<u128>,
    /// The partner's reference of it, or the reference of a funding.
    pub reference: String,
    /// The number that was recharged.
    pub msisdn: Option<Msisdn>,
    /// Amount, never negative.
    pub gross: Money,
    /// Tax in it.
    pub tax: Money,
    /// Credited, or taken back.
    pub net: Money,
    /// Commission that came or went with it.
    pub commission: Money,
    /// The float before it.
    pub before: Money,
    /// The float after it.
    pub after: Money,
    /// How it ended: of a sale, without regard to a reversal, which has a line of its own.
    pub state: TopUpState,
    /// The receipt of the credit.
    pub receipt: Option<Receipt>,
    /// Handed over by a connector: its name and the other operator's reference.
    pub outside: Option<(String, String)>,
    /// The sale was taken back by now.
    pub reversed: bool,
}

/// Sums of movements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatSum {
    /// Day number.
    pub day: i64,
    /// Tenant.
    pub operator: OperatorId,
    /// Kind.
    pub kind: FloatKind,
    /// State of the top-ups now; `None`: the movements are about none.
    pub state: Option<TopUpState>,
    /// Movements.
    pub count: u64,
    /// Amounts.
    pub gross: Money,
    /// Tax in them.
    pub tax: Money,
    /// Credited, or taken back.
    pub net: Money,
    /// Commission.
    pub commission: Money,
    /// What they did to the float.
    pub delta: Money,
}

/// A sale that a connector hands over and that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDelivery {
    /// Who sold it.
    pub partner: PartnerId,
    /// Digest of its external_id.
    pub digest: u128,
    /// The connector.
    pub connector: Code,
    /// When it was sold.
    pub created_at: Timestamp,
    /// The top-up.
    pub id: u128,
}

impl ReadsReader {
    /// Movements of a float in a span of time behind `after`, oldest first.
    pub fn float_lines(
        &mut self,
        partner: PartnerId,
        (from, until): (Timestamp, Timestamp),
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<FloatLine>, StoreError> {
        let start = match after {
            Some(seq) => Some(seq.cast_signed()),
            None => self
                .one(statements::FIRST, params![partner.0, from.0], |row| row.get(0))?
                .flatten(),
        };
        let Some(start) = start else {
            return Ok(Vec::new());
        };
        let values = params![partner.0, start, until.0, page(limit)];
        self.many(statements::LINES, values, line)
    }

    /// Sales of a span of time that have not ended.
    pub fn undecided_sales(
        &mut self,
        partner: PartnerId,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<u64, StoreError> {
        let (kind, state) = (FloatKind::Sale.number(), code_of(&TopUpState::Submitted));
        let values = params![partner.0, from.0, until.0, kind, state];
        let count: Option<i64> = self.one(statements::UNDECIDED, values, |row| row.get(0))?;
        Ok(count.unwrap_or(0).cast_unsigned())
    }

    /// How many sales a partner made in each hour of a span in which it sold: hours since 1970 on a clock that is so many
    /// microseconds ahead of UTC.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sales_by_hour(
        &mut self,
        partner: PartnerId,
        (from, until): (Timestamp, Timestamp),
        ahead_us: i64,
    ) -> Result<Vec<(i64, u64)>, StoreError> {
        let values = params![partner.0, from.0, until.0, FloatKind::Sale.number(), ahead_us];
        self.many(statements::SALES_BY_HOUR, values, |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })
    }

    /// Sums by day, operator, kind and state; days begin so many microseconds before those of UTC.
    pub fn float_sums(
        &mut self,
        partner: PartnerId,
        (from, until): (Timestamp, Timestamp),
        day_offset_us: i64,
    ) -> Result<Vec<FloatSum>, StoreError> {
        let values = params![
            partner.0,
            from.0,
            until.0,
            day_offset_us,
            FloatKind::Reversal.number()
        ];
        self.many(statements::SUMMARY, values, |row| {
            Ok(FloatSum {
                day: row.get(0)?,
                operator: OperatorId(row.get(1)?),
                kind: FloatKind::of(row.get(2)?)?,
                state: match row.get::<_, i64>(3)? {
                    -1 => None,
                    _ => Some(code(row, 3)?),
                },
                count: row.get::<_, i64>(4)?.cast_unsigned(),
                gross: Money(row.get(5)?),
                tax: Money(row.get(6)?),
                net: Money(row.get(7)?),
                commission: Money(row.get(8)?),
                delta: Money(row.get(9)?),
            })
        })
    }

    /// Sales with connectors that have not ended, oldest first, behind `after`.
    pub fn open_deliveries(
        &mut self,
        after: Option<(Timestamp, u128)>,
        limit: usize,
    ) -> Result<Vec<OpenDelivery>, StoreError> {
        let (at, after) = after.map_or((i64::MIN, [0; 16]), |(at, id)| (at.0, id.to_be_bytes()));
        self.many(statements::OUTSIDE_OPEN, params![at, after, page(limit)], |row| {
            Ok(OpenDelivery {
                partner: PartnerId(row.get(0)?),
                digest: id(row, 1)?,
                connector: Code::new(&row.get::<_, String>(2)?).unwrap_or_default(),
                created_at: Timestamp(row.get(3)?),
                id: id(row, 4)?,
            })
        })
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<FloatLine> {
    let kind = FloatKind::of(row.get(3)?)?;
    let state: Option<TopUpState> = match row.get::<_, Option<i64>>(13)? {
        Some(_) => Some(code(row, 13)?),
        None => None,
    };
    let money = |column: usize| -> rusqlite::Result<Money> {
        Ok(Money(row.get::<_, Option<i64>>(column)?.unwrap_or(0)))
    };
    let (tax, net) = match kind {
        FloatKind::Sale => (money(14)?, money(15)?),
        FloatKind::Reversal => (money(17)?, money(18)?),
        _ => (Money::ZERO, Money::ZERO),
    };
    let (delta, after): (i64, i64) = (row.get(8)?, row.get(9)?);
    let receipt = match (row.get::<_, Option<i64>>(12)?, row.get::<_, Option<i64>>(16)?) {
        (Some(account), Some(event)) => Some(Receipt {
            account: AccountId(account.cast_unsigned()),
            event: event.cast_unsigned(),
        }),
        _ => None,
    };
    let external: Option<String> = row.get(10)?;
    let outside: Option<String> = row.get(19)?;
    Ok(FloatLine {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        at: Timestamp(row.get(1)?),
        operator: OperatorId(row.get(2)?),
        kind,
        top_up: match row.get_ref(4)?.as_blob_or_null()? {
            Some(_) => Some(id(row, 4)?),
            None => None,
        },
        reference: match external {
            Some(external) => external,
            None => row.get(5)?,
        },
        msisdn: match row.get::<_, Option<i64>>(11)? {
            Some(_) => Some(number(row, 11)?),
            None => None,
        },
        gross: Money(row.get(6)?),
        tax,
        net,
        commission: Money(row.get(7)?),
        before: Money(after - delta),
        after: Money(after),
        state: match (kind, state) {
            (FloatKind::Sale, Some(TopUpState::Reversed)) => TopUpState::Completed,
            (FloatKind::Sale, Some(state)) => state,
            (FloatKind::Declined, _) => TopUpState::Declined,
            (FloatKind::Reversal, _) => TopUpState::Reversed,
            _ => TopUpState::Completed,
        },
        receipt,
        outside: match outside {
            Some(connector) => Some((connector, row.get(20)?)),
            None => None,
        },
        reversed: kind == FloatKind::Sale && state == Some(TopUpState::Reversed),
    })
}
