//! Payments as rows: for the desk that asks rails, for staff, and for the pages of payers.

use super::query::ReadsReader;
use super::rows::{code_of, of_code};
use crate::sql::{payments as statements, sqlite};
use crate::traits::StoreError;
use charge::payment::{
    CreatePayment, Credited, Currency, Destination, FailureClass, PaymentEvent, PaymentFault, PaymentId,
    PaymentState, Price, Refund, RefundReason,
};
use charge::reply::Receipt;
use charge::{AccountId, Code, Money, Msisdn, OperatorId, Timestamp};
use rusqlite::types::FromSqlError;
use rusqlite::{Row, Transaction, params};
use std::borrow::Cow;

/// A change of a payment.
#[derive(Debug)]
pub enum PaymentChange {
    /// New.
    Created(Box<CreatePayment>, Timestamp),
    /// Something happened to it.
    Happened(PaymentId, Box<PaymentEvent>, Timestamp),
}

/// A payment as lists need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Its id.
    pub id: PaymentId,
    /// The account, when it is ours.
    pub account: Option<AccountId>,
    /// The connector, when it is not.
    pub connector: Option<Code>,
    /// The number.
    pub msisdn: Msisdn,
    /// Its operator.
    pub operator: OperatorId,
    /// The rail.
    pub rail: Code,
    /// In the operator's currency.
    pub gross: Money,
    /// What the rail takes.
    pub price: Price,
    /// A bundle bought with it; empty: none.
    pub offer: Code,
    /// Digest of the payer.
    pub payer: u128,
    /// Where it stands.
    pub state: PaymentState,
    /// Created.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Not payable after this.
    pub expires_at: Timestamp,
    /// Paid.
    pub paid_at: Option<Timestamp>,
    /// What was booked as paid.
    pub gross_paid: Money,
    /// Why it failed.
    pub failure: Option<FailureClass>,
    /// The rail's last code.
    pub code: String,
    /// The rail's reference while presented.
    pub presented: String,
    /// The rail's reference of the money.
    pub reference: String,
    /// The receipt of its credit.
    pub receipt: Option<Receipt>,
    /// Money going back: reason, gross, price, the rail's reference.
    pub refund: Option<RefundRow>,
    /// Waits for people: which kind, since when.
    pub fault: Option<(FaultKind, Timestamp)>,
    /// A connector's reference.
    pub delivered: Option<String>,
    /// Given up by the payer.
    pub cancelled: bool,
}

/// Money going back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    /// Why.
    pub reason: RefundReason,
    /// In the operator's currency.
    pub gross: Money,
    /// In the rail's currency.
    pub price: Money,
    /// The rail's reference; empty until it is done.
    pub reference: String,
}

/// Kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Another amount than asked.
    Mismatch,
    /// Paid twice.
    ChargedTwice,
    /// The rail contradicts itself.
    Contradiction,
}

impl FaultKind {
    const ALL: [FaultKind; 3] = [
        FaultKind::Mismatch,
        FaultKind::ChargedTwice,
        FaultKind::Contradiction,
    ];

    /// Name in API and files.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Mismatch => "mismatch",
            FaultKind::ChargedTwice => "charged-twice",
            FaultKind::Contradiction => "contradiction",
        }
    }

    fn of(fault: &PaymentFault) -> FaultKind {
        match fault {
            PaymentFault::Mismatch { .. } => FaultKind::Mismatch,
            PaymentFault::ChargedTwice { .. } => FaultKind::ChargedTwice,
            PaymentFault::Contradiction { .. } => FaultKind::Contradiction,
        }
    }

    fn number(self) -> i64 {
        self as i64 + 1
    }
}

pub(super) fn write(tx: &Transaction<'_>, changes: &[PaymentChange]) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(&sqlite(statements::PUT))?;
    for change in changes {
        match change {
            PaymentChange::Created(asked, at) => {
                let (account, connector) = match asked.to {
                    Destination::Account(account) => (Some(account.0.cast_signed()), None),
                    Destination::Connector(code) => (None, Some(code)),
                    Destination::Suspense => (None, None),
                };
                put.execute(params![
                    asked.id.bits().to_be_bytes(),
                    account,
                    connector.as_ref().map(Code::as_str),
                    asked.msisdn.number().cast_signed(),
                    asked.operator.0,
                    asked.rail.as_str(),
                    asked.gross.0,
                    asked.price.amount.0,
                    asked.price.currency.as_str(),
                    asked.offer.as_str(),
                    asked.payer.to_be_bytes(),
                    code_of(&PaymentState::Created),
                    at.0,
                    asked.expires_at.0,
                ])?;
            }
            PaymentChange::Happened(id, event, at) => update(tx, *id, event, *at)?,
        }
    }
    Ok(())
}

/// The columns that an event changes.
#[derive(Default)]
struct Columns<'a> {
    state: Option<PaymentState>,
    failure: Option<FailureClass>,
    code: Option<&'a str>,
    presented: Option<&'a str>,
    reference: Option<&'a str>,
    paid_at: Option<i64>,
    gross_paid: Option<i64>,
    receipt: Option<i64>,
    refund: Option<&'a Refund>,
    refund_reference: Option<&'a str>,
    fault: Option<i64>,
    faulted_at: Option<i64>,
    delivered: Option<Cow<'a, str>>,
    cancelled: Option<bool>,
}

fn columns(event: &PaymentEvent, at: Timestamp) -> Columns<'_> {
    let mut c = Columns::default();
    match event {
        PaymentEvent::Moved {
            state,
            failure,
            code,
            reference,
        } => {
            c.state = Some(*state);
            c.failure = *failure;
            c.code = Some(code.as_str()).filter(|text| !text.is_empty());
            c.presented = Some(reference.as_str()).filter(|text| !text.is_empty());
        }
        PaymentEvent::Settled(settled) => {
            c.reference = Some(&settled.reference);
            c.paid_at = Some(at.0);
            c.gross_paid = Some(settled.gross.0);
            c.state = Some(PaymentState::Succeeded);
            match &settled.credit {
                Credited::Account { outcome, .. } => {
                    c.receipt = Some(outcome.receipt.event.cast_signed());
                }
                Credited::Connector(_) => {}
                Credited::Suspense => c.state = Some(PaymentState::InSuspense),
                Credited::Refund { refund, .. } => {
                    c.state = Some(PaymentState::RefundRequested);
                    c.refund = Some(refund);
                }
            }
        }
        PaymentEvent::Cancelled => c.cancelled = Some(true),
        PaymentEvent::RefundRequested { refund, .. } => {
            c.state = Some(PaymentState::RefundRequested);
            c.refund = Some(refund);
        }
        PaymentEvent::RefundEnded { result: Ok(text), .. } => {
            c.state = Some(PaymentState::Refunded);
            c.refund_reference = Some(text);
        }
        PaymentEvent::RefundEnded {
            result: Err(code), ..
        } => {
            c.state = Some(PaymentState::RefundRefused);
            c.code = Some(code);
        }
        PaymentEvent::RefundRetried => c.state = Some(PaymentState::RefundRequested),
        PaymentEvent::Reversed { code, .. } => {
            c.state = Some(PaymentState::Reversed);
            c.code = Some(code);
        }
        PaymentEvent::Fault(fault) => {
            c.fault = Some(FaultKind::of(fault).number());
            c.faulted_at = Some(at.0);
        }
        PaymentEvent::Resolved(_) => c.fault = Some(0),
        PaymentEvent::Delivered { reference } => c.delivered = Some(reference.as_str().into()),
        PaymentEvent::Assigned { .. } => c.state = Some(PaymentState::Assigned),
        PaymentEvent::AssignEnded(Ok(receipt)) => {
            c.state = Some(PaymentState::Succeeded);
            c.delivered = Some(receipt.to_string().into());
        }
        PaymentEvent::AssignEnded(Err(_)) => c.state = Some(PaymentState::InSuspense),
    }
    c
}

fn update(tx: &Transaction<'_>, id: PaymentId, event: &PaymentEvent, at: Timestamp) -> rusqlite::Result<()> {
    let c = columns(event, at);
    tx.prepare_cached(&sqlite(statements::UPDATE))?.execute(params![
        id.bits().to_be_bytes(),
        at.0,
        c.state.as_ref().map(code_of),
        c.failure.as_ref().map(code_of),
        c.code,
        c.presented,
        c.reference,
        c.paid_at,
        c.gross_paid,
        c.receipt,
        c.refund.map(|refund| code_of(&refund.reason)),
        c.refund.map(|refund| refund.gross.0),
        c.refund.map(|refund| refund.price.amount.0),
        c.refund_reference
            .or(c.refund.map(|refund| refund.reference.as_str())),
        c.fault,
        c.faulted_at,
        c.delivered.as_deref(),
        c.cancelled,
    ])?;
    Ok(())
}

impl ReadsReader {
    /// A payment.
    ///
    /// # Errors
    /// [`StoreError`], as all of these.
    pub fn payment(&mut self, id: PaymentId) -> Result<Option<PaymentRow>, StoreError> {
        let by = statements::payment("id = $1");
        self.one(&by, [id.bits().to_be_bytes()], payment)
    }

    /// Payments in a state, oldest first, behind `after`.
    pub fn payments_in_state(
        &mut self,
        state: PaymentState,
        after: Option<(Timestamp, PaymentId)>,
        limit: usize,
    ) -> Result<Vec<PaymentRow>, StoreError> {
        let (at, id) = after.map_or((i64::MIN, [0; 16]), |(at, id)| (at.0, id.bits().to_be_bytes()));
        let by = "state = $1 and (created_at > $2 or (created_at = $2 and id > $3)) order by created_at, id limit $4";
        self.many(
            &statements::payment(by),
            params![code_of(&state), at, id, page(limit)],
            payment,
        )
    }

    /// Payments whose money is booked for a connector and that no other operator has credited yet, oldest first, behind `after`.
    pub fn payments_undelivered(
        &mut self,
        after: Option<(Timestamp, PaymentId)>,
        limit: usize,
    ) -> Result<Vec<PaymentRow>, StoreError> {
        let (at, id) = after.map_or((i64::MIN, [0; 16]), |(at, id)| (at.0, id.bits().to_be_bytes()));
        let by = "state = $1 and connector is not null and delivered is null
            and (created_at > $2 or (created_at = $2 and id > $3)) order by created_at, id limit $4";
        let values = params![code_of(&PaymentState::Succeeded), at, id, page(limit)];
        self.many(&statements::payment(by), values, payment)
    }

    /// Payments for an account, newest first.
    pub fn payments_of_account(
        &mut self,
        account: AccountId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<PaymentRow>, StoreError> {
        let by = "account = $1 and created_at < $2 order by created_at desc, id desc limit $3";
        self.many(
            &statements::payment(by),
            params![account.0.cast_signed(), before.0, page(limit)],
            payment,
        )
    }

    /// Payments of a rail that were created in a span of time (`until` exclusive), oldest first, behind `after`.
    pub fn payments_of_rail(
        &mut self,
        rail: Code,
        (from, until): (Timestamp, Timestamp),
        after: Option<(Timestamp, PaymentId)>,
        limit: usize,
    ) -> Result<Vec<PaymentRow>, StoreError> {
        let (at, id) = after.map_or((i64::MIN, [0; 16]), |(at, id)| (at.0, id.bits().to_be_bytes()));
        let by = "rail = $1 and created_at >= $2 and created_at < $3 and (created_at > $4 or (created_at = $4 and id > $5))
            order by created_at, id limit $6";
        self.many(
            &statements::payment(by),
            params![rail.as_str(), from.0, until.0, at, id, page(limit)],
            payment,
        )
    }
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(super::query::PAGE_ROWS_MAX)).unwrap_or(0)
}

fn payment(row: &Row<'_>) -> rusqlite::Result<PaymentRow> {
    let bad = |_| FromSqlError::InvalidType;
    let account = row
        .get::<_, Option<i64>>(1)?
        .map(|id| AccountId(id.cast_unsigned()));
    let receipt = row.get::<_, Option<i64>>(21)?.map(i64::cast_unsigned);
    let refund = match row.get::<_, Option<i64>>(22)? {
        None => None,
        Some(reason) => Some(RefundRow {
            reason: of_code(reason).map_err(bad)?,
            gross: Money(row.get(23)?),
            price: Money(row.get(24)?),
            reference: row.get::<_, Option<String>>(25)?.unwrap_or_default(),
        }),
    };
    let failure = match row.get::<_, Option<i64>>(17)? {
        None => None,
        Some(class) => Some(of_code(class).map_err(bad)?),
    };
    let faulted_at = Timestamp(row.get::<_, Option<i64>>(27)?.unwrap_or_default());
    let fault: i64 = row.get(26)?;
    let fault = FaultKind::ALL.into_iter().find(|kind| kind.number() == fault);
    let connector: Option<String> = row.get(2)?;
    Ok(PaymentRow {
        id: PaymentId::from_bits(u128::from_be_bytes(row.get(0)?)).ok_or(FromSqlError::InvalidType)?,
        account,
        connector: connector.and_then(|text| Code::new(&text)),
        msisdn: number(row.get(3)?)?,
        operator: OperatorId(row.get(4)?),
        rail: code(row, 5)?,
        gross: Money(row.get(6)?),
        price: Price {
            amount: Money(row.get(7)?),
            currency: Currency::parse(&row.get::<_, String>(8)?).ok_or(FromSqlError::InvalidType)?,
        },
        offer: code(row, 9)?,
        payer: u128::from_be_bytes(row.get(10)?),
        state: of_code(row.get(11)?).map_err(bad)?,
        created_at: Timestamp(row.get(12)?),
        updated_at: Timestamp(row.get(13)?),
        expires_at: Timestamp(row.get(14)?),
        paid_at: row.get::<_, Option<i64>>(15)?.map(Timestamp),
        gross_paid: Money(row.get(16)?),
        failure,
        code: row.get(18)?,
        presented: row.get(19)?,
        reference: row.get(20)?,
        receipt: account
            .zip(receipt)
            .map(|(account, event)| Receipt { account, event }),
        refund,
        fault: fault.map(|kind| (kind, faulted_at)),
        delivered: row.get(28)?,
        cancelled: row.get(29)?,
    })
}

/// The number; zero is nobody's (suspense).
fn number(stored: i64) -> rusqlite::Result<Msisdn> {
    match stored.cast_unsigned() {
        0 => Ok(Msisdn::NOBODY),
        digits => Ok(Msisdn::new(digits).map_err(|_| FromSqlError::InvalidType)?),
    }
}

fn code(row: &Row<'_>, column: usize) -> rusqlite::Result<Code> {
    let text: String = row.get(column)?;
    Ok(Code::new(&text).ok_or(FromSqlError::InvalidType)?)
}
