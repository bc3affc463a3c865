//! The binary form of messages and of what they carry. Tags are never reused.

use super::{Funding, Message, Recharge};
use crate::codec::{Codec, CodecError, Reader, codec_struct};

impl Codec for Funding {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Funding::Rail(code) => {
                out.push(0);
                code.encode(out);
            }
            Funding::InTransit { partner, channel } => {
                out.push(1);
                partner.encode(out);
                channel.encode(out);
            }
            Funding::Suspense { payment, channel } => {
                out.push(2);
                payment.encode(out);
                channel.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Funding, CodecError> {
        match input.take(1)?[0] {
            0 => Codec::decode(input).map(Funding::Rail),
            1 => Ok(Funding::InTransit {
                partner: Codec::decode(input)?,
                channel: Codec::decode(input)?,
            }),
            2 => Ok(Funding::Suspense {
                payment: Codec::decode(input)?,
                channel: Codec::decode(input)?,
            }),
            _ => Err(CodecError::Invalid("funding")),
        }
    }
}
codec_struct!(Recharge {
    account,
    source,
    reference,
    funding,
    gross,
} newer { campaign, class } then {
    region
});

impl Codec for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Open(open) => {
                out.push(1);
                open.encode(out);
            }
            Message::Credit { external, recharge } => {
                out.push(2);
                external.encode(out);
                recharge.encode(out);
            }
            Message::Credited {
                partner,
                external,
                outcome,
                lot,
            } => {
                out.push(if lot.is_some() { 60 } else { 3 });
                partner.encode(out);
                external.encode(out);
                outcome.encode(out);
                if let Some(lot) = lot {
                    lot.encode(out);
                }
            }
            Message::TakeBack(asked) => {
                out.push(61);
                asked.encode(out);
            }
            Message::TakenBack {
                partner,
                external,
                result,
            } => {
                out.push(62);
                partner.encode(out);
                external.encode(out);
                result.encode(out);
            }
            Message::SuspenseCredited { payment, outcome } => {
                out.push(4);
                payment.encode(out);
                outcome.encode(out);
            }
            Message::BudgetAsked(asked) => {
                out.push(20);
                asked.encode(out);
            }
            Message::BudgetAnswered {
                asked,
                granted,
                budget,
            } => {
                out.push(21);
                asked.encode(out);
                (*granted, *budget).encode(out);
            }
            Message::BudgetReturned(returned) => {
                out.push(22);
                returned.encode(out);
            }
            Message::Chain(message) => {
                out.push(70);
                message.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Message, CodecError> {
        match input.take(1)?[0] {
            1 => Codec::decode(input).map(Message::Open),
            2 => Ok(Message::Credit {
                external: Codec::decode(input)?,
                recharge: Codec::decode(input)?,
            }),
            3 => Ok(Message::Credited {
                partner: Codec::decode(input)?,
                external: Codec::decode(input)?,
                outcome: Codec::decode(input)?,
                lot: None,
            }),
            60 => Ok(Message::Credited {
                partner: Codec::decode(input)?,
                external: Codec::decode(input)?,
                outcome: Codec::decode(input)?,
                lot: Codec::decode(input).map(Some)?,
            }),
            61 => Codec::decode(input).map(Message::TakeBack),
            62 => Ok(Message::TakenBack {
                partner: Codec::decode(input)?,
                external: Codec::decode(input)?,
                result: Codec::decode(input)?,
            }),
            4 => Ok(Message::SuspenseCredited {
                payment: Codec::decode(input)?,
                outcome: Codec::decode(input)?,
            }),
            20 => Codec::decode(input).map(Message::BudgetAsked),
            21 => Ok(Message::BudgetAnswered {
                asked: Codec::decode(input)?,
                granted: Codec::decode(input)?,
                budget: Codec::decode(input)?,
            }),
            22 => Codec::decode(input).map(Message::BudgetReturned),
            70 => Codec::decode(input).map(Message::Chain),
            _ => Err(CodecError::Invalid("message")),
        }
    }
}
