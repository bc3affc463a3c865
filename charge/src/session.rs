//! A charging session and its elements: what a network has open, what it was granted, what it has used.

use crate::account::Origin;
use crate::catalog::{Called, DestinationClass, Place};
use crate::codec::{Codec, CodecError, Reader, codec_enum, codec_struct};
use crate::ids::{LotId, Msisdn, SessionKey};
use crate::money::Money;
use crate::tax::RegionCode;
use crate::time::Timestamp;
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;

/// A session that the network opened (CCR INITIAL) and has not ended, or ended a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Digest of its name.
    pub key: SessionKey,
    /// Its name on the wire (Session-Id), for re-authorization and records.
    pub id: Box<str>,
    /// Who opened it (Origin-Host), for re-authorization.
    pub peer: Box<str>,
    /// Kind of use.
    pub service: Service,
    /// Whom it goes to.
    pub target: Target,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the network last reported.
    pub last_at: Timestamp,
    /// When nobody having reported, it is closed (or, once closed, forgotten).
    pub expires_at: Timestamp,
    /// True once ended; kept for a while so that late reports are still accounted.
    pub closed: bool,
    /// True once the set-up fee is paid or waived.
    pub setup_done: bool,
    /// What it has cost so far.
    pub cost: Money,
    /// Which CC-Request-Numbers were carried out: they count once, even when the answer is no longer remembered.
    pub numbers: RequestNumbers,
    /// One per rating group and service identifier.
    pub elements: SmallVec<[Element; 1]>,
}

impl Session {
    /// Rough bytes held in memory.
    pub fn weight(&self) -> usize {
        size_of::<Session>() + self.id.len() + self.peer.len() + self.elements.len() * size_of::<Element>()
    }

    /// True for a session that has ended so long ago that late reports are not expected any more.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.closed && self.expires_at <= now
    }

    /// The element for a rating group and service identifier.
    pub fn element(&self, key: ElementKey) -> Option<&Element> {
        self.elements.iter().find(|e| e.key == key)
    }
}

/// The request numbers of a session that were carried out: the highest, and which of the 63 below it. What is further
/// below counts as carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestNumbers {
    max: u32,
    /// Bit i stands for `max - i`.
    seen: u64,
}
codec_struct!(RequestNumbers { max, seen });

impl RequestNumbers {
    /// A session that begins with this request.
    pub fn first(number: u32) -> RequestNumbers {
        RequestNumbers { max: number, seen: 1 }
    }

    /// True when this request was not carried out yet.
    pub fn is_new(self, number: u32) -> bool {
        let below = self.max.saturating_sub(number);
        number > self.max || (below < u64::BITS && self.seen >> below & 1 == 0)
    }

    /// Notes that a request was carried out.
    pub fn note(&mut self, number: u32) {
        if number > self.max {
            self.seen = self.seen.checked_shl(number - self.max).unwrap_or(0) | 1;
            self.max = number;
        } else if self.max - number < u64::BITS {
            self.seen |= 1 << (self.max - number);
        }
    }
}

/// Where a session's traffic goes and from where: everything the tariff depends on beside the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Called party.
    pub called: Called,
    /// Its class.
    pub class: DestinationClass,
    /// At home or roaming.
    pub place: Place,
    /// Visited network as MCC-MNC digits, 0 when not told.
    pub plmn: u32,
    /// Tax region of the serving cell.
    pub region: RegionCode,
}

/// Rating-Group and Service-Identifier of a Multiple-Services-Credit-Control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ElementKey {
    /// Rating-Group, if the network gave one.
    pub rating_group: Option<u32>,
    /// Service-Identifier, if the network gave one.
    pub service_id: Option<u32>,
}
codec_struct!(ElementKey {
    rating_group,
    service_id
});

/// One rated part of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Which part.
    pub key: ElementKey,
    /// Used so far.
    pub used: Amount,
    /// Units of a pulse or step that are paid and not used yet.
    pub paid_ahead: Amount,
    /// Cost so far by the pulse, for rows with a maximum.
    pub row_cost: Money,
    /// Held for the current grant.
    pub reserved: SmallVec<[Draw; 1]>,
    /// The current grant; zero when there is none.
    pub granted: Amount,
    /// When it was granted: tells the tariff of the use that follows.
    pub granted_at: Timestamp,
}
codec_struct!(Element {
    key,
    used,
    paid_ahead,
    row_cost,
    reserved,
    granted,
    granted_at
});

/// An amount taken from, or held in, one lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The lot.
    pub lot: LotId,
    /// Its origin, so that the event alone gives the ledger entry.
    pub origin: Origin,
    /// Its unit.
    pub unit: Unit,
    /// How much.
    pub amount: Amount,
}
codec_struct!(Draw {
    lot,
    origin,
    unit,
    amount
});

codec_enum!(DestinationClass { OnNet = 1, OffNet = 2, International = 4, Special = 8, Incoming = 16 });
codec_enum!(Place { Home = 0, Roaming = 1 });

impl Codec for Called {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Called::Nobody => out.push(0),
            Called::Number(number) => {
                out.push(1);
                number.encode(out);
            }
            Called::Short(code) => {
                out.push(2);
                code.encode(out);
            }
            Called::Incoming => out.push(3),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Called, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(Called::Nobody),
            1 => Msisdn::decode(input).map(Called::Number),
            2 => u64::decode(input).map(Called::Short),
            3 => Ok(Called::Incoming),
            _ => Err(CodecError::Invalid("called party")),
        }
    }
}

codec_struct!(Target {
    called,
    class,
    place,
    plmn,
    region
});
codec_struct!(Session {
    key,
    id,
    peer,
    service,
    target,
    opened_at,
    last_at,
    expires_at,
    closed,
    setup_done,
    cost,
    numbers,
    elements,
});

#[cfg(test)]
mod tests {
    use super::RequestNumbers;

    #[test]
    fn a_number_counts_once_in_any_order() {
        let mut numbers = RequestNumbers::first(0);
        for (number, is_new) in [
            (0, false),
            (1, true),
            (1, false),
            (5, true),
            (3, true),
            (3, false),
            (2, true),
            (4, true),
            (4, false),
            (68, true),
            (6, true),
            (6, false),
            (5, false),
            (4, false),
            (200, true),
            (136, false),
            (137, true),
            (200, false),
        ] {
            assert_eq!(numbers.is_new(number), is_new, "{number} after {numbers:?}");
            numbers.note(number);
            assert!(!numbers.is_new(number));
        }
        let mut high = RequestNumbers::first(u32::MAX);
        assert!(!high.is_new(0) && !high.is_new(u32::MAX) && high.is_new(u32::MAX - 1));
        high.note(u32::MAX - 1);
        assert!(!high.is_new(u32::MAX - 1));
    }
}
