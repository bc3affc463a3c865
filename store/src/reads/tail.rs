//! The tail of the read models: use and statement lines that were projected and are not yet rows of their tables.
//!
//! Under load nearly every page of those tables would change in each step of the projection, and be written to the
//! disk twice. So a step appends what it found, gathered by ranges of accounts (buckets), and one bucket after the
//! other is merged into its tables later: many reports of a session are one update then, and its pages are written once.
//! Readers look at the tail as well, so that nobody sees the difference.

use super::rows::{
    EVENTS_BYTES_MAX, EventPlace, LineKind, RechargeLine, StatementLine, UsageRecord, of_code, places,
    put_place,
};
use super::write::{Changes, UsageChange};
use charge::catalog::{Called, DestinationClass};
use charge::codec::{Codec, CodecError, Reader, put_varint};
use charge::ids::SessionKey;
use charge::reply::Receipt;
use charge::unit::Amount;
use charge::{AccountId, Money, Timestamp};
use std::collections::BTreeMap;

/// A bucket holds 2 to this power accounts with ids that follow each other: about a hundred pages of use.
const BUCKET_BITS: u32 = 10;

const USAGE: u64 = 0;
const LINE: u64 = 1;

/// The bucket of an account.
pub(super) fn bucket_of(account: AccountId) -> i64 {
    (account.0 >> BUCKET_BITS).cast_signed()
}

/// What the tail holds of a bucket, or of one account.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub usage: BTreeMap<(AccountId, SessionKey), UsageChange>,
    pub lines: Vec<StatementLine>,
}

/// The entries of a step by bucket, encoded.
pub(super) fn encode(changes: &Changes) -> BTreeMap<i64, Vec<u8>> {
    let mut buckets: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    let mut body = Vec::new();
    let mut put = |account: AccountId, kind: u64, body: &mut Vec<u8>| {
        let out = buckets.entry(bucket_of(account)).or_default();
        let within = account.0 & ((1 << BUCKET_BITS) - 1);
        put_varint(out, within << 1 | kind);
        put_varint(out, body.len() as u64);
        out.append(body);
    };
    for ((account, session), change) in &changes.usage {
        put_usage(&mut body, *session, change);
        put(*account, USAGE, &mut body);
    }
    for line in &changes.lines {
        put_line(&mut body, line);
        put(line.account, LINE, &mut body);
    }
    buckets
}

impl Pending {
    /// Adds the entries of one step, of all accounts or of one; steps must come in order.
    pub fn add(&mut self, bucket: i64, bytes: &[u8], only: Option<AccountId>) -> Result<(), CodecError> {
        let mut input = Reader::new(bytes);
        while input.remaining() > 0 {
            let head = input.varint()?;
            let account = AccountId(bucket.cast_unsigned() << BUCKET_BITS | head >> 1);
            let length = usize::try_from(input.varint()?).map_err(|_| CodecError::Truncated)?;
            let body = input.take(length)?;
            if only.is_some_and(|only| only != account) {
                continue;
            }
            let mut body = Reader::new(body);
            if head & 1 == LINE {
                self.lines.push(line(account, &mut body)?);
                body.finish()?;
            } else {
                let (session, change) = usage(&mut body)?;
                match self.usage.get_mut(&(account, session)) {
                    Some(earlier) => earlier.absorb(&change),
                    None => {
                        self.usage.insert((account, session), change);
                    }
                }
            }
        }
        Ok(())
    }
}

impl UsageRecord {
    /// The record of a session that begins with this change, before anything is added.
    pub(super) fn opened_by(
        account: AccountId,
        session: SessionKey,
        change: &UsageChange,
    ) -> Result<UsageRecord, CodecError> {
        let target = change.opened.as_ref().map(|opened| opened.target);
        Ok(UsageRecord {
            account,
            session,
            operator: change.operator,
            service: change.service,
            session_id: change.opened.as_ref().map(|opened| opened.id.to_string()),
            called: target.map_or(Called::Nobody, |target| target.called),
            class: target.map_or(DestinationClass::Special, |target| target.class),
            place: target.map_or_else(|| of_code(0), |target| Ok(target.place))?,
            plmn: target.map_or(0, |target| target.plmn),
            region: change.region(),
            opened_at: change.first_at,
            last_at: change.last_at,
            closed: false,
            reports: 0,
            used: Amount::ZERO,
            money: Money::ZERO,
            tax: Money::ZERO,
            from_buckets: Amount::ZERO,
            uncovered: Money::ZERO,
            balance: change.balance,
            events: Vec::new(),
        })
    }

    /// Adds what came later, as the table would.
    pub(super) fn add(&mut self, change: &UsageChange) -> Result<(), CodecError> {
        let region = change.region();
        if !region.is_empty() {
            self.region = region;
        }
        // Once places were cut off, no more are kept.
        if self.complete() {
            let mut encoded = Vec::new();
            for place in &self.events {
                put_place(&mut encoded, *place);
            }
            encoded.extend_from_slice(&change.events);
            encoded.truncate(EVENTS_BYTES_MAX);
            self.events = places(change.partition, &encoded)?;
        }
        self.last_at = change.last_at;
        self.closed |= change.closed;
        self.reports = self.reports.saturating_add(change.reports.into());
        self.used.0 = self.used.0.saturating_add(change.used.0);
        self.money.0 = self.money.0.saturating_add(change.money.0);
        self.tax.0 = self.tax.0.saturating_add(change.tax.0);
        self.from_buckets.0 = self.from_buckets.0.saturating_add(change.from_buckets.0);
        self.uncovered.0 = self.uncovered.0.saturating_add(change.uncovered.0);
        self.balance = change.balance;
        Ok(())
    }
}

fn put_usage(out: &mut Vec<u8>, session: SessionKey, change: &UsageChange) {
    session.encode(out);
    change.operator.encode(out);
    change.partition.encode(out);
    change.service.encode(out);
    change.opened.encode(out);
    change.moved.encode(out);
    change.first_at.encode(out);
    (change.last_at.0.wrapping_sub(change.first_at.0)).encode(out);
    change.closed.encode(out);
    change.reports.encode(out);
    change.used.encode(out);
    change.money.encode(out);
    change.tax.encode(out);
    change.from_buckets.encode(out);
    change.uncovered.encode(out);
    change.balance.encode(out);
    out.extend_from_slice(&change.events[..change.events.len().min(EVENTS_BYTES_MAX)]);
}

fn usage(input: &mut Reader<'_>) -> Result<(SessionKey, UsageChange), CodecError> {
    let session = SessionKey::decode(input)?;
    let (operator, partition, service) = (
        Codec::decode(input)?,
        Codec::decode(input)?,
        Codec::decode(input)?,
    );
    let (opened, moved) = (Codec::decode(input)?, Codec::decode(input)?);
    let first_at = Timestamp::decode(input)?;
    let last_at = Timestamp(first_at.0.wrapping_add(i64::decode(input)?));
    let change = UsageChange {
        operator,
        partition,
        service,
        opened,
        moved,
        first_at,
        last_at,
        closed: Codec::decode(input)?,
        reports: Codec::decode(input)?,
        used: Codec::decode(input)?,
        money: Codec::decode(input)?,
        tax: Codec::decode(input)?,
        from_buckets: Codec::decode(input)?,
        uncovered: Codec::decode(input)?,
        balance: Codec::decode(input)?,
        events: input.take(input.remaining())?.to_vec(),
    };
    Ok((session, change))
}

fn put_line(out: &mut Vec<u8>, line: &StatementLine) {
    line.place.partition.encode(out);
    line.place.line().encode(out);
    line.operator.encode(out);
    line.at.encode(out);
    line.kind.code().encode(out);
    line.amount.encode(out);
    line.balance.encode(out);
    line.tax.encode(out);
    line.title.encode(out);
    line.recharge.is_some().encode(out);
    if let Some(recharge) = &line.recharge {
        recharge.receipt.event.encode(out);
        recharge.gross.encode(out);
        recharge.tax_rate.encode(out);
        recharge.fee.encode(out);
        recharge.valid_until.encode(out);
        recharge.channel.encode(out);
        recharge.reference.encode(out);
    }
}

fn line(account: AccountId, input: &mut Reader<'_>) -> Result<StatementLine, CodecError> {
    let partition = Codec::decode(input)?;
    let mut line = StatementLine {
        account,
        place: EventPlace::of_line(partition, i64::decode(input)?),
        operator: Codec::decode(input)?,
        at: Codec::decode(input)?,
        kind: LineKind::of_code(i64::decode(input)?).ok_or(CodecError::Invalid("kind of line"))?,
        amount: Codec::decode(input)?,
        balance: Codec::decode(input)?,
        tax: Codec::decode(input)?,
        title: Codec::decode(input)?,
        recharge: None,
    };
    if bool::decode(input)? {
        line.recharge = Some(RechargeLine {
            receipt: Receipt {
                account,
                event: Codec::decode(input)?,
            },
            gross: Codec::decode(input)?,
            tax_rate: Codec::decode(input)?,
            fee: Codec::decode(input)?,
            valid_until: Codec::decode(input)?,
            channel: Codec::decode(input)?,
            reference: Codec::decode(input)?,
        });
    }
    Ok(line)
}
