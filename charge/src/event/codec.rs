//! The binary form of events.

use super::EventBody;
use crate::codec::{Codec, CodecError, Reader};
use crate::event::TakenBack;
use crate::partner::TopUp;
use crate::reply::Refusal;
use crate::reversal::CreditOf;
use crate::terms::CallbackDue;

/// Tags are never reused: a changed event gets a new one.
mod tag {
    pub const CHARGED: u8 = 1;
    pub const RECHARGED: u8 = 2;
    pub const BOUGHT: u8 = 3;
    pub const RENEWAL_FAILED: u8 = 4;
    pub const RENEWAL_SET: u8 = 5;
    pub const EXPIRED: u8 = 6;
    pub const LIFE_CYCLE: u8 = 7;
    pub const ACCOUNT_OPENED: u8 = 9;
    pub const ACCOUNT_UPDATED: u8 = 10;
    pub const NUMBER_BOUND: u8 = 11;
    pub const PARTNER_OPENED: u8 = 12;
    pub const KEY_ADDED: u8 = 13;
    pub const KEY_REVOKED: u8 = 14;
    pub const FLOAT_FUNDED: u8 = 15;
    pub const FLOAT_DEBITED: u8 = 16;
    pub const FLOAT_SETTLED: u8 = 17;
    pub const TOP_UP_CREATED: u8 = 18;
    pub const TOP_UP_SETTLED: u8 = 19;
    pub const IDEMPOTENCY: u8 = 20;
    pub const CATALOG: u8 = 21;
    pub const PAYMENT_CREATED: u8 = 22;
    pub const PAYMENT: u8 = 23;
    pub const TAKEN_BACK: u8 = 24;
    pub const BUDGET_MOVED: u8 = 40;
    pub const SHARES_CHANGED: u8 = 41;
    pub const BONUS_GRANTED: u8 = 42;
    pub const BONUS_REFUSED: u8 = 43;
    pub const AUTO: u8 = 44;
    pub const BUDGET_REACHED: u8 = 45;
    pub const TERMS_CHANGED: u8 = 50;
    pub const CALLBACK_DUE: u8 = 51;
    pub const COMMISSION_PAID: u8 = 52;
    pub const TOP_UP_REVERSED: u8 = 53;
    pub const TOP_UP_CREATED_2: u8 = 54;
    pub const TOP_UP_CREATED_3: u8 = 60;
    pub const TOP_UP_SETTLED_2: u8 = 61;
    pub const TAKEN_BACK_2: u8 = 62;
    pub const TOP_UP_REVERSAL: u8 = 63;
    pub const FLOAT_RETURNED: u8 = 64;
    pub const FLOAT_DELIVERED: u8 = 65;
    pub const TOP_UP_DELIVERED: u8 = 66;
    pub const CALLBACK_DUE_2: u8 = 67;
    pub const CHAIN: u8 = 70;
    pub const CARD_REGISTER: u8 = 90;
    pub const CARD_BATCH: u8 = 91;
    pub const CARD_COPY: u8 = 92;
    pub const CARD_SHELF: u8 = 93;
    pub const CARD_GUARD: u8 = 94;
    pub const SESSION_ENDED: u8 = 170;
}

impl Codec for Refusal {
    fn encode(&self, out: &mut Vec<u8>) {
        self.code().encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Refusal, CodecError> {
        Refusal::from_code(u32::decode(input)?).ok_or(CodecError::Invalid("refusal"))
    }
}

impl<T: Codec> Codec for Result<T, Refusal> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Ok(outcome) => {
                out.push(1);
                outcome.encode(out);
            }
            Err(refusal) => {
                out.push(0);
                refusal.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        if bool::decode(input)? {
            Ok(Ok(Codec::decode(input)?))
        } else {
            Ok(Err(Codec::decode(input)?))
        }
    }
}

impl Codec for EventBody {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            EventBody::Charged(charged) => put(out, tag::CHARGED, charged),
            EventBody::Recharged(recharged) => put(out, tag::RECHARGED, recharged),
            EventBody::Bought(bought) => put(out, tag::BOUGHT, bought),
            EventBody::RenewalFailed { offer, reason } => {
                put(out, tag::RENEWAL_FAILED, offer);
                reason.encode(out);
            }
            EventBody::RenewalSet { offer, due_at } => {
                put(out, tag::RENEWAL_SET, offer);
                due_at.encode(out);
            }
            EventBody::Expired { lots } => put(out, tag::EXPIRED, lots),
            EventBody::LifeCycleChanged { from, to } => {
                put(out, tag::LIFE_CYCLE, from);
                to.encode(out);
            }
            EventBody::AccountOpened {
                open,
                lot,
                valid_until,
            } => {
                put(out, tag::ACCOUNT_OPENED, open);
                lot.encode(out);
                valid_until.encode(out);
            }
            EventBody::AccountUpdated { language, tax_class } => {
                put(out, tag::ACCOUNT_UPDATED, language);
                tax_class.encode(out);
            }
            EventBody::NumberBound { operator, account } => {
                put(out, tag::NUMBER_BOUND, operator);
                account.encode(out);
            }
            EventBody::PartnerOpened(opened) => put(out, tag::PARTNER_OPENED, opened),
            EventBody::KeyAdded(key) => put(out, tag::KEY_ADDED, key),
            EventBody::KeyRevoked(key) => put(out, tag::KEY_REVOKED, key),
            EventBody::FloatFunded {
                amount,
                source,
                reference,
            } => {
                put(out, tag::FLOAT_FUNDED, amount);
                source.encode(out);
                reference.encode(out);
            }
            EventBody::FloatDebited { amount, top_up, day } => {
                put(out, tag::FLOAT_DEBITED, amount);
                top_up.encode(out);
                day.encode(out);
            }
            EventBody::FloatSettled {
                amount,
                top_up,
                credited,
            } => {
                put(out, tag::FLOAT_SETTLED, amount);
                top_up.encode(out);
                credited.encode(out);
            }
            EventBody::CatalogPublished { version, text } => {
                put(out, tag::CATALOG, version);
                text.encode(out);
            }
            EventBody::IdempotencyKept { external } => put(out, tag::IDEMPOTENCY, external),
            EventBody::PaymentCreated(asked) => put(out, tag::PAYMENT_CREATED, asked),
            EventBody::Payment(event) => put(out, tag::PAYMENT, event),
            EventBody::BudgetMoved(moved) => put(out, tag::BUDGET_MOVED, moved),
            EventBody::SharesChanged(change) => put(out, tag::SHARES_CHANGED, change),
            EventBody::BonusGranted(award) => put(out, tag::BONUS_GRANTED, award),
            EventBody::BonusRefused {
                promotion,
                receipt,
                period,
                reason,
            } => {
                put(out, tag::BONUS_REFUSED, promotion);
                receipt.encode(out);
                period.encode(out);
                reason.encode(out);
            }
            EventBody::Auto(event) => put(out, tag::AUTO, event),
            EventBody::CreditTakenBack(taken) => encode_taken_back(taken, out),
            EventBody::TopUpCreated(_)
            | EventBody::TopUpSettled { .. }
            | EventBody::TopUpDelivered { .. }
            | EventBody::TopUpReversed { .. }
            | EventBody::TopUpReversal(_) => encode_top_up(self, out),
            EventBody::Chain(event) => put(out, tag::CHAIN, event),
            _ => encode_terms(self, out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<EventBody, CodecError> {
        Ok(match input.take(1)?[0] {
            tag::CHARGED => EventBody::Charged(Codec::decode(input)?),
            tag::RECHARGED => EventBody::Recharged(Codec::decode(input)?),
            tag::BOUGHT => EventBody::Bought(Codec::decode(input)?),
            tag::RENEWAL_FAILED => EventBody::RenewalFailed {
                offer: Codec::decode(input)?,
                reason: Codec::decode(input)?,
            },
            tag::RENEWAL_SET => EventBody::RenewalSet {
                offer: Codec::decode(input)?,
                due_at: Codec::decode(input)?,
            },
            tag::EXPIRED => EventBody::Expired {
                lots: Codec::decode(input)?,
            },
            tag::LIFE_CYCLE => EventBody::LifeCycleChanged {
                from: Codec::decode(input)?,
                to: Codec::decode(input)?,
            },
            tag::ACCOUNT_OPENED => EventBody::AccountOpened {
                open: Codec::decode(input)?,
                lot: Codec::decode(input)?,
                valid_until: Codec::decode(input)?,
            },
            tag::ACCOUNT_UPDATED => EventBody::AccountUpdated {
                language: Codec::decode(input)?,
                tax_class: Codec::decode(input)?,
            },
            tag::NUMBER_BOUND => EventBody::NumberBound {
                operator: Codec::decode(input)?,
                account: Codec::decode(input)?,
            },
            tag::PARTNER_OPENED => EventBody::PartnerOpened(Codec::decode(input)?),
            tag::KEY_ADDED => EventBody::KeyAdded(Codec::decode(input)?),
            tag::KEY_REVOKED => EventBody::KeyRevoked(Codec::decode(input)?),
            tag::FLOAT_FUNDED => EventBody::FloatFunded {
                amount: Codec::decode(input)?,
                source: Codec::decode(input)?,
                reference: Codec::decode(input)?,
            },
            tag::FLOAT_DEBITED => EventBody::FloatDebited {
                amount: Codec::decode(input)?,
                top_up: Codec::decode(input)?,
                day: Codec::decode(input)?,
            },
            tag::FLOAT_SETTLED => EventBody::FloatSettled {
                amount: Codec::decode(input)?,
                top_up: Codec::decode(input)?,
                credited: Codec::decode(input)?,
            },
            tag::TOP_UP_CREATED => EventBody::TopUpCreated(Codec::decode(input)?),
            tag::TOP_UP_SETTLED => EventBody::TopUpSettled {
                outcome: Codec::decode(input)?,
                lot: None,
            },
            tag::TOP_UP_SETTLED_2 => EventBody::TopUpSettled {
                outcome: Codec::decode(input)?,
                lot: Codec::decode(input).map(Some)?,
            },
            tag::CATALOG => EventBody::CatalogPublished {
                version: Codec::decode(input)?,
                text: Codec::decode(input)?,
            },
            tag::IDEMPOTENCY => EventBody::IdempotencyKept {
                external: Codec::decode(input)?,
            },
            tag::PAYMENT_CREATED => EventBody::PaymentCreated(Codec::decode(input)?),
            tag::PAYMENT => EventBody::Payment(Codec::decode(input)?),
            tag::BUDGET_MOVED => EventBody::BudgetMoved(Codec::decode(input)?),
            tag::SHARES_CHANGED => EventBody::SharesChanged(Codec::decode(input)?),
            tag::BONUS_GRANTED => EventBody::BonusGranted(Codec::decode(input)?),
            tag::BONUS_REFUSED => EventBody::BonusRefused {
                promotion: Codec::decode(input)?,
                receipt: Codec::decode(input)?,
                period: Codec::decode(input)?,
                reason: Codec::decode(input)?,
            },
            tag::AUTO => EventBody::Auto(Codec::decode(input)?),
            tag::BUDGET_REACHED => EventBody::BudgetReached {
                month: Codec::decode(input)?,
                mark: Codec::decode(input)?,
            },
            tag::CARD_REGISTER => EventBody::CardRegister(Codec::decode(input)?),
            tag::CARD_BATCH => EventBody::CardBatch(Codec::decode(input)?),
            tag::CARD_COPY => EventBody::CardCopy(Codec::decode(input)?),
            tag::CARD_SHELF => EventBody::CardShelf(Codec::decode(input)?),
            tag::CARD_GUARD => EventBody::CardGuard(Codec::decode(input)?),
            tag::SESSION_ENDED => EventBody::SessionEnded(Codec::decode(input)?),
            tag => return decode_sale(tag, input),
        })
    }
}

/// What happens to the terms of partners, and beside and after their sales.
fn decode_sale(tag: u8, input: &mut Reader<'_>) -> Result<EventBody, CodecError> {
    Ok(match tag {
        tag::TAKEN_BACK_2 => {
            let of = CreditOf::TopUp(Codec::decode(input)?);
            EventBody::CreditTakenBack(Box::new(TakenBack::decode_rest(of, input)?))
        }
        tag::TOP_UP_REVERSAL => EventBody::TopUpReversal(Codec::decode(input)?),
        tag::FLOAT_RETURNED => EventBody::FloatReturned {
            amount: Codec::decode(input)?,
            top_up: Codec::decode(input)?,
        },
        tag::FLOAT_DELIVERED => EventBody::FloatDelivered {
            amount: Codec::decode(input)?,
            top_up: Codec::decode(input)?,
            connector: Codec::decode(input)?,
        },
        tag::TOP_UP_DELIVERED => EventBody::TopUpDelivered {
            reference: Codec::decode(input)?,
        },
        tag::CALLBACK_DUE_2 => EventBody::CallbackDue(Box::new(CallbackDue::decode_long(input)?)),
        tag::TOP_UP_CREATED_3 => EventBody::TopUpCreated(Box::new(TopUp::decode_long(input)?)),
        tag::TAKEN_BACK => {
            let of = CreditOf::Payment(Codec::decode(input)?);
            EventBody::CreditTakenBack(Box::new(TakenBack::decode_rest(of, input)?))
        }
        tag::CHAIN => EventBody::Chain(Codec::decode(input)?),
        tag::TERMS_CHANGED => EventBody::TermsChanged(Codec::decode(input)?),
        tag::CALLBACK_DUE => EventBody::CallbackDue(Codec::decode(input)?),
        tag::COMMISSION_PAID => EventBody::CommissionPaid {
            amount: Codec::decode(input)?,
            top_up: Codec::decode(input)?,
            channel: Codec::decode(input)?,
        },
        tag::TOP_UP_REVERSED => EventBody::TopUpReversed {
            gross: Codec::decode(input)?,
        },
        tag::TOP_UP_CREATED_2 => EventBody::TopUpCreated(Box::new(TopUp::decode_detailed(input)?)),
        _ => return Err(CodecError::Invalid("event tag")),
    })
}

/// What happens to a top-up.
fn encode_top_up(body: &EventBody, out: &mut Vec<u8>) {
    match body {
        EventBody::TopUpCreated(top_up) if top_up.is_long() => {
            out.push(tag::TOP_UP_CREATED_3);
            top_up.encode_long(out);
        }
        EventBody::TopUpCreated(top_up) if !top_up.is_plain() => {
            out.push(tag::TOP_UP_CREATED_2);
            top_up.encode_detailed(out);
        }
        EventBody::TopUpCreated(top_up) => put(out, tag::TOP_UP_CREATED, top_up),
        EventBody::TopUpSettled { outcome, lot: None } => put(out, tag::TOP_UP_SETTLED, outcome),
        EventBody::TopUpSettled {
            outcome,
            lot: Some(lot),
        } => {
            put(out, tag::TOP_UP_SETTLED_2, outcome);
            lot.encode(out);
        }
        EventBody::TopUpDelivered { reference } => put(out, tag::TOP_UP_DELIVERED, reference),
        EventBody::TopUpReversed { gross } => put(out, tag::TOP_UP_REVERSED, gross),
        EventBody::TopUpReversal(event) => put(out, tag::TOP_UP_REVERSAL, event),
        _ => {}
    }
}

fn encode_taken_back(taken: &TakenBack, out: &mut Vec<u8>) {
    match &taken.of {
        CreditOf::Payment(id) => put(out, tag::TAKEN_BACK, id),
        CreditOf::TopUp(id) => put(out, tag::TAKEN_BACK_2, id),
    }
    taken.encode_rest(out);
}

/// What happens to the terms of a partner, beside its sales, and to scratch cards.
fn encode_terms(body: &EventBody, out: &mut Vec<u8>) {
    match body {
        EventBody::BudgetReached { month, mark } => {
            put(out, tag::BUDGET_REACHED, month);
            mark.encode(out);
        }
        EventBody::SessionEnded(ended) => put(out, tag::SESSION_ENDED, ended),
        EventBody::TermsChanged(change) => put(out, tag::TERMS_CHANGED, change),
        EventBody::CallbackDue(due) if due.top_up.is_long() => {
            out.push(tag::CALLBACK_DUE_2);
            due.encode_long(out);
        }
        EventBody::CallbackDue(due) => put(out, tag::CALLBACK_DUE, due),
        EventBody::CommissionPaid {
            amount,
            top_up,
            channel,
        } => {
            put(out, tag::COMMISSION_PAID, amount);
            top_up.encode(out);
            channel.encode(out);
        }
        EventBody::FloatReturned { amount, top_up } => {
            put(out, tag::FLOAT_RETURNED, amount);
            top_up.encode(out);
        }
        EventBody::FloatDelivered {
            amount,
            top_up,
            connector,
        } => {
            put(out, tag::FLOAT_DELIVERED, amount);
            top_up.encode(out);
            connector.encode(out);
        }
        _ => encode_cards(body, out),
    }
}

/// What happens to scratch cards.
fn encode_cards(body: &EventBody, out: &mut Vec<u8>) {
    match body {
        EventBody::CardRegister(event) => put(out, tag::CARD_REGISTER, event),
        EventBody::CardBatch(event) => put(out, tag::CARD_BATCH, event),
        EventBody::CardCopy(event) => put(out, tag::CARD_COPY, event),
        EventBody::CardShelf(event) => put(out, tag::CARD_SHELF, event),
        EventBody::CardGuard(guard) => put(out, tag::CARD_GUARD, guard),
        _ => {}
    }
}

fn put(out: &mut Vec<u8>, tag: u8, first: &impl Codec) {
    out.push(tag);
    first.encode(out);
}
