//! Payments: money that a rail takes from a payer for one subscriber, and what became of it.
//!
//! A payment lives in the subscriber's partition, so that its success and the credit it buys are one decision, one
//! journal row: there is no instant at which one exists without the other. Rails talk about payments in
//! [`Statement`]s; only one that names the expected amount and currency makes a payment succeed
//! (reference payments 2.9).

use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::command::Mixer;
use crate::ids::{AccountId, Code, EntityKey, LotId, Msisdn, OperatorId, SourceId};
use crate::money::Money;
use crate::promotion::ChannelClass;
use crate::reply::{Receipt, RechargeOutcome, Refusal};
use crate::tax::RegionCode;
use crate::time::{SECOND, Timestamp};
use std::fmt;

/// Longest text that a rail may put into a payment: references, codes.
pub const RAIL_TEXT_MAX: usize = 64;
/// How long the payer may undo without giving a reason.
pub const UNDO_S: i64 = 10;
/// How long after the credit a wrong number can be claimed (reference payments 5.4).
pub const WRONG_NUMBER_S: i64 = 30 * 60;

/// Names a payment: 40 bits that find its partition and 60 random bits. Written as 20 characters of Crockford's base 32,
/// which fits the reference fields of all rails (JazzCash and Easypaisa take 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(u128);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const HOME_BITS: u32 = 40;
const RANDOM_BITS: u32 = 60;

impl PaymentId {
    /// A payment at home with an account; `random` gives 60 bits that nobody can guess. `None` when the home does not fit.
    pub fn new(home: u64, random: u64) -> Option<PaymentId> {
        (home >> HOME_BITS == 0).then(|| {
            PaymentId(u128::from(home) << RANDOM_BITS | u128::from(random & ((1 << RANDOM_BITS) - 1)))
        })
    }

    /// The account id (for numbers of other operators: the number) whose partition keeps it.
    pub fn home(self) -> u64 {
        u64::try_from(self.0 >> RANDOM_BITS).unwrap_or(0)
    }

    /// Reads what `Display` prints, in either case. `None` when it is anything else.
    pub fn parse(text: &str) -> Option<PaymentId> {
        if text.len() != 20 {
            return None;
        }
        let mut value = 0u128;
        for byte in text.bytes() {
            let digit = ALPHABET
                .iter()
                .position(|letter| *letter == byte.to_ascii_uppercase())?;
            value = value << 5 | digit as u128;
        }
        Some(PaymentId(value))
    }

    /// Of money that came in by a rail and named no payment: the same rail and reference are the same id. Its home is 0, which
    /// is no account's.
    pub fn of_suspense(rail: Code, reference: &str) -> PaymentId {
        let digest = crate::ids::digest128("suspense", &[rail.as_str().as_bytes(), reference.as_bytes()]);
        PaymentId(digest & ((1 << RANDOM_BITS) - 1))
    }

    /// The whole id as a number, for keys.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// From [`PaymentId::bits`]; `None` for more than 100 bits.
    pub fn from_bits(bits: u128) -> Option<PaymentId> {
        (bits >> (HOME_BITS + RANDOM_BITS) == 0).then_some(PaymentId(bits))
    }

    /// The key of the payment.
    pub fn key(self) -> EntityKey {
        EntityKey::Payment(self)
    }

    /// The source of the credit that this payment buys.
    pub fn source(self) -> SourceId {
        SourceId::of_reference("payment", &self.to_string())
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..20u32)
            .rev()
            .map(|place| (self.0 >> (place * 5)) as usize & 31)
            .try_for_each(|digit| write!(f, "{}", char::from(ALPHABET[digit])))
    }
}

impl Codec for PaymentId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<PaymentId, CodecError> {
        let value = u128::decode(input)?;
        if value >> (HOME_BITS + RANDOM_BITS) == 0 {
            Ok(PaymentId(value))
        } else {
            Err(CodecError::Invalid("payment id"))
        }
    }
}

/// A currency by its ISO 4217 letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Pakistani rupee.
    pub const PKR: Currency = Currency(*b"PKR");
    /// US dollar.
    pub const USD: Currency = Currency(*b"USD");

    /// Reads three capital letters.
    pub fn parse(text: &str) -> Option<Currency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Currency(bytes))
    }

    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Codec for Currency {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Currency, CodecError> {
        let text = std::str::from_utf8(input.take(3)?).map_err(|_| CodecError::Invalid("currency"))?;
        Currency::parse(text).ok_or(CodecError::Invalid("currency"))
    }
}

/// What a rail takes from the payer: an amount in the currency in which the rail works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Price {
    /// Micro-units of `currency`.
    pub amount: Money,
    /// The currency.
    pub currency: Currency,
}
codec_struct!(Price { amount, currency });

impl Price {
    /// Rupees.
    pub fn pkr(amount: Money) -> Price {
        Price {
            amount,
            currency: Currency::PKR,
        }
    }
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// Known to us alone.
    Created,
    /// The rail has it; the payer was shown where to pay.
    Presented,
    /// The payer has something to do: a PIN, an approval, a 3-D Secure page.
    AwaitingCustomer,
    /// A voucher or reference waits for cash or a bank transfer.
    AwaitingCash,
    /// The rail does not say what became of it. It is asked again until it does.
    Pending,
    /// Paid, and the credit was made.
    Succeeded,
    /// The rail said no.
    Failed,
    /// It can no longer be paid; the rail has confirmed that nothing was.
    Expired,
    /// Money is on its way back to the payer.
    RefundRequested,
    /// The rail has given it back.
    Refunded,
    /// The rail refuses to give it back: staff must decide.
    RefundRefused,
    /// The rail took it back from us (chargeback).
    Reversed,
    /// Money that named no payment of ours: it is nobody's until it goes back or staff name a number.
    InSuspense,
    /// Staff named a number for it; the credit is on its way to that account.
    Assigned,
}
codec_enum!(PaymentState {
    Created = 0, Presented = 1, AwaitingCustomer = 2, AwaitingCash = 3, Pending = 4, Succeeded = 5, Failed = 6,
    Expired = 7, RefundRequested = 8, Refunded = 9, RefundRefused = 10, Reversed = 11,
    InSuspense = 12, Assigned = 13,
});

impl PaymentState {
    /// Every state, in the order of its number.
    pub const ALL: [PaymentState; 14] = [
        PaymentState::Created,
        PaymentState::Presented,
        PaymentState::AwaitingCustomer,
        PaymentState::AwaitingCash,
        PaymentState::Pending,
        PaymentState::Succeeded,
        PaymentState::Failed,
        PaymentState::Expired,
        PaymentState::RefundRequested,
        PaymentState::Refunded,
        PaymentState::RefundRefused,
        PaymentState::Reversed,
        PaymentState::InSuspense,
        PaymentState::Assigned,
    ];

    /// Name in the API and in files.
    pub fn name(self) -> &'static str {
        match self {
            PaymentState::Created => "created",
            PaymentState::Presented => "presented",
            PaymentState::AwaitingCustomer => "awaiting-customer",
            PaymentState::AwaitingCash => "awaiting-cash",
            PaymentState::Pending => "pending",
            PaymentState::Succeeded => "succeeded",
            PaymentState::Failed => "failed",
            PaymentState::Expired => "expired",
            PaymentState::RefundRequested => "refund-requested",
            PaymentState::Refunded => "refunded",
            PaymentState::RefundRefused => "refund-refused",
            PaymentState::Reversed => "reversed",
            PaymentState::InSuspense => "in-suspense",
            PaymentState::Assigned => "assigned",
        }
    }

    /// The state of a name.
    pub fn parse(name: &str) -> Option<PaymentState> {
        PaymentState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True while it is not known whether the payer pays.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            PaymentState::Created
                | PaymentState::Presented
                | PaymentState::AwaitingCustomer
                | PaymentState::AwaitingCash
                | PaymentState::Pending
        )
    }

    /// True while the rail has to be asked about it.
    pub fn needs_asking(self) -> bool {
        self.is_open() || self == PaymentState::RefundRequested
    }
}

/// Why a payment failed, in classes that decide what the payer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Wrong PIN, unknown wallet, blocked account: the payer can put it right.
    Payer,
    /// Not enough money there.
    Funds,
    /// Over a limit of the rail or of the payer's account.
    Limit,
    /// The payer stopped.
    Cancelled,
    /// The bank or its risk check said no.
    Declined,
    /// Money came in so recently that the rail does not let it out again yet.
    Cooling,
    /// The rail is out of order: try again later, or another rail.
    Transient,
    /// Our set-up at the rail is wrong: staff must act.
    Configuration,
}
codec_enum!(FailureClass {
    Payer = 0, Funds = 1, Limit = 2, Cancelled = 3, Declined = 4, Cooling = 5, Transient = 6, Configuration = 7,
});

impl FailureClass {
    /// Name in the API and in locale keys.
    pub fn name(self) -> &'static str {
        match self {
            FailureClass::Payer => "payer",
            FailureClass::Funds => "funds",
            FailureClass::Limit => "limit",
            FailureClass::Cancelled => "cancelled",
            FailureClass::Declined => "declined",
            FailureClass::Cooling => "cooling",
            FailureClass::Transient => "transient",
            FailureClass::Configuration => "configuration",
        }
    }
}

/// What a rail says about a payment. The rails crate makes them out of verified messages only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The rail has it, under this reference.
    Presented {
        /// The rail's reference; empty: none yet.
        reference: String,
    },
    /// The payer must act.
    AwaitingCustomer,
    /// Cash or a transfer is awaited.
    AwaitingCash,
    /// The rail does not know yet, or did not answer.
    Pending {
        /// The rail's own code, for people.
        code: String,
    },
    /// The payer has paid this.
    Succeeded {
        /// What was taken.
        paid: Price,
        /// The rail's reference of the money movement.
        reference: String,
    },
    /// The rail says that it was not and will not be paid.
    Failed {
        /// Why.
        class: FailureClass,
        /// The rail's own code.
        code: String,
    },
    /// Nothing was paid, and it can no longer be paid.
    Expired,
    /// The rail took the money back from us after success.
    Reversed {
        /// The rail's own code.
        code: String,
    },
    /// The payer has the money back.
    Refunded {
        /// The rail's reference of the refund.
        reference: String,
    },
    /// The rail does not give it back.
    RefundRefused {
        /// The rail's own code.
        code: String,
    },
}

/// Something about a payment that only people can put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFault {
    /// Another amount or currency was paid than was asked.
    Mismatch {
        /// What was paid.
        paid: Price,
        /// The rail's reference.
        reference: String,
    },
    /// A second success with another reference: the payer was charged twice.
    ChargedTwice {
        /// What was paid the second time.
        paid: Price,
        /// The rail's reference of the second movement.
        reference: String,
    },
    /// The rail said that a payment failed after it had said that it succeeded.
    Contradiction {
        /// The rail's own code.
        code: String,
    },
}

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundReason {
    /// The account could not be credited.
    NotCredited,
    /// It was paid after the payer had given up.
    TooLate,
    /// The payer pressed "undo" at once.
    Undo,
    /// It went to a wrong number.
    WrongNumber,
    /// Staff decided.
    Staff,
    /// The operator behind a connector refused it.
    Undelivered,
    /// It named no payment of ours, and nobody claimed it.
    Unmatched,
}
codec_enum!(RefundReason { NotCredited = 0, TooLate = 1, Undo = 2, WrongNumber = 3, Staff = 4, Undelivered = 5, Unmatched = 6 });

impl RefundReason {
    /// Name in the API and in locale keys.
    pub fn name(self) -> &'static str {
        match self {
            RefundReason::NotCredited => "not-credited",
            RefundReason::TooLate => "too-late",
            RefundReason::Undo => "undo",
            RefundReason::WrongNumber => "wrong-number",
            RefundReason::Staff => "staff",
            RefundReason::Undelivered => "undelivered",
            RefundReason::Unmatched => "unmatched",
        }
    }
}

/// Money on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Why.
    pub reason: RefundReason,
    /// In the operator's currency.
    pub gross: Money,
    /// What the rail gives back.
    pub price: Price,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The rail's reference once done; empty until then.
    pub reference: String,
}
codec_struct!(Refund {
    reason,
    gross,
    price,
    requested_at,
    reference
});

/// Who gets the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// An account of ours.
    Account(AccountId),
    /// A number of an operator whose core is elsewhere, reached through this connector.
    Connector(Code),
    /// Nobody is known: money that came in and named no payment.
    Suspense,
}

impl Codec for Destination {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Destination::Account(account) => {
                out.push(0);
                account.encode(out);
            }
            Destination::Connector(code) => {
                out.push(1);
                code.encode(out);
            }
            Destination::Suspense => out.push(2),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Destination, CodecError> {
        match input.take(1)?[0] {
            0 => Codec::decode(input).map(Destination::Account),
            1 => Codec::decode(input).map(Destination::Connector),
            2 => Ok(Destination::Suspense),
            _ => Err(CodecError::Invalid("destination")),
        }
    }
}

/// What is asked of a new payment. Its digest makes the id safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePayment {
    /// Its id; the home is the account (or the number, for a connector).
    pub id: PaymentId,
    /// Who gets the value.
    pub to: Destination,
    /// The number to recharge.
    pub msisdn: Msisdn,
    /// Its operator.
    pub operator: OperatorId,
    /// The rail.
    pub rail: Code,
    /// What is credited before tax, in the operator's currency.
    pub gross: Money,
    /// What the rail takes.
    pub price: Price,
    /// A bundle to buy at once with the credit; empty: none.
    pub offer: Code,
    /// Campaign code typed by the payer; empty: none.
    pub campaign: Code,
    /// Through which kind of channel the payer came: promotions may ask.
    pub class: ChannelClass,
    /// Where the sale took place, when it decides the tax.
    pub region: RegionCode,
    /// Not payable after this.
    pub expires_at: Timestamp,
    /// Paid later than this, it goes back instead of being credited.
    pub wanted_until: Timestamp,
    /// Digest of who pays (a person of the app, or a guest's device): for limits and for "is this my payment".
    pub payer: u128,
}
codec_struct!(CreatePayment {
    id,
    to,
    msisdn,
    operator,
    rail,
    gross,
    price,
    offer,
    campaign,
    class,
    region,
    expires_at,
    wanted_until,
    payer,
});

impl CreatePayment {
    /// Digest of what is asked.
    pub fn body(&self) -> u64 {
        let mut digest = Mixer::new();
        for chunk in self.to_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            digest.add(u64::from_le_bytes(word));
        }
        digest.finish()
    }
}

/// A payment. Changed only by [`crate::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// As asked.
    pub asked: CreatePayment,
    /// Where it stands.
    pub state: PaymentState,
    /// Created.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it succeeded, if it did.
    pub paid_at: Option<Timestamp>,
    /// What was booked as paid, in the operator's currency; zero before.
    pub gross_paid: Money,
    /// Why it failed, and the rail's own code.
    pub failure: Option<FailureClass>,
    /// The rail's last code; empty: none.
    pub code: String,
    /// The rail's reference while it is presented (its order id); empty: none.
    pub presented: String,
    /// The rail's reference of the money; empty: not paid.
    pub reference: String,
    /// What the credit did, once made.
    pub outcome: Option<RechargeOutcome>,
    /// The lots of that credit: the paid one first, then what the promotion brought.
    pub lots: Vec<LotId>,
    /// Value handed over to a connector: none yet, or its reference.
    pub delivered: Option<String>,
    /// Money going back or gone back.
    pub refund: Option<Refund>,
    /// Waits for people.
    pub fault: Option<PaymentFault>,
    /// The payer no longer wants it.
    pub cancelled: bool,
}
codec_struct!(Payment {
    asked,
    state,
    created_at,
    updated_at,
    paid_at,
    gross_paid,
    failure,
    code,
    presented,
    reference,
    outcome,
    lots,
    delivered,
    refund,
    fault,
    cancelled,
});

impl Payment {
    /// Its id.
    pub fn id(&self) -> PaymentId {
        self.asked.id
    }

    /// Rough bytes held in memory, for bounded caches.
    pub fn weight(&self) -> usize {
        size_of::<Payment>() + self.code.len() + self.presented.len() + self.reference.len() + 64
    }

    /// The account it is for, when it is one of ours.
    pub fn account(&self) -> Option<AccountId> {
        match self.asked.to {
            Destination::Account(account) => Some(account),
            Destination::Connector(_) | Destination::Suspense => None,
        }
    }

    /// True while the payer may undo it.
    pub fn can_undo(&self, now: Timestamp) -> bool {
        self.within(UNDO_S, now)
    }

    /// True while it can be claimed to have gone to a wrong number.
    pub fn can_claim(&self, now: Timestamp) -> bool {
        self.within(WRONG_NUMBER_S, now)
    }

    fn within(&self, seconds: i64, now: Timestamp) -> bool {
        self.state == PaymentState::Succeeded
            && self
                .paid_at
                .is_some_and(|paid_at| now <= paid_at.plus(seconds * SECOND))
    }
}

/// What staff decided about a [`PaymentFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Credit what was paid, after all.
    Credit,
    /// Give back what was paid.
    Refund,
    /// It was put right elsewhere, or is none.
    Dismiss,
}
codec_enum!(Remedy { Credit = 0, Refund = 1, Dismiss = 2 });

/// What can be asked of a payment that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentAction {
    /// The rail said something.
    State(Statement),
    /// The payer gives up: if it is paid later, the money goes back.
    Cancel,
    /// Take back what is unused of its credit and give that money back.
    TakeBack(RefundReason),
    /// A connector delivered the value (reference), or refused it for good (code).
    Deliver(Result<String, String>),
    /// Ask the rail once more for a refund that it refused.
    RetryRefund,
    /// Staff settle a fault.
    Resolve(Remedy),
    /// Staff name the account that money in suspense is for.
    Assign(AccountId),
}

/// The answer to a command about a payment: where it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentReply {
    /// The payment.
    pub id: PaymentId,
    /// Where it stands.
    pub state: PaymentState,
    /// True when this command changed something.
    pub changed: bool,
}
codec_struct!(PaymentReply { id, state, changed });

/// What happened to a payment; the credit itself is a `Recharged` event of the account in the same decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// It moved among the open states, failed or expired.
    Moved {
        /// Where it stands now.
        state: PaymentState,
        /// Why it failed.
        failure: Option<FailureClass>,
        /// The rail's code.
        code: String,
        /// The rail's reference, when it came with this.
        reference: String,
    },
    /// It was paid.
    Settled(Box<Settled>),
    /// The payer gave up.
    Cancelled,
    /// Money is to go back; when it was credited, the unused part left the account in the same decision.
    RefundRequested {
        /// The refund.
        refund: Refund,
        /// Where its money stood before.
        from: Held,
    },
    /// A refund came to its end.
    RefundEnded {
        /// The rail's reference, or its code when it refused.
        result: Result<String, String>,
        /// What went back (or did not).
        gross: Money,
        /// The rail.
        rail: Code,
    },
    /// The refused refund is asked for again.
    RefundRetried,
    /// The rail took everything back.
    Reversed {
        /// The rail's code.
        code: String,
        /// What had been paid.
        gross: Money,
        /// What the account (or the refund under way) still had of it.
        recovered: Money,
        /// The rail.
        rail: Code,
    },
    /// People must look.
    Fault(PaymentFault),
    /// A fault was settled.
    Resolved(Remedy),
    /// A connector took the value.
    Delivered {
        /// The connector's reference.
        reference: String,
    },
    /// Staff named the account that money in suspense is for; the credit goes to its partition.
    Assigned {
        /// The account.
        account: AccountId,
    },
    /// That credit was made (its receipt), or refused: the money stays in suspense.
    AssignEnded(Result<Receipt, Refusal>),
}

/// A success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The rail's reference.
    pub reference: String,
    /// The rail.
    pub rail: Code,
    /// In the operator's currency.
    pub gross: Money,
    /// What became of it.
    pub credit: Credited,
}
codec_struct!(Settled {
    reference,
    rail,
    gross,
    credit
});

/// What became of paid money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credited {
    /// Credited to the account in the same decision.
    Account {
        /// What it did.
        outcome: RechargeOutcome,
        /// The new lots.
        lots: Vec<LotId>,
    },
    /// Waits for a connector.
    Connector(Code),
    /// Nobody's yet.
    Suspense,
    /// Not credited: it goes back.
    Refund {
        /// The refund.
        refund: Refund,
        /// Why the account refused; `None`: it was too late.
        refusal: Option<Refusal>,
    },
}

/// Where the money of a refund stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// In the subscriber's account: taken back in the same decision.
    Account,
    /// With a connector.
    Connector(Code),
    /// Paid but never booked (a fault): the rail's clearing account.
    Rail(Code),
    /// In suspense.
    Suspense,
}

mod codec;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twenty_letters() {
        let id = PaymentId::new(923_001_234_567, u64::MAX).unwrap();
        let text = id.to_string();
        assert_eq!(text.len(), 20);
        assert_eq!(PaymentId::parse(&text), Some(id));
        assert_eq!(PaymentId::parse(&text.to_lowercase()), Some(id));
        assert_eq!(id.home(), 923_001_234_567);
        assert_eq!(PaymentId::from_bytes(&id.to_bytes()), Ok(id));
        assert_eq!(PaymentId::new(1 << 40, 0), None);
        for bad in [
            "",
            "0",
            "IIIIIIIIIIIIIIIIIIII",
            "0000000000000000000",
            "000000000000000000000",
        ] {
            assert_eq!(PaymentId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn states_have_names() {
        for state in PaymentState::ALL {
            assert_eq!(PaymentState::parse(state.name()), Some(state));
        }
        assert_eq!(Currency::parse("PKR"), Some(Currency::PKR));
        assert_eq!(Currency::parse("pkr"), None);
    }
}
