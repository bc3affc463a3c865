//! Events: what was decided, with everything needed to apply, post and explain it later without any catalog.

use crate::account::{LifeCycle, Lot};
use crate::auto::{AutoEvent, BudgetMark};
use crate::card::{BatchEvent, CardGuard, CopyEvent, RegisterEvent, ShelfEvent};
use crate::catalog::{FinalAction, Language};
use crate::codec::{Codec, CodecError, Reader, codec_struct};
use crate::command::{ChargeKind, Funding, OpenAccount};
use crate::ids::{AccountId, Code, EntityKey, LotId, OperatorId, PartnerId, SessionKey, SourceId};
use crate::left::SessionEnded;
use crate::money::{Money, Rounding};
use crate::partner::{ApiKey, TopUp};
use crate::payment::{CreatePayment, PaymentEvent};
use crate::promotion::{Award, Discounted, Period, SharesChange};
use crate::reply::{ChargeResult, Receipt, RechargeOutcome, Refusal};
use crate::reversal::{CreditOf, ReversalEvent};
use crate::seller::ChainEvent;
use crate::session::{Draw, ElementKey, Target};
use crate::tax::{Rate, RegionCode, TaxClass};
use crate::terms::{CallbackDue, TermsChange};
use crate::time::Timestamp;
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;

/// A fact about one entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The entity it changes.
    pub key: EntityKey,
    /// The tenant, for ledgers and reports.
    pub operator: OperatorId,
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// A credit-control request was carried out (or a session was closed by supervision).
    Charged(Box<Charged>),
    /// Money was credited.
    Recharged(Box<Recharged>),
    /// A bundle was bought or renewed.
    Bought(Box<Bought>),
    /// A renewal could not be carried out; it is switched off.
    RenewalFailed {
        /// The offer.
        offer: Code,
        /// Why.
        reason: Refusal,
    },
    /// Renewal was switched on or off.
    RenewalSet {
        /// The offer.
        offer: Code,
        /// When it is due; `None`: off.
        due_at: Option<Timestamp>,
    },
    /// Lots ran out of time.
    Expired {
        /// What was lost, per lot.
        lots: Vec<Draw>,
    },
    /// Validity ran out, or staff changed the state.
    LifeCycleChanged {
        /// Before.
        from: LifeCycle,
        /// After.
        to: LifeCycle,
    },
    /// An account was opened.
    AccountOpened {
        /// As asked.
        open: Box<OpenAccount>,
        /// The opening balance as a lot, if any.
        lot: Option<Lot>,
        /// Main balance valid until.
        valid_until: Timestamp,
    },
    /// Language or tax class were changed.
    AccountUpdated {
        /// New language.
        language: Option<Language>,
        /// New tax class.
        tax_class: Option<TaxClass>,
    },
    /// A number got an entry in the directory.
    NumberBound {
        /// Serving operator.
        operator: OperatorId,
        /// Account, when it is ours.
        account: Option<AccountId>,
    },
    /// A partner was created.
    PartnerOpened(Box<PartnerOpened>),
    /// A key was added.
    KeyAdded(ApiKey),
    /// A key was stopped.
    KeyRevoked(Code),
    /// A float was funded (or withdrawn from).
    FloatFunded {
        /// Amount.
        amount: Money,
        /// Who said so.
        source: SourceId,
        /// Reference for people.
        reference: String,
    },
    /// A partner's float was debited for a top-up.
    FloatDebited {
        /// Amount, now in transit.
        amount: Money,
        /// The top-up.
        top_up: u128,
        /// Day number (UTC) it counts on.
        day: i64,
    },
    /// A top-up's credit was confirmed or refused: nothing of it is in transit any more.
    FloatSettled {
        /// Amount.
        amount: Money,
        /// The top-up.
        top_up: u128,
        /// True: credited. False: the float has it back.
        credited: bool,
    },
    /// A top-up was accepted.
    TopUpCreated(Box<TopUp>),
    /// A top-up reached its end.
    TopUpSettled {
        /// Result.
        outcome: Result<RechargeOutcome, Refusal>,
        /// The lot that the credit became.
        lot: Option<LotId>,
    },
    /// Another operator credited what a connector handed over.
    TopUpDelivered {
        /// Its reference.
        reference: String,
    },
    /// A catalog was published.
    CatalogPublished {
        /// Its version.
        version: u32,
        /// Its files, one after the other.
        text: String,
    },
    /// A budget was funded, leased from, or given back to.
    BudgetMoved(BudgetMoved),
    /// What a partition may spend of promotions has changed.
    SharesChanged(Box<SharesChange>),
    /// What a recharge earned has come: its budget answered.
    BonusGranted(Box<Award>),
    /// What a recharge earned is not given.
    BonusRefused {
        /// The promotion.
        promotion: Code,
        /// The recharge.
        receipt: Receipt,
        /// It does not count towards the limit of a person.
        period: Period,
        /// Why.
        reason: Refusal,
    },
    /// An Idempotency-Key was used.
    IdempotencyKept {
        /// Digest of the external_id it made.
        external: u128,
    },
    /// A payment was created.
    PaymentCreated(Box<CreatePayment>),
    /// Something happened to a payment.
    Payment(Box<PaymentEvent>),
    /// What was unused of a payment's credit left the account again.
    CreditTakenBack(Box<TakenBack>),
    /// Terms of a partner have changed.
    TermsChanged(Box<TermsChange>),
    /// A partner is to be told of a change of a top-up.
    CallbackDue(Box<CallbackDue>),
    /// A float got commission (or gave it back when negative).
    CommissionPaid {
        /// Amount.
        amount: Money,
        /// The top-up.
        top_up: u128,
        /// The partner's channel code.
        channel: Code,
    },
    /// Something happened to an auto-recharge.
    Auto(Box<AutoEvent>),
    /// The owner of a number is told of a mark of the month's budget.
    BudgetReached {
        /// Years times twelve and months.
        month: i64,
        /// Which mark.
        mark: BudgetMark,
    },
    /// Something happened in the selling chain.
    Chain(Box<ChainEvent>),
    /// A completed top-up was taken back, in the sandbox.
    TopUpReversed {
        /// How much of its gross amount.
        gross: Money,
    },
    /// Something happened to the reversal of a top-up.
    TopUpReversal(Box<ReversalEvent>),
    /// A float got back what was unused of a sale.
    FloatReturned {
        /// Amount, out of transit.
        amount: Money,
        /// The top-up.
        top_up: u128,
    },
    /// What a float paid went to another operator.
    FloatDelivered {
        /// Amount, out of transit.
        amount: Money,
        /// The top-up.
        top_up: u128,
        /// By this connector.
        connector: Code,
    },
    /// A batch of scratch cards got its number, or a number was locked.
    CardRegister(RegisterEvent),
    /// Something happened to a batch of scratch cards.
    CardBatch(Box<BatchEvent>),
    /// A partition has heard of a batch.
    CardCopy(Box<CopyEvent>),
    /// Something happened on a shelf of scratch cards.
    CardShelf(Box<ShelfEvent>),
    /// A try with a scratch card: what is remembered after it.
    CardGuard(Box<CardGuard>),
    /// A session has ended, and its owner is told what is left.
    SessionEnded(Box<SessionEnded>),
}

/// What was unused of a credit, taken back so that its money can be returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// What had made the credit.
    pub of: CreditOf,
    /// From which lots: the paid one, and what the promotion brought.
    pub draws: Vec<Draw>,
    /// The promotion that brought the rest.
    pub promotion: Code,
    /// Main balance taken back.
    pub unused: Money,
    /// The tax that had been taken from that part, no longer owed.
    pub tax: Money,
    /// Both together: what goes back to the payer.
    pub gross: Money,
    /// Main balance after it.
    pub balance: Money,
}

impl TakenBack {
    /// The binary form behind the id of what made the credit, which has a tag of its own.
    pub(crate) fn encode_rest(&self, out: &mut Vec<u8>) {
        self.draws.encode(out);
        self.promotion.encode(out);
        (self.unused, self.tax).encode(out);
        (self.gross, self.balance).encode(out);
    }

    pub(crate) fn decode_rest(of: CreditOf, input: &mut Reader<'_>) -> Result<TakenBack, CodecError> {
        Ok(TakenBack {
            of,
            draws: Codec::decode(input)?,
            promotion: Codec::decode(input)?,
            unused: Codec::decode(input)?,
            tax: Codec::decode(input)?,
            gross: Codec::decode(input)?,
            balance: Codec::decode(input)?,
        })
    }
}

/// A credit-control request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// What was asked.
    pub kind: ChargeKind,
    /// The session.
    pub session: SessionKey,
    /// CC-Request-Number.
    pub number: u32,
    /// Digest of the request.
    pub body: u64,
    /// Kind of use.
    pub service: Service,
    /// Set by the request that opens the session, and by immediate events.
    pub opened: Option<Box<Opened>>,
    /// The serving cell's region changed to this one.
    pub moved: Option<RegionCode>,
    /// The set-up fee, when this request paid it.
    pub setup: Option<SetupFee>,
    /// The parts.
    pub parts: SmallVec<[ChargedPart; 1]>,
    /// True when the session ends with this.
    pub closes: bool,
    /// When silence closes (or forgets) the session.
    pub expires_at: Timestamp,
    /// Result of the request as a whole.
    pub result: ChargeResult,
    /// Main balance left, not reserved, after all this.
    pub balance: Money,
    /// Whether the main balance is below the notice threshold after this.
    pub low_balance: bool,
    /// True when it just fell below: a notice goes out.
    pub low_balance_crossed: bool,
    /// Value given back by an immediate event (REFUND_ACCOUNT).
    pub refund: Option<Box<Refund>>,
    /// How many remembered requests fall out of memory (oldest first).
    pub forgets: u32,
}

/// A refund of earlier immediate events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The new lot that holds it.
    pub lot: Lot,
    /// Given back.
    pub gross: Money,
    /// The tax in it, no longer owed.
    pub tax: Money,
}
codec_struct!(Refund { lot, gross, tax });

/// What is kept of the request that opens a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Session-Id.
    pub id: Box<str>,
    /// Origin-Host.
    pub peer: Box<str>,
    /// Where to and from where.
    pub target: Target,
}
codec_struct!(Opened { id, peer, target });

/// A set-up fee that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupFee {
    /// The tariff row.
    pub tariff: Code,
    /// Taken.
    pub gross: Money,
    /// The tax in it.
    pub tax: Money,
    /// From which lots.
    pub draws: SmallVec<[Draw; 1]>,
    /// The part that no lot could pay.
    pub uncovered: Money,
}
codec_struct!(SetupFee {
    tariff,
    gross,
    tax,
    draws,
    uncovered
});

/// One part of a request as carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedPart {
    /// Which part.
    pub key: ElementKey,
    /// Result.
    pub result: ChargeResult,
    /// Use reported now.
    pub used: Amount,
    /// How it was charged, in order.
    pub charges: SmallVec<[Charge; 1]>,
    /// Paid and unused units of the current pulse or step after this.
    pub paid_ahead: Amount,
    /// Cost so far on the row, for rows with a maximum.
    pub row_cost: Money,
    /// What the new grant holds in which lots.
    pub reserved: SmallVec<[Draw; 1]>,
    /// `None`: no quota was asked.
    pub granted: Option<Amount>,
    /// Set with the last grant.
    pub final_action: Option<FinalAction>,
    /// Validity-Time.
    pub validity_s: u32,
    /// Threshold.
    pub threshold: Amount,
    /// Quota-Holding-Time.
    pub holding_s: u32,
    /// Tariff-Time-Change.
    pub tariff_change: Option<Timestamp>,
}
codec_struct!(ChargedPart {
    key,
    result,
    used,
    charges,
    paid_ahead,
    row_cost,
    reserved,
    granted,
    final_action,
    validity_s,
    threshold,
    holding_s,
    tariff_change,
});

/// Units paid in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// In which way.
    pub by: ChargedBy,
    /// Reported units it covers (the rest of the last pulse is paid ahead).
    pub units: Amount,
    /// Pulses or steps taken.
    pub pulses: i64,
    /// From which lots.
    pub draws: SmallVec<[Draw; 1]>,
}
codec_struct!(Charge {
    by,
    units,
    pulses,
    draws
});

/// The ways in which units are paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargedBy {
    /// Covered by a pulse or step that was paid before.
    PaidAhead,
    /// From a bucket, in steps.
    Bucket {
        /// The offer or promotion that brought it.
        source: Code,
        /// Step size.
        step: Amount,
    },
    /// By the pulse, from money.
    Tariff(Priced),
    /// Free: the row's maximum is reached.
    Free(Code),
    /// Used beyond every grant and balance: accounted, not collected.
    Uncovered(Priced),
}

/// A tariff row as it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The row.
    pub tariff: Code,
    /// The catalog's version.
    pub version: u32,
    /// Size of a pulse.
    pub pulse: Amount,
    /// Price of a pulse, tax included.
    pub gross: Money,
    /// Tax in it.
    pub tax: Money,
    /// Tax rate.
    pub rate: Rate,
    /// How the tax was rounded.
    pub rounding: Rounding,
}

impl Priced {
    /// What so many pulses cost. Use that nobody can pay is bounded by the network alone, so the value is capped far
    /// above any real one instead of overflowing.
    pub fn cost(&self, pulses: i64) -> Money {
        capped(self.gross, pulses)
    }

    /// The tax in so many pulses, capped in the same way.
    pub fn tax_of(&self, pulses: i64) -> Money {
        capped(self.tax, pulses)
    }
}

fn capped(price: Money, pulses: i64) -> Money {
    let cost = i128::from(price.0) * i128::from(pulses);
    Money(i64::try_from(cost.min(i128::from(COST_MAX))).unwrap_or(COST_MAX))
}

/// Largest cost of one charge, in micro-units.
const COST_MAX: i64 = 1 << 53;

codec_struct!(Priced {
    tariff,
    version,
    pulse,
    gross,
    tax,
    rate,
    rounding
});

/// A credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recharged {
    /// Who asked.
    pub source: SourceId,
    /// Digest of the request.
    pub body: u64,
    /// Reference for people.
    pub reference: String,
    /// Where the money came from.
    pub funding: Funding,
    /// Region that decided the tax.
    pub region: RegionCode,
    /// Class that decided the tax.
    pub tax_class: TaxClass,
    /// How the tax was rounded.
    pub rounding: Rounding,
    /// What it did: amounts, validity, receipt.
    pub outcome: RechargeOutcome,
    /// New lots: the credit first, then the promotion's.
    pub lots: SmallVec<[Lot; 1]>,
    /// Two old lots of the same origin are joined, so that their number stays bounded: from, into.
    pub joined: Option<(LotId, LotId)>,
    /// The account was expired and lives again.
    pub revived: bool,
    /// How many remembered requests fall out of memory.
    pub forgets: u32,
}
codec_struct!(Recharged {
    source,
    body,
    reference,
    funding,
    region,
    tax_class,
    rounding,
    outcome,
    lots,
    joined,
    revived,
    forgets,
});

/// A movement of a promotion's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetMoved {
    /// Put in from marketing expense; negative: given back to it.
    pub funded: Money,
    /// Leased to a partition; negative: given back by it.
    pub leased: Money,
    /// The partition.
    pub home: u16,
}
codec_struct!(BudgetMoved { funded, leased, home });

/// A bundle that was bought or renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// Who asked.
    pub source: SourceId,
    /// Digest of the request.
    pub body: u64,
    /// The offer.
    pub offer: Code,
    /// The catalog's version.
    pub version: u32,
    /// What a promotion took off the price, if one did.
    pub discount: Option<Box<Discounted>>,
    /// Taken from the balance.
    pub gross: Money,
    /// The tax in it.
    pub tax: Money,
    /// Tax rate.
    pub rate: Rate,
    /// How the tax was rounded.
    pub rounding: Rounding,
    /// From which lots.
    pub draws: SmallVec<[Draw; 1]>,
    /// What it brought.
    pub lots: SmallVec<[Lot; 4]>,
    /// Ends at.
    pub expires_at: Timestamp,
    /// Local day number and purchases of it on that day.
    pub day: i64,
    /// Count after this one.
    pub count: u8,
    /// True when it was a renewal.
    pub renewal: bool,
    /// When it renews, if it does.
    pub renews_at: Option<Timestamp>,
    /// Main balance after it.
    pub balance: Money,
    /// How many remembered requests fall out of memory.
    pub forgets: u32,
}
codec_struct!(Bought {
    source,
    body,
} newer { discount } then {
    offer,
    version,
    gross,
    tax,
    rate,
    rounding,
    draws,
    lots,
    expires_at,
    day,
    count,
    renewal,
    renews_at,
    balance,
    forgets,
});

/// A new partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerOpened {
    /// Its id.
    pub partner: PartnerId,
    /// Name.
    pub name: String,
    /// Channel code.
    pub code: Code,
    /// Operators it may sell for.
    pub operators: Vec<OperatorId>,
    /// Limits.
    pub minimum: Money,
    /// Limits.
    pub maximum: Money,
    /// Limits.
    pub per_day: Money,
    /// First key.
    pub key: Option<ApiKey>,
}
codec_struct!(PartnerOpened {
    partner,
    name,
    code,
    operators,
    minimum,
    maximum,
    per_day,
    key
});

codec_struct!(Charged {
    kind,
    session,
    number,
    body,
    service,
    opened,
    moved,
    setup,
    parts,
    closes,
    expires_at,
    result,
    balance,
    low_balance,
    low_balance_crossed,
    refund,
    forgets,
});

impl Codec for ChargedBy {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ChargedBy::PaidAhead => out.push(0),
            ChargedBy::Bucket { source, step } => {
                out.push(1);
                source.encode(out);
                step.encode(out);
            }
            ChargedBy::Tariff(priced) => {
                out.push(2);
                priced.encode(out);
            }
            ChargedBy::Free(code) => {
                out.push(3);
                code.encode(out);
            }
            ChargedBy::Uncovered(priced) => {
                out.push(4);
                priced.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<ChargedBy, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(ChargedBy::PaidAhead),
            1 => Ok(ChargedBy::Bucket {
                source: Codec::decode(input)?,
                step: Codec::decode(input)?,
            }),
            2 => Codec::decode(input).map(ChargedBy::Tariff),
            3 => Codec::decode(input).map(ChargedBy::Free),
            4 => Codec::decode(input).map(ChargedBy::Uncovered),
            _ => Err(CodecError::Invalid("way of charging")),
        }
    }
}

mod codec;

codec_struct!(Event {
    key,
    operator,
    at,
    body
});

impl Event {
    /// Sum of what the event took from money lots: what the statement shows as the charge.
    pub fn money_drawn(&self) -> Money {
        let drawn = |draws: &[Draw]| -> Money {
            draws
                .iter()
                .filter(|d| d.unit == Unit::Money)
                .map(|d| Money(d.amount.0))
                .sum()
        };
        match &self.body {
            EventBody::Charged(charged) => {
                let setup = charged.setup.as_ref().map_or(Money::ZERO, |s| drawn(&s.draws));
                let charges = charged.parts.iter().flat_map(|part| &part.charges);
                setup + charges.map(|charge| drawn(&charge.draws)).sum::<Money>()
            }
            EventBody::Bought(bought) => drawn(&bought.draws),
            EventBody::Expired { lots } => drawn(lots),
            EventBody::CreditTakenBack(taken) => drawn(&taken.draws),
            _ => Money::ZERO,
        }
    }
}
