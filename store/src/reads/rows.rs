//! The rows of the read models as plain data.

use crate::traits::{Partition, Seq};
use charge::account::LifeCycle;
use charge::catalog::{Called, DestinationClass, Language, Place};
use charge::codec::{Codec, CodecError, Reader, put_varint};
use charge::ids::SessionKey;
use charge::partner::TopUpState;
use charge::reply::Receipt;
use charge::tax::{Rate, TaxClass};
use charge::unit::{Amount, Service};
use charge::{AccountId, Code, Imsi, Money, Msisdn, OperatorId, PartnerId, Timestamp, Unit};
use std::fmt;

/// Where an event lies in the journal: its id towards people and programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPlace {
    /// Partition.
    pub partition: Partition,
    /// Batch.
    pub seq: Seq,
    /// Record in the batch, from 0.
    pub index: u32,
}

/// Bits of a line number that hold the record's index; enough for [`crate::batch::RECORDS_MAX`].
const INDEX_BITS: u32 = 20;

impl EventPlace {
    /// Batch and record in one number that grows with time within a partition.
    pub fn line(&self) -> i64 {
        ((self.seq << INDEX_BITS) | u64::from(self.index)).cast_signed()
    }

    /// The place of a line number.
    pub fn of_line(partition: Partition, line: i64) -> Self {
        let line = line.cast_unsigned();
        Self {
            partition,
            seq: line >> INDEX_BITS,
            index: (line & ((1 << INDEX_BITS) - 1)) as u32,
        }
    }

    /// Reads what [`EventPlace`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('E')?.split('-');
        let place = Self {
            partition: parts.next()?.parse().ok()?,
            seq: parts.next()?.parse().ok()?,
            index: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(place)
    }
}

impl fmt::Display for EventPlace {
    /// `E` partition `-` batch `-` record, for example `E3-1042-7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}-{}-{}", self.partition, self.seq, self.index)
    }
}

/// A subscriber as far as lists need it; balance and validity are asked from the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Account.
    pub account: AccountId,
    /// Tenant.
    pub operator: OperatorId,
    /// Number.
    pub msisdn: Msisdn,
    /// SIM.
    pub imsi: Option<Imsi>,
    /// Language of messages.
    pub language: Language,
    /// Tax class at recharge.
    pub tax_class: TaxClass,
    /// Life-cycle state.
    pub state: LifeCycle,
    /// Opened.
    pub opened_at: Timestamp,
    /// Last change of this row.
    pub updated_at: Timestamp,
}

/// The use of one session and service (or of one immediate event), summed over its reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// Account.
    pub account: AccountId,
    /// Session.
    pub session: SessionKey,
    /// Tenant.
    pub operator: OperatorId,
    /// Kind of use.
    pub service: Service,
    /// Session-Id on the wire; `None` if its opening is not in the journal.
    pub session_id: Option<String>,
    /// Whom it went to.
    pub called: Called,
    /// Class of the called party.
    pub class: DestinationClass,
    /// At home or roaming.
    pub place: Place,
    /// Visited network, MCC-MNC digits, 0 when not told.
    pub plmn: u32,
    /// Tax region last seen.
    pub region: Code,
    /// First request.
    pub opened_at: Timestamp,
    /// Last request.
    pub last_at: Timestamp,
    /// Whether it has ended.
    pub closed: bool,
    /// Requests.
    pub reports: u64,
    /// Used, in the service's unit.
    pub used: Amount,
    /// Taken from money lots, tax included.
    pub money: Money,
    /// The tax in it.
    pub tax: Money,
    /// The part of `used` that buckets covered.
    pub from_buckets: Amount,
    /// Price of what nothing covered.
    pub uncovered: Money,
    /// Main balance after the last request.
    pub balance: Money,
    /// The events, oldest first: at most [`EVENTS_BYTES_MAX`] bytes of them, see [`UsageRecord::complete`].
    pub events: Vec<EventPlace>,
}

/// Encoded places that a usage record keeps: the first so many bytes of them, however the journal was cut into steps.
pub const EVENTS_BYTES_MAX: usize = 1024;

impl UsageRecord {
    /// Whether `events` names every report.
    pub fn complete(&self) -> bool {
        self.events.len() as u64 == self.reports
    }
}

/// Encodes the place of an event within its partition, unless [`EVENTS_BYTES_MAX`] is reached; the last place may be cut.
pub(crate) fn put_place(out: &mut Vec<u8>, place: EventPlace) {
    if out.len() >= EVENTS_BYTES_MAX {
        return;
    }
    put_varint(out, place.seq);
    put_varint(out, u64::from(place.index));
    out.truncate(EVENTS_BYTES_MAX);
}

/// Decodes what [`put_place`] wrote, many times over; a place that was cut does not count.
pub(crate) fn places(partition: Partition, bytes: &[u8]) -> Result<Vec<EventPlace>, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut places = Vec::new();
    while reader.remaining() > 0 {
        let (seq, index) = match reader.varint().and_then(|seq| Ok((seq, reader.varint()?))) {
            Err(CodecError::Truncated) if bytes.len() >= EVENTS_BYTES_MAX => break,
            read => read?,
        };
        let index = u32::try_from(index).map_err(|_| CodecError::Invalid("event place"))?;
        places.push(EventPlace {
            partition,
            seq,
            index,
        });
    }
    Ok(places)
}

/// Kind of a statement line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Balance brought along when the account was opened.
    Opening,
    /// Recharge.
    Recharge,
    /// Bundle bought or renewed.
    Bundle,
    /// Value ran out of time.
    Expiry,
    /// Money given back.
    Refund,
    /// What was unused of a recharge, taken back so that its money returns to the payer; `title` names the payment.
    TakenBack,
    /// A renewal that could not be paid.
    RenewalFailed,
    /// A change of the life-cycle state; `title` names the new one.
    State,
}

impl LineKind {
    pub(crate) const ALL: [(LineKind, i64); 8] = [
        (LineKind::Opening, 1),
        (LineKind::Recharge, 2),
        (LineKind::Bundle, 3),
        (LineKind::Expiry, 4),
        (LineKind::Refund, 5),
        (LineKind::RenewalFailed, 6),
        (LineKind::State, 7),
        (LineKind::TakenBack, 8),
    ];

    /// Its number in the tables.
    pub(crate) fn code(self) -> i64 {
        let entry = Self::ALL.iter().find(|(kind, _)| *kind == self);
        entry.map_or(0, |(_, code)| *code)
    }

    pub(crate) fn of_code(code: i64) -> Option<LineKind> {
        let entry = Self::ALL.iter().find(|(_, known)| *known == code);
        entry.map(|(kind, _)| *kind)
    }

    /// Name in API and files.
    pub fn name(self) -> &'static str {
        match self {
            LineKind::Opening => "opening",
            LineKind::Recharge => "recharge",
            LineKind::Bundle => "bundle",
            LineKind::Expiry => "expiry",
            LineKind::Refund => "refund",
            LineKind::TakenBack => "taken-back",
            LineKind::RenewalFailed => "renewal-failed",
            LineKind::State => "state",
        }
    }
}

/// A movement of an account other than use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Account.
    pub account: AccountId,
    /// The event behind it.
    pub place: EventPlace,
    /// Tenant.
    pub operator: OperatorId,
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: LineKind,
    /// Change of the money in the account: credits are positive.
    pub amount: Money,
    /// Main balance after it, where the event says so.
    pub balance: Option<Money>,
    /// Tax in the movement.
    pub tax: Money,
    /// Offer, promotion or state; empty where there is none.
    pub title: String,
    /// What a recharge's receipt adds.
    pub recharge: Option<RechargeLine>,
}

impl StatementLine {
    /// The cursor of the page that follows when this line is the last of its page.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.at,
            line: self.place.line(),
            session: SessionKey(u128::MAX),
        }
    }
}

/// The part of a statement line that only recharges have; together they are the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RechargeLine {
    /// Number of the receipt.
    pub receipt: Receipt,
    /// Paid.
    pub gross: Money,
    /// Rate of the tax.
    pub tax_rate: Rate,
    /// Fee taken.
    pub fee: Money,
    /// Main balance valid until.
    pub valid_until: Timestamp,
    /// Channel.
    pub channel: String,
    /// Reference for people.
    pub reference: String,
}

/// One entry of a statement page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementEntry {
    /// Anything but use.
    Line(Box<StatementLine>),
    /// Use.
    Usage(Box<UsageRecord>),
}

impl StatementEntry {
    /// The moment that orders it: of a session, its opening.
    pub fn at(&self) -> Timestamp {
        match self {
            StatementEntry::Line(line) => line.at,
            StatementEntry::Usage(usage) => usage.opened_at,
        }
    }

    /// The cursor of the page that follows when this entry is the last of its page.
    pub fn cursor(&self) -> Cursor {
        match self {
            StatementEntry::Line(line) => line.cursor(),
            StatementEntry::Usage(usage) => Cursor {
                at: usage.opened_at,
                line: i64::MIN,
                session: usage.session,
            },
        }
    }
}

/// The end of a statement page: the next one goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Moment of the last entry.
    pub at: Timestamp,
    /// Lines at that moment below this one are still to come.
    pub line: i64,
    /// Sessions at that moment below this one are still to come.
    pub session: SessionKey,
}

impl Cursor {
    /// Before any entry: the newest page.
    pub const NEWEST: Cursor = Cursor {
        at: Timestamp(i64::MAX),
        line: i64::MAX,
        session: SessionKey(u128::MAX),
    };

    /// Reads what [`Cursor`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let cursor = Self {
            at: Timestamp(parts.next()?.parse().ok()?),
            line: parts.next()?.parse().ok()?,
            session: SessionKey(u128::from_str_radix(parts.next()?, 16).ok()?),
        };
        parts.next().is_none().then_some(cursor)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:x}", self.at.0, self.line, self.session.0)
    }
}

/// A top-up of a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRow {
    /// Id that strangers see.
    pub id: u128,
    /// Who sold it.
    pub partner: PartnerId,
    /// The partner's reference.
    pub external_id: String,
    /// Number.
    pub msisdn: Msisdn,
    /// Account.
    pub account: AccountId,
    /// Tenant.
    pub operator: OperatorId,
    /// Paid.
    pub gross: Money,
    /// State class.
    pub state: TopUpState,
    /// Accepted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What the recharge did, once completed.
    pub credit: Option<TopUpCredit>,
    /// Stable code of the refusal, when declined.
    pub reason: Option<u32>,
}

/// What a completed top-up did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpCredit {
    /// Tax taken.
    pub tax: Money,
    /// Fee taken.
    pub fee: Money,
    /// Added to the balance.
    pub credited: Money,
    /// Promotion earned; empty: none.
    pub promotion: String,
    /// Number of the receipt.
    pub receipt: Receipt,
}

/// A partner with its float as of the projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerRow {
    /// Id.
    pub partner: PartnerId,
    /// Name.
    pub name: String,
    /// Channel code.
    pub code: String,
    /// Money it can sell from.
    pub float: Money,
    /// Sold and not yet confirmed.
    pub in_transit: Money,
    /// Opened.
    pub opened_at: Timestamp,
    /// Last movement.
    pub updated_at: Timestamp,
}

/// Movement of a ledger account on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// Tenant.
    pub operator: OperatorId,
    /// Local day number of the operator (days since 1970-01-01).
    pub day: i32,
    /// Class of the ledger account.
    pub account: String,
    /// Unit.
    pub unit: Unit,
    /// Sum of the postings.
    pub amount: Amount,
}

/// A value without fields as its journal byte.
pub(crate) fn code_of(value: &impl Codec) -> i64 {
    value.to_bytes().first().copied().unwrap_or_default().into()
}

/// The value of a journal byte.
pub(crate) fn of_code<T: Codec>(code: i64) -> Result<T, CodecError> {
    T::from_bytes(&[u8::try_from(code).map_err(|_| CodecError::Invalid("code"))?])
}
