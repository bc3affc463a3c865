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
            Funding::Card {
                operator,
                hash,
                channel,
            } => {
                out.push(90);
                (*operator, *hash).encode(out);
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
            90 => Ok(Funding::Card {
                operator: Codec::decode(input)?,
                hash: Codec::decode(input)?,
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
            _ => encode_card(self, out),
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
            90 => Ok(Message::CardCopy {
                batch: Codec::decode(input)?,
                home: Codec::decode(input)?,
                operator: Codec::decode(input)?,
                event: Codec::decode(input)?,
            }),
            91 => Ok(Message::CardConfirmed {
                batch: Codec::decode(input)?,
                home: Codec::decode(input)?,
                version: Codec::decode(input)?,
            }),
            92 => Ok(Message::CardCredited {
                operator: Codec::decode(input)?,
                hash: Codec::decode(input)?,
                face: Codec::decode(input)?,
                outcome: Codec::decode(input)?,
            }),
            93 => Ok(Message::CardNoted {
                serial: Codec::decode(input)?,
                face: Codec::decode(input)?,
                note: Codec::decode(input)?,
            }),
            94 => Codec::decode(input).map(Message::CardLocked),
            _ => Err(CodecError::Invalid("message")),
        }
    }
}

/// What partitions tell each other of scratch cards.
fn encode_card(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::CardCopy {
            batch,
            home,
            operator,
            event,
        } => {
            out.push(90);
            (*batch, *home).encode(out);
            operator.encode(out);
            event.encode(out);
        }
        Message::CardConfirmed { batch, home, version } => {
            out.push(91);
            (*batch, *home).encode(out);
            version.encode(out);
        }
        Message::CardCredited {
            operator,
            hash,
            face,
            outcome,
        } => {
            out.push(92);
            (*operator, *hash).encode(out);
            face.encode(out);
            outcome.encode(out);
        }
        Message::CardNoted { serial, face, note } => {
            out.push(93);
            (*serial, *face).encode(out);
            note.encode(out);
        }
        Message::CardLocked(lock) => {
            out.push(94);
            lock.encode(out);
        }
        _ => {}
    }
}
