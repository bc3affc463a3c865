//! Replies and refusals.

use crate::card::CardReply;
use crate::catalog::FinalAction;
use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{AccountId, Code};
use crate::money::Money;
use crate::payment::PaymentReply;
use crate::promotion::Earned;
use crate::session::ElementKey;
use crate::tax::Rate;
use crate::time::Timestamp;
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// The answer to a command that was carried out (or was a repetition of one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing to say beyond "done".
    Done,
    /// A credit-control answer.
    Charge(ChargeReply),
    /// A recharge was credited.
    Recharged(Box<RechargeOutcome>),
    /// A top-up was accepted; its credit is on the way.
    TopUpAccepted {
        /// The id under which it is known (the first one given for this external_id).
        id: u128,
    },
    /// A bundle was bought.
    Bought(BoughtReply),
    /// An account was opened.
    Opened(AccountId),
    /// Where a payment stands.
    Payment(PaymentReply),
    /// Stock was debited; it is on the way to its receiver.
    StockMoved {
        /// The id under which the movement is known (the first one given for this reference).
        id: u128,
    },
    /// A scratch card was redeemed, now or before.
    Card(CardReply),
    /// So many cards changed.
    CardsChanged {
        /// How many.
        cards: u32,
    },
    /// Cards are on their shelves, but for these places of the batch: their hashes are those of other cards.
    CardsShelved {
        /// They need other PINs.
        clashes: Vec<u32>,
    },
    /// A batch was opened under this number.
    CardBatch(u32),
}

/// A credit-control answer in the words of the core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChargeReply {
    /// Result of the request as a whole.
    pub result: ChargeResult,
    /// One per part of the request.
    pub parts: SmallVec<[PartReply; 1]>,
    /// True when the main balance is below the notice threshold (Low-Balance-Indication).
    pub low_balance: bool,
    /// Cost of an event, or price of an enquiry.
    pub cost: Option<Money>,
    /// Main balance left, not reserved.
    pub balance: Money,
}
codec_struct!(ChargeReply {
    result,
    parts,
    low_balance,
    cost,
    balance
});

/// Result of a request or of a part of it; each has its Diameter code (RFC 8506 section 9, RFC 6733 section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChargeResult {
    /// 2001.
    #[default]
    Success,
    /// 4010: the account's state or the tariff does not allow this.
    EndUserServiceDenied,
    /// 4011: free, nothing to control.
    CreditControlNotApplicable,
    /// 4012: no credit left.
    CreditLimitReached,
    /// 5002: no such session.
    UnknownSession,
    /// 5030: nobody has this number.
    UserUnknown,
    /// 5031: no tariff row matches.
    RatingFailed,
}
codec_enum!(ChargeResult {
    Success = 0, EndUserServiceDenied = 1, CreditControlNotApplicable = 2, CreditLimitReached = 3, UnknownSession = 4,
    UserUnknown = 5, RatingFailed = 6,
});

/// The answer to one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartReply {
    /// Which part.
    pub key: ElementKey,
    /// Its result.
    pub result: ChargeResult,
    /// Granted units in the service's unit; `None`: no quota was asked.
    pub granted: Option<Amount>,
    /// Set when this is the last grant.
    pub final_action: Option<FinalAction>,
    /// Report within so many seconds; zero: not limited.
    pub validity_s: u32,
    /// Report when so much of the grant is left; zero: none.
    pub threshold: Amount,
    /// Give back what is idle for so many seconds; zero: not said.
    pub holding_s: u32,
    /// The tariff changes at this moment (Tariff-Time-Change).
    pub tariff_change: Option<Timestamp>,
}
codec_struct!(PartReply {
    key,
    result,
    granted,
    final_action,
    validity_s,
    threshold,
    holding_s,
    tariff_change
});

/// What a recharge did. Kept in the top-up and shown on the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RechargeOutcome {
    /// Paid.
    pub gross: Money,
    /// Tax taken from it.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: Rate,
    /// Fee taken from it.
    pub fee: Money,
    /// Added to the main balance.
    pub credited: Money,
    /// Main balance after it.
    pub balance: Money,
    /// Main balance valid until.
    pub valid_until: Timestamp,
    /// The first promotion earned; empty: none. Alone in records of before `earned`.
    pub promotion: Code,
    /// Everything that was earned, given or not.
    pub earned: Vec<Earned>,
    /// Receipt number: account id and its event number, unique for ever.
    pub receipt: Receipt,
}
codec_struct!(RechargeOutcome {
    gross,
    tax,
    tax_rate,
    fee,
    credited,
    balance,
    valid_until,
} newer { earned } then {
    promotion,
    receipt
});

/// Number of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The account.
    pub account: AccountId,
    /// The account's event that it proves.
    pub event: u64,
}
codec_struct!(Receipt { account, event });

impl std::fmt::Display for Receipt {
    /// `R` account `-` event, for example `R1042-7`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "R{}-{}", self.account.0, self.event)
    }
}

impl Receipt {
    /// Reads what [`Receipt`] prints.
    pub fn parse(text: &str) -> Option<Receipt> {
        let (account, event) = text.strip_prefix('R')?.split_once('-')?;
        Some(Receipt {
            account: AccountId(account.parse().ok()?),
            event: event.parse().ok()?,
        })
    }
}

/// What a purchase did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoughtReply {
    /// The offer.
    pub offer: Code,
    /// Taken from the balance.
    pub price: Money,
    /// The tax in it.
    pub tax: Money,
    /// Ends at.
    pub expires_at: Timestamp,
    /// Main balance after it.
    pub balance: Money,
    /// What it brought.
    pub buckets: SmallVec<[(Unit, Amount); 4]>,
}
codec_struct!(BoughtReply {
    offer,
    price,
    tax,
    expires_at,
    balance,
    buckets
});

/// A command that was refused: nothing has changed. Codes are stable and shown to partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The account does not exist.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The account is closed, suspended or expired.
    #[error("the account is not active")]
    AccountNotActive,
    /// The id was used for something else.
    #[error("this reference was already used for another request")]
    Conflict,
    /// The external_id was used with another Idempotency-Key.
    #[error("this external_id was already used")]
    ExternalIdUsed,
    /// The amount is below the minimum.
    #[error("the amount is below the minimum")]
    AmountTooSmall,
    /// The amount is above the maximum.
    #[error("the amount is above the maximum")]
    AmountTooLarge,
    /// The partner's float is too low.
    #[error("the float is too low")]
    InsufficientFloat,
    /// The partner has sold its limit for today.
    #[error("the daily limit is reached")]
    DailyLimit,
    /// The partner is barred or unknown.
    #[error("the partner is not active")]
    PartnerNotActive,
    /// The partner may not sell for this operator.
    #[error("the partner may not sell for this operator")]
    OperatorNotAllowed,
    /// There is not enough money for this bundle.
    #[error("the balance is too low")]
    InsufficientBalance,
    /// No such offer, or not for sale.
    #[error("there is no such bundle")]
    NoSuchOffer,
    /// The bundle cannot be bought again today.
    #[error("this bundle was bought as often as it may be today")]
    OfferLimit,
    /// The bundle cannot renew.
    #[error("this bundle does not renew by itself")]
    NotRenewable,
    /// The number has an account already.
    #[error("the number already has an account")]
    NumberTaken,
    /// The SIM has an account already.
    #[error("the SIM already has an account")]
    ImsiTaken,
    /// The operator has no catalog here.
    #[error("there is no such operator")]
    NoSuchOperator,
    /// The partner id is taken.
    #[error("the partner already exists")]
    PartnerExists,
    /// The key id is taken or unknown.
    #[error("there is no such key, or it exists already")]
    BadKey,
    /// The account holds as many lots, sessions or keys as it may.
    #[error("a limit of this account is reached")]
    TooMany,
    /// The request was carried out before, so long ago that its answer is no longer kept.
    #[error("this request was carried out before; its answer is no longer kept")]
    TooOld,
    /// There is no such payment.
    #[error("there is no such payment")]
    NoSuchPayment,
    /// The payment is not in a state in which this can be done.
    #[error("this cannot be done with the payment any more")]
    PaymentState,
    /// Nothing of the credit is left, or it can no longer be told apart from other money.
    #[error("nothing of this credit is left to take back")]
    NothingLeft,
    /// The price is not what the buyer saw.
    #[error("the price has changed")]
    PriceChanged,
    /// The budget of a promotion is used up.
    #[error("the funds of this promotion are used up")]
    FundsUsedUp,
    /// Callbacks need a secret that signs them.
    #[error("there is no secret to sign callbacks with")]
    NoCallbackSecret,
    /// The operator cannot be reached.
    #[error("the operator cannot be reached now")]
    OperatorUnavailable,
    /// The operator says that it did this already.
    #[error("the operator sees a repetition")]
    Duplicated,
    /// The operator declined, and does not say why.
    #[error("the operator declined")]
    Declined,
    /// The operator's system failed.
    #[error("the operator's system failed")]
    OperatorFailure,
    /// There is no auto-recharge for the number.
    #[error("there is no auto-recharge for this number")]
    NoSuchRule,
    /// The auto-recharge cannot be carried out as ordered.
    #[error("this auto-recharge cannot be carried out")]
    BadRule,
    /// The top-up has another state, or its seller's time is over.
    #[error("this top-up cannot be reversed")]
    NotReversible,
    /// Somebody else must approve it.
    #[error("somebody else has to approve this")]
    SecondPerson,
    /// The partner has no place in the selling chain.
    #[error("there is no such seller")]
    NoSuchSeller,
    /// The partner has a place in the selling chain already.
    #[error("the partner already has a place in the selling chain")]
    SellerExists,
    /// There is no such grade, it may not stand there, or it does not sell.
    #[error("the grade does not allow this")]
    BadGrade,
    /// No row of the matrix allows this movement of stock.
    #[error("stock may not move between these sellers")]
    MoveNotAllowed,
    /// The seller, or somebody above it, is blocked.
    #[error("the seller is blocked")]
    SellerBlocked,
    /// A seller acts only below itself.
    #[error("a seller acts only below itself")]
    NotBelow,
    /// The same amount was sold to the same number a moment ago, and nobody said that a second sale is meant.
    #[error("the same amount was sold to this number a moment ago")]
    RepeatedSale,
    /// The seller has sold its limit for this month.
    #[error("the monthly limit is reached")]
    MonthlyLimit,
    /// The seller has made as many sales as it may.
    #[error("the limit on the number of sales is reached")]
    CountLimit,
    /// Nobody of that name works at the outlet.
    #[error("nobody of that name works at this outlet")]
    NoSuchStaff,
    /// The sale needs a PIN.
    #[error("this sale needs the PIN")]
    PinNeeded,
    /// The PIN is wrong.
    #[error("the PIN is wrong")]
    WrongPin,
    /// Too many wrong PINs.
    #[error("the PIN is locked")]
    PinLocked,
    /// The PIN was given by somebody else and must be changed first.
    #[error("the PIN must be changed first")]
    PinChange,
    /// The device does not belong to the outlet.
    #[error("the device does not belong to this outlet")]
    DeviceUnknown,
    /// No card has this PIN.
    #[error("no card has this PIN")]
    NoSuchCard,
    /// The card was used.
    #[error("the card was used")]
    CardUsed,
    /// The card is not active yet.
    #[error("the card is not active yet")]
    CardNotActive,
    /// The card was recalled.
    #[error("the card was recalled")]
    CardRecalled,
    /// The card was reported stolen.
    #[error("the card was reported stolen")]
    CardStolen,
    /// The card is too old.
    #[error("the card has expired")]
    CardExpired,
    /// There is no such batch of cards.
    #[error("there is no such batch of cards")]
    NoSuchCardBatch,
    /// The operator has no cards of this value.
    #[error("the operator has no cards of this value")]
    NoSuchDenomination,
    /// This life-cycle change is not allowed.
    #[error("this change of state is not possible")]
    BadTransition,
}

impl Refusal {
    /// Every refusal with its stable code.
    pub const ALL: [(Refusal, u32); 59] = [
        (Refusal::NoSuchAccount, 1_005_003),
        (Refusal::AccountNotActive, 1_005_004),
        (Refusal::Conflict, 1_007_010),
        (Refusal::ExternalIdUsed, 1_007_001),
        (Refusal::AmountTooSmall, 1_003_002),
        (Refusal::AmountTooLarge, 1_003_003),
        (Refusal::InsufficientFloat, 1_006_001),
        (Refusal::DailyLimit, 1_006_002),
        (Refusal::PartnerNotActive, 1_000_403),
        (Refusal::OperatorNotAllowed, 1_003_004),
        (Refusal::InsufficientBalance, 1_006_003),
        (Refusal::NoSuchOffer, 1_003_001),
        (Refusal::OfferLimit, 1_003_005),
        (Refusal::NotRenewable, 1_003_006),
        (Refusal::NumberTaken, 1_008_001),
        (Refusal::ImsiTaken, 1_008_002),
        (Refusal::NoSuchOperator, 1_003_007),
        (Refusal::PartnerExists, 1_008_003),
        (Refusal::BadKey, 1_008_005),
        (Refusal::TooMany, 1_003_008),
        (Refusal::TooOld, 1_007_013),
        (Refusal::BadTransition, 1_008_006),
        (Refusal::NoSuchPayment, 1_008_010),
        (Refusal::PaymentState, 1_007_004),
        (Refusal::NothingLeft, 1_007_007),
        (Refusal::PriceChanged, 1_003_009),
        (Refusal::FundsUsedUp, 1_003_012),
        (Refusal::NoCallbackSecret, 1_008_020),
        (Refusal::OperatorUnavailable, 1_003_020),
        (Refusal::Duplicated, 1_003_021),
        (Refusal::Declined, 1_003_022),
        (Refusal::OperatorFailure, 1_003_023),
        (Refusal::NoSuchRule, 1_008_040),
        (Refusal::BadRule, 1_003_040),
        (Refusal::NotReversible, 1_007_040),
        (Refusal::SecondPerson, 1_007_041),
        (Refusal::NoSuchSeller, 1_008_070),
        (Refusal::SellerExists, 1_008_071),
        (Refusal::NoSuchStaff, 1_008_072),
        (Refusal::BadGrade, 1_003_070),
        (Refusal::MoveNotAllowed, 1_003_071),
        (Refusal::SellerBlocked, 1_000_470),
        (Refusal::NotBelow, 1_000_471),
        (Refusal::PinNeeded, 1_000_472),
        (Refusal::WrongPin, 1_000_473),
        (Refusal::PinLocked, 1_000_474),
        (Refusal::PinChange, 1_000_475),
        (Refusal::DeviceUnknown, 1_000_476),
        (Refusal::RepeatedSale, 1_007_070),
        (Refusal::MonthlyLimit, 1_006_070),
        (Refusal::CountLimit, 1_006_071),
        (Refusal::NoSuchCard, 1_008_090),
        (Refusal::CardUsed, 1_007_090),
        (Refusal::CardNotActive, 1_007_091),
        (Refusal::CardRecalled, 1_007_092),
        (Refusal::CardStolen, 1_007_093),
        (Refusal::CardExpired, 1_007_094),
        (Refusal::NoSuchCardBatch, 1_008_091),
        (Refusal::NoSuchDenomination, 1_003_090),
    ];

    /// The stable code.
    pub fn code(self) -> u32 {
        Refusal::ALL
            .iter()
            .find(|(refusal, _)| *refusal == self)
            .map_or(0, |(_, code)| *code)
    }

    /// The refusal of a code.
    pub fn from_code(code: u32) -> Option<Refusal> {
        Refusal::ALL
            .iter()
            .find(|(_, c)| *c == code)
            .map(|(refusal, _)| *refusal)
    }
}

impl Codec for FinalAction {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            FinalAction::Terminate => out.push(0),
            FinalAction::Redirect(url) => {
                out.push(1);
                url.encode(out);
            }
            FinalAction::Restrict(filter) => {
                out.push(2);
                filter.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<FinalAction, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(FinalAction::Terminate),
            1 => Codec::decode(input).map(FinalAction::Redirect),
            2 => Codec::decode(input).map(FinalAction::Restrict),
            _ => Err(CodecError::Invalid("final unit action")),
        }
    }
}

impl Codec for Reply {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Done => out.push(0),
            Reply::Charge(reply) => {
                out.push(1);
                reply.encode(out);
            }
            Reply::Recharged(outcome) => {
                out.push(2);
                outcome.encode(out);
            }
            Reply::TopUpAccepted { id } => {
                out.push(3);
                id.encode(out);
            }
            Reply::Bought(bought) => {
                out.push(4);
                bought.encode(out);
            }
            Reply::Opened(account) => {
                out.push(5);
                account.encode(out);
            }
            Reply::Payment(reply) => {
                out.push(6);
                reply.encode(out);
            }
            Reply::StockMoved { id } => {
                out.push(70);
                id.encode(out);
            }
            Reply::Card(reply) => {
                out.push(90);
                reply.encode(out);
            }
            Reply::CardsChanged { cards } => {
                out.push(91);
                cards.encode(out);
            }
            Reply::CardsShelved { clashes } => {
                out.push(92);
                clashes.encode(out);
            }
            Reply::CardBatch(batch) => {
                out.push(93);
                batch.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Reply, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(Reply::Done),
            1 => Codec::decode(input).map(Reply::Charge),
            2 => Codec::decode(input).map(Reply::Recharged),
            3 => Ok(Reply::TopUpAccepted {
                id: Codec::decode(input)?,
            }),
            4 => Codec::decode(input).map(Reply::Bought),
            5 => Codec::decode(input).map(Reply::Opened),
            6 => Codec::decode(input).map(Reply::Payment),
            70 => Ok(Reply::StockMoved {
                id: Codec::decode(input)?,
            }),
            90 => Codec::decode(input).map(Reply::Card),
            91 => Ok(Reply::CardsChanged {
                cards: Codec::decode(input)?,
            }),
            92 => Ok(Reply::CardsShelved {
                clashes: Codec::decode(input)?,
            }),
            93 => Codec::decode(input).map(Reply::CardBatch),
            _ => Err(CodecError::Invalid("reply")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        for (refusal, code) in Refusal::ALL {
            assert_eq!(Refusal::from_code(code), Some(refusal));
        }
    }

    #[test]
    fn receipts_are_readable() {
        let receipt = Receipt {
            account: AccountId(1042),
            event: 7,
        };
        assert_eq!(receipt.to_string(), "R1042-7");
        assert_eq!(Receipt::parse("R1042-7"), Some(receipt));
        assert_eq!(Receipt::parse("1042-7"), None);
    }
}
