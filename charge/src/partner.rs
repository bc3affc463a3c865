//! Partners that sell recharges from a float, their top-ups, and the directory of numbers.

use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{AccountId, Code, Msisdn, OperatorId, PartnerId, SourceId};
use crate::money::Money;
use crate::reply::RechargeOutcome;
use crate::reversal::Afterwards;
use crate::terms::TopUpDetails;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// A partner: a shop chain, a bank, an aggregator, or the operator's own desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Name for people.
    pub name: String,
    /// Code used as channel on receipts.
    pub code: Code,
    /// Operators it may sell for; empty: all.
    pub operators: Vec<OperatorId>,
    /// Money it can sell from. Never below zero.
    pub float: Money,
    /// Sold, but not yet confirmed by the subscriber's account.
    pub in_transit: Money,
    /// Its API keys.
    pub keys: Vec<ApiKey>,
    /// Smallest top-up; zero: the operator's.
    pub minimum: Money,
    /// Largest top-up; zero: the operator's.
    pub maximum: Money,
    /// Most it may sell on one day (UTC); zero: no limit.
    pub per_day: Money,
    /// Day number of `sold_today`.
    pub day: i64,
    /// Sold on that day.
    pub sold_today: Money,
    /// False when it is barred.
    pub active: bool,
    /// Recent fundings of the float with their digests, oldest first.
    pub recent: VecDeque<(SourceId, u64)>,
}

/// How many fundings a partner remembers.
pub const FUNDINGS_REMEMBERED: usize = 256;

codec_struct!(Partner {
    id,
    name,
    code,
    operators,
    float,
    in_transit,
    keys,
    minimum,
    maximum,
    per_day,
    day,
    sold_today,
    active,
    recent,
});

/// An API key: only its hash is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Public part, for lists and revocation.
    pub id: Code,
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped working, if it did.
    pub revoked_at: Option<Timestamp>,
}
codec_struct!(ApiKey {
    id,
    hash,
    scopes,
    created_at,
    revoked_at
});

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(pub u32);
crate::codec::codec_newtype!(Scopes);

impl Scopes {
    /// Look up numbers, quote and sell top-ups, see own top-ups.
    pub const TOP_UP: Scopes = Scopes(1);
    /// See balances and statements.
    pub const READ: Scopes = Scopes(2);
    /// Buy bundles for subscribers.
    pub const PURCHASE: Scopes = Scopes(4);
    /// Create and import subscribers, suspend and restore them.
    pub const SUBSCRIBERS: Scopes = Scopes(8);
    /// Manage partners, keys and floats.
    pub const ADMIN: Scopes = Scopes(16);
    /// Act in the selling chain: for itself and everybody below.
    pub const SELLERS: Scopes = Scopes(1 << 8);
    /// Redeem scratch cards for numbers: partner channels, voice menus.
    pub const REDEEM: Scopes = Scopes(64);
    /// Everything is a rehearsal: nothing real moves. Part of the key, not of what may be asked for.
    pub const TEST: Scopes = Scopes(1 << 16);
    /// Names in the API and on the command line.
    pub const NAMES: [(&'static str, Scopes); 7] = [
        ("topup", Scopes::TOP_UP),
        ("read", Scopes::READ),
        ("purchase", Scopes::PURCHASE),
        ("subscribers", Scopes::SUBSCRIBERS),
        ("admin", Scopes::ADMIN),
        ("sellers", Scopes::SELLERS),
        ("redeem", Scopes::REDEEM),
    ];

    /// True when every permission of `needed` is there.
    pub fn allows(self, needed: Scopes) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Scopes) -> Scopes {
        Scopes(self.0 | other.0)
    }
}

/// A top-up of a partner, remembered for ever by its external_id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Id that strangers see (UUID v7 as a number), made by the front.
    pub id: u128,
    /// Who sells.
    pub partner: PartnerId,
    /// The partner's own reference, unique for ever.
    pub external_id: String,
    /// Digest of what was asked.
    pub body: u64,
    /// The number to recharge.
    pub msisdn: Msisdn,
    /// Its account.
    pub account: AccountId,
    /// Its operator.
    pub operator: OperatorId,
    /// What the payer pays.
    pub gross: Money,
    /// State class (reference payments 1.2 and 1.7).
    pub state: TopUpState,
    /// Accepted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What the recharge did, once completed.
    pub outcome: Option<RechargeOutcome>,
    /// Why it was declined, as a stable code.
    pub reason: Option<u32>,
    /// What not every top-up has. In binary form it follows only where the tag says so.
    pub details: TopUpDetails,
    /// What came after: the credit's lot, another operator's word, a reversal. In binary form like the details.
    pub after: Afterwards,
}

impl TopUp {
    /// True when the short binary form holds all of it.
    pub(crate) fn is_plain(&self) -> bool {
        self.details == TopUpDetails::default() && !self.is_long()
    }

    /// True when only the longest binary form holds all of it.
    pub(crate) fn is_long(&self) -> bool {
        self.after != Afterwards::default()
    }

    pub(crate) fn encode_long(&self, out: &mut Vec<u8>) {
        self.encode_detailed(out);
        self.after.encode(out);
    }

    pub(crate) fn decode_long(input: &mut Reader<'_>) -> Result<TopUp, CodecError> {
        let top_up = TopUp::decode_detailed(input)?;
        let after = Codec::decode(input)?;
        Ok(TopUp { after, ..top_up })
    }

    pub(crate) fn encode_detailed(&self, out: &mut Vec<u8>) {
        self.encode(out);
        self.details.encode(out);
    }

    pub(crate) fn decode_detailed(input: &mut Reader<'_>) -> Result<TopUp, CodecError> {
        let top_up = TopUp::decode(input)?;
        let details = Codec::decode(input)?;
        Ok(TopUp { details, ..top_up })
    }
}

impl Codec for TopUp {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.id, self.partner).encode(out);
        self.external_id.encode(out);
        (self.body, self.msisdn).encode(out);
        (self.account, self.operator).encode(out);
        (self.gross, self.state).encode(out);
        (self.created_at, self.updated_at).encode(out);
        self.outcome.encode(out);
        self.reason.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<TopUp, CodecError> {
        Ok(TopUp {
            id: Codec::decode(input)?,
            partner: Codec::decode(input)?,
            external_id: Codec::decode(input)?,
            body: Codec::decode(input)?,
            msisdn: Codec::decode(input)?,
            account: Codec::decode(input)?,
            operator: Codec::decode(input)?,
            gross: Codec::decode(input)?,
            state: Codec::decode(input)?,
            created_at: Codec::decode(input)?,
            updated_at: Codec::decode(input)?,
            outcome: Codec::decode(input)?,
            reason: Codec::decode(input)?,
            details: TopUpDetails::default(),
            after: Afterwards::default(),
        })
    }
}

/// State class of a top-up. Clients decide on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopUpState {
    /// Accepted and waiting for a confirmation; not used while top-ups confirm themselves.
    Created,
    /// The float is debited, the credit is on its way.
    Submitted,
    /// Credited.
    Completed,
    /// The subscriber's account refused; the float has its money back.
    Declined,
    /// Taken back after completion.
    Reversed,
}
codec_enum!(TopUpState { Created = 0, Submitted = 1, Completed = 2, Declined = 3, Reversed = 4 });

impl TopUpState {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            TopUpState::Created => "CREATED",
            TopUpState::Submitted => "SUBMITTED",
            TopUpState::Completed => "COMPLETED",
            TopUpState::Declined => "DECLINED",
            TopUpState::Reversed => "REVERSED",
        }
    }

    /// True when it will not change by itself any more.
    pub fn is_final(self) -> bool {
        !matches!(self, TopUpState::Created | TopUpState::Submitted)
    }
}

/// A catalog as it was published: kept so that yesterday's prices can be looked up and compared with today's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCatalog {
    /// Its version.
    pub version: u32,
    /// When it was published.
    pub published_at: Timestamp,
    /// Its files, one after the other.
    pub text: String,
}
codec_struct!(PublishedCatalog {
    version,
    published_at,
    text,
});

/// A directory entry: whose number or SIM this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRecord {
    /// The operator that serves it (overrides the prefix: portability).
    pub operator: OperatorId,
    /// The account, when the operator is one of ours.
    pub account: Option<AccountId>,
    /// Events applied so far.
    pub version: u64,
}
codec_struct!(NumberRecord {
    operator,
    account,
    version
});
