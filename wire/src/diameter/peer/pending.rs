//! Requests of ours that wait for an answer: a slab whose slot number is in the hop-by-hop identifier, so that an answer is
//! matched without hashing and a stale or forged one is not matched at all.

use std::collections::VecDeque;

use crate::diameter::limits::REQUESTS_PENDING_MAX;

const SLOT_BITS: u32 = 15;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const _: () = assert!(REQUESTS_PENDING_MAX <= 1 << SLOT_BITS);

#[derive(Debug, Clone, Copy)]
struct Slot {
    hop_by_hop: u32,
    tag: Option<u64>,
}

/// The table. All entries have the same patience, so they expire in the order in which they came.
#[derive(Debug)]
pub(super) struct Pending {
    slots: Vec<Slot>,
    free: Vec<u32>,
    expiries: VecDeque<(u64, u32)>,
    generation: u32,
    live: usize,
}

impl Pending {
    /// An empty table; `seed` starts the identifiers somewhere.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            expiries: VecDeque::new(),
            generation: (seed >> 32) as u32,
            live: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Takes a place and gives its hop-by-hop identifier; `None` when all are taken.
    pub(super) fn insert(&mut self, tag: u64, expires_ms: u64) -> Option<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < REQUESTS_PENDING_MAX => {
                self.slots.push(Slot {
                    hop_by_hop: 0,
                    tag: None,
                });
                self.slots.len() as u32 - 1
            }
            None => return None,
        };
        self.generation = self.generation.wrapping_add(1);
        let hop_by_hop = self.generation << SLOT_BITS | slot;
        self.slots[slot as usize] = Slot {
            hop_by_hop,
            tag: Some(tag),
        };
        self.expiries.push_back((expires_ms, hop_by_hop));
        self.live += 1;
        Some(hop_by_hop)
    }

    /// The tag of a request that is answered.
    pub(super) fn remove(&mut self, hop_by_hop: u32) -> Option<u64> {
        let tag = self.release(hop_by_hop)?;
        self.forget_answered();
        Some(tag)
    }

    /// The tag of one request whose time is over.
    pub(super) fn expire(&mut self, now_ms: u64) -> Option<u64> {
        let (expires_ms, hop_by_hop) = *self.expiries.front()?;
        if expires_ms > now_ms {
            return None;
        }
        // The front is always live, see forget_answered.
        let tag = self.release(hop_by_hop);
        self.forget_answered();
        tag
    }

    /// When the next request expires.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.expiries.front().map(|(expires_ms, _)| *expires_ms)
    }

    fn release(&mut self, hop_by_hop: u32) -> Option<u64> {
        let slot = self.slots.get_mut((hop_by_hop & SLOT_MASK) as usize)?;
        if slot.hop_by_hop != hop_by_hop {
            return None;
        }
        let tag = slot.tag.take()?;
        self.free.push(hop_by_hop & SLOT_MASK);
        self.live -= 1;
        Some(tag)
    }

    fn forget_answered(&mut self) {
        while let Some((_, hop_by_hop)) = self.expiries.front() {
            let slot = self.slots[(hop_by_hop & SLOT_MASK) as usize];
            if slot.hop_by_hop == *hop_by_hop && slot.tag.is_some() {
                break;
            }
            self.expiries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, REQUESTS_PENDING_MAX};

    #[test]
    fn answers_match_once_and_only_their_own_request() {
        let mut pending = Pending::new(7 << 32);
        let first = pending.insert(100, 10).unwrap();
        let second = pending.insert(200, 11).unwrap();
        assert_eq!(pending.remove(first), Some(100));
        assert_eq!(pending.remove(first), None);
        let third = pending.insert(300, 12).unwrap();
        assert_ne!(first, third, "the slot is used again under another identifier");
        assert_eq!(pending.remove(first), None);
        assert_eq!(pending.remove(0xffff_ffff), None);
        assert_eq!((pending.next_expiry(), pending.expire(10)), (Some(11), None));
        assert_eq!(pending.expire(12), Some(200));
        assert_eq!(pending.expire(12), Some(300));
        assert_eq!(
            (pending.expire(u64::MAX), pending.next_expiry(), pending.len()),
            (None, None, 0)
        );
        assert_eq!((pending.remove(second), pending.remove(third)), (None, None));
    }

    #[test]
    fn the_table_is_bounded_and_recovers() {
        let mut pending = Pending::new(0);
        let ids: Vec<u32> = (0..REQUESTS_PENDING_MAX as u64)
            .map(|tag| pending.insert(tag, 5).unwrap())
            .collect();
        assert_eq!(pending.insert(0, 5), None);
        assert_eq!(pending.remove(ids[17]), Some(17));
        assert!(pending.insert(99, 6).is_some());
        assert_eq!(pending.len(), REQUESTS_PENDING_MAX);
        let mut expired = 0;
        while pending.expire(6).is_some() {
            expired += 1;
        }
        assert_eq!(expired, REQUESTS_PENDING_MAX);
    }
}
