//! The binary form of scratch cards. Tags are never reused.

use super::PinHash;
use super::batch::{CardPart, CardRange, PendingChange};
use super::{
    BatchEvent, Card, CardBatch, CardChange, CardCopy, CardGuard, CardLock, CardNote, CardRegister,
    CardReply, CardShelf, CardState, CopyEvent, NewBatch, RegisterEvent, Serial, ShelfEvent, TakenCard,
    TriedCard,
};
use crate::codec::codec_newtype;
use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct, put_varint};
use crate::ids::{AccountId, Code};
use crate::money::Money;
use crate::time::Timestamp;

/// Bytes of a hash without the number of its shelf.
const REST_BYTES: usize = 6;

codec_enum!(CardState {
    Generated = 0, Printed = 1, Shipped = 2, Active = 3, Sold = 4, Expired = 5, Recalled = 6, Stolen = 7,
});
codec_newtype!(PinHash);
codec_struct!(Serial { batch, place });
codec_struct!(NewBatch {
    operator,
    face,
    count,
    expires_at,
    printer,
    label,
    partitions
});
codec_struct!(CardRange { end, state, dealer });
codec_struct!(CardPart { start, end });
codec_struct!(CardChange {
    version,
    parts,
    state
});
codec_struct!(PendingChange {
    version,
    state,
    waiting,
    live
});
codec_struct!(TriedCard {
    account,
    place,
    kind,
    at
});
codec_struct!(CardCopy {
    face,
    count,
    expires_at,
    partitions,
    version,
    ranges
});
codec_struct!(CardGuard {
    wrong,
    level,
    locked_until,
    last_at,
    wrong_total
});
codec_struct!(CardLock {
    account,
    own,
    at,
    until,
    wrong_total
});
codec_struct!(CardRegister { batches, locks });
codec_struct!(CardReply {
    serial,
    face,
    at,
    repeated,
    receipt
});
codec_struct!(CardBatch {
    id,
    operator,
    face,
    count,
    expires_at,
    created_at,
    printer,
    label,
    partitions,
    ready,
    exported_at,
    expired,
    version,
    ranges,
    used,
    used_count,
    owed,
    pending,
    tries,
    tried,
});

impl Codec for CardNote {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            CardNote::Used => out.push(0),
            CardNote::CameBack => out.push(1),
            CardNote::Tried(tried) => {
                out.push(2);
                tried.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<CardNote, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => CardNote::Used,
            1 => CardNote::CameBack,
            2 => CardNote::Tried(Codec::decode(input)?),
            _ => return Err(CodecError::Invalid("note on a card")),
        })
    }
}

impl Codec for [u64; 5] {
    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|count| count.encode(out));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut counts = [0; 5];
        for count in &mut counts {
            *count = u64::decode(input)?;
        }
        Ok(counts)
    }
}

fn put_rest(rest: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&rest.to_be_bytes()[8 - REST_BYTES..]);
}

fn take_rest(input: &mut Reader<'_>) -> Result<u64, CodecError> {
    let mut bytes = [0; 8];
    bytes[8 - REST_BYTES..].copy_from_slice(input.take(REST_BYTES)?);
    Ok(u64::from_be_bytes(bytes))
}

/// How many elements of at least so many bytes come: never more than the input can hold.
fn take_count(input: &mut Reader<'_>, bytes_min: usize) -> Result<usize, CodecError> {
    let count = usize::try_from(input.varint()?).map_err(|_| CodecError::Truncated)?;
    if count > input.remaining() / bytes_min {
        return Err(CodecError::Truncated);
    }
    Ok(count)
}

impl Codec for CardShelf {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.cards.len() as u64);
        for card in &self.cards {
            put_rest(card.rest, out);
            card.serial.encode(out);
        }
        put_varint(out, self.taken.len() as u64);
        for taken in &self.taken {
            put_rest(taken.rest, out);
            taken.account.encode(out);
            taken.at.encode(out);
            taken.receipt.encode(out);
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<CardShelf, CodecError> {
        let count = take_count(input, REST_BYTES + 2)?;
        let mut cards = Vec::with_capacity(count);
        for _ in 0..count {
            cards.push(Card {
                rest: take_rest(input)?,
                serial: Codec::decode(input)?,
            });
        }
        let count = take_count(input, REST_BYTES + 3)?;
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            taken.push(TakenCard {
                rest: take_rest(input)?,
                account: Codec::decode(input)?,
                at: Codec::decode(input)?,
                receipt: Codec::decode(input)?,
            });
        }
        Ok(CardShelf { cards, taken })
    }
}

impl Codec for ShelfEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ShelfEvent::Shelved { batch, cards } => {
                out.push(0);
                batch.encode(out);
                put_varint(out, cards.len() as u64);
                for (rest, place) in cards {
                    put_rest(*rest, out);
                    place.encode(out);
                }
            }
            ShelfEvent::Taken { rest, account, face } => {
                out.push(1);
                put_rest(*rest, out);
                (*account, *face).encode(out);
            }
            ShelfEvent::Returned { rest, face } => {
                out.push(2);
                put_rest(*rest, out);
                face.encode(out);
            }
            ShelfEvent::Settled { rest, receipt } => {
                out.push(3);
                put_rest(*rest, out);
                receipt.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<ShelfEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => {
                let batch = Codec::decode(input)?;
                let count = take_count(input, REST_BYTES + 1)?;
                let mut cards = Vec::with_capacity(count);
                for _ in 0..count {
                    cards.push((take_rest(input)?, Codec::decode(input)?));
                }
                ShelfEvent::Shelved { batch, cards }
            }
            1 => {
                let rest = take_rest(input)?;
                let (account, face): (AccountId, Money) = Codec::decode(input)?;
                ShelfEvent::Taken { rest, account, face }
            }
            2 => ShelfEvent::Returned {
                rest: take_rest(input)?,
                face: Codec::decode(input)?,
            },
            3 => ShelfEvent::Settled {
                rest: take_rest(input)?,
                receipt: Codec::decode(input)?,
            },
            _ => return Err(CodecError::Invalid("event of a shelf")),
        })
    }
}

impl Codec for CopyEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            CopyEvent::Opened {
                face,
                count,
                expires_at,
                partitions,
            } => {
                out.push(0);
                (*face, *count).encode(out);
                (*expires_at, *partitions).encode(out);
            }
            CopyEvent::Changed(change) => {
                out.push(1);
                change.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<CopyEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => {
                let (face, count): (Money, u32) = Codec::decode(input)?;
                let (expires_at, partitions): (Timestamp, u16) = Codec::decode(input)?;
                CopyEvent::Opened {
                    face,
                    count,
                    expires_at,
                    partitions,
                }
            }
            1 => CopyEvent::Changed(Codec::decode(input)?),
            _ => return Err(CodecError::Invalid("event of a copy of a batch")),
        })
    }
}

impl Codec for RegisterEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RegisterEvent::Numbered(batch) => {
                out.push(0);
                batch.encode(out);
            }
            RegisterEvent::Locked(lock) => {
                out.push(1);
                lock.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<RegisterEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => RegisterEvent::Numbered(Codec::decode(input)?),
            1 => RegisterEvent::Locked(Codec::decode(input)?),
            _ => return Err(CodecError::Invalid("event of the register of cards")),
        })
    }
}

impl Codec for BatchEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            BatchEvent::Opened(new) => {
                out.push(0);
                new.encode(out);
            }
            BatchEvent::Ready => out.push(1),
            BatchEvent::Exported => out.push(2),
            BatchEvent::Changed {
                change,
                dealer,
                live,
                told,
                issued,
                expires,
            } => {
                out.push(3);
                change.encode(out);
                dealer.encode(out);
                live.encode(out);
                (*told, *issued).encode(out);
                expires.encode(out);
            }
            BatchEvent::Confirmed { version, home } => {
                out.push(4);
                (*version, *home).encode(out);
            }
            BatchEvent::Lapsed {
                version,
                unused,
                value,
                state,
            } => {
                out.push(5);
                (*version, *unused).encode(out);
                (*value, *state).encode(out);
            }
            BatchEvent::Used { place } => {
                out.push(6);
                place.encode(out);
            }
            BatchEvent::CameBack { place, lapsed, value } => {
                out.push(7);
                place.encode(out);
                lapsed.encode(out);
                value.encode(out);
            }
            BatchEvent::Tried(tried) => {
                out.push(8);
                tried.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<BatchEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => BatchEvent::Opened(Codec::decode(input)?),
            1 => BatchEvent::Ready,
            2 => BatchEvent::Exported,
            3 => {
                let change = Codec::decode(input)?;
                let dealer = Code::decode(input)?;
                let live = Codec::decode(input)?;
                let (told, issued) = Codec::decode(input)?;
                BatchEvent::Changed {
                    change,
                    dealer,
                    live,
                    told,
                    issued,
                    expires: Codec::decode(input)?,
                }
            }
            4 => BatchEvent::Confirmed {
                version: Codec::decode(input)?,
                home: Codec::decode(input)?,
            },
            5 => BatchEvent::Lapsed {
                version: Codec::decode(input)?,
                unused: Codec::decode(input)?,
                value: Codec::decode(input)?,
                state: Codec::decode(input)?,
            },
            6 => BatchEvent::Used {
                place: Codec::decode(input)?,
            },
            7 => BatchEvent::CameBack {
                place: Codec::decode(input)?,
                lapsed: Codec::decode(input)?,
                value: Codec::decode(input)?,
            },
            8 => BatchEvent::Tried(Codec::decode(input)?),
            _ => return Err(CodecError::Invalid("event of a batch of cards")),
        })
    }
}
