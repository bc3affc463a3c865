//! The entities that a partition holds in memory: a slab with an index, and a clock hand that finds what can go.
//!
//! The slab is made of chunks: it grows without copying what it has, which would hold up charges, and gives a chunk back
//! once its last entity has left. New entities go into the lowest chunk with room, so that high ones empty.

use crate::limits::EVICTION_STEPS_MAX;
use charge::decide::View;
use charge::{Entity, EntityKey, Timestamp};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use store::Seq;

/// Index of a slot; stable while the entity stays in memory.
pub(crate) type SlotId = u32;

/// Slots in a chunk: 2 to this power.
const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Bytes that an entity costs beside its own heap: its slot and its place in the index.
const SLOT_BYTES: usize = size_of::<Slot>() + 16;

/// An entity with what its partition knows about it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub key: EntityKey,
    /// `None` only while the first event of a new entity is applied, and in free slots.
    pub entity: Option<Entity>,
    /// Batch of the last change.
    pub seq: Seq,
    /// Moment for which it stands in the queue of timers; `NEVER` when it does not.
    pub queued: Timestamp,
    weight: u32,
    /// Changed since it was last collected for a snapshot.
    pub dirty: bool,
    /// Collected, and its row is not known to be written yet.
    pub collected: bool,
    touched: bool,
}

/// Slab, index and eviction.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    index: HashTable<SlotId>,
    chunks: Vec<Chunk>,
    /// Chunks with a free slot.
    open: BTreeSet<u32>,
    hasher: DefaultHashBuilder,
    bytes: usize,
    hand: usize,
    /// The partition.
    home: u16,
}

/// Slots side by side; without any when none is in use.
#[derive(Debug, Default)]
struct Chunk {
    slots: Vec<Slot>,
    /// Slots given back.
    free: Vec<u16>,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.slots.len() == CHUNK && self.free.is_empty()
    }
}

fn slot_in(chunks: &[Chunk], id: SlotId) -> &Slot {
    &chunks[(id >> CHUNK_BITS) as usize].slots[id as usize % CHUNK]
}

impl Entities {
    /// No entities of a partition.
    pub fn of(home: u16) -> Entities {
        Entities {
            home,
            ..Entities::default()
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Rough bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub fn find(&self, key: EntityKey) -> Option<SlotId> {
        let hash = self.hasher.hash_one(key);
        let chunks = &self.chunks;
        let found = self.index.find(hash, |id| slot_in(chunks, *id).key == key);
        found.copied()
    }

    #[inline]
    pub fn slot(&self, id: SlotId) -> &Slot {
        slot_in(&self.chunks, id)
    }

    #[inline]
    pub fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.chunks[(id >> CHUNK_BITS) as usize].slots[id as usize % CHUNK]
    }

    /// The slot of an id that may have been given back since.
    #[inline]
    pub fn slot_if_kept(&mut self, id: SlotId) -> Option<&mut Slot> {
        let chunk = self.chunks.get_mut((id >> CHUNK_BITS) as usize)?;
        chunk.slots.get_mut(id as usize % CHUNK)
    }

    #[inline]
    pub fn touch(&mut self, id: SlotId) {
        self.slot_mut(id).touched = true;
    }

    /// Adds a key that is not there yet.
    pub fn insert(&mut self, key: EntityKey, entity: Option<Entity>, seq: Seq) -> SlotId {
        let weight = entity.as_ref().map_or(0, weight_of);
        let slot = Slot {
            key,
            entity,
            seq,
            queued: Timestamp::NEVER,
            weight,
            dirty: false,
            collected: false,
            touched: true,
        };
        self.bytes += SLOT_BYTES + weight as usize;
        let id = self.place(slot);
        let (hasher, chunks) = (&self.hasher, &self.chunks);
        let hash = hasher.hash_one(key);
        self.index
            .insert_unique(hash, id, |id| hasher.hash_one(slot_in(chunks, *id).key));
        id
    }

    fn place(&mut self, slot: Slot) -> SlotId {
        let number = self.open.first().copied().unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            let number = (self.chunks.len() - 1) as u32;
            self.open.insert(number);
            number
        });
        let chunk = &mut self.chunks[number as usize];
        let within = if let Some(within) = chunk.free.pop() {
            chunk.slots[usize::from(within)] = slot;
            u32::from(within)
        } else {
            if chunk.slots.is_empty() {
                chunk.slots.reserve_exact(CHUNK);
            }
            chunk.slots.push(slot);
            (chunk.slots.len() - 1) as u32
        };
        if chunk.is_full() {
            self.open.remove(&number);
        }
        number << CHUNK_BITS | within
    }

    /// Weighs the entity anew; it changes little with each event, so this is done now and then.
    pub fn weigh(&mut self, id: SlotId) {
        let slot = self.slot_mut(id);
        let weight = slot.entity.as_ref().map_or(0, weight_of);
        let before = std::mem::replace(&mut slot.weight, weight);
        self.bytes = self.bytes - before as usize + weight as usize;
    }

    pub fn remove(&mut self, id: SlotId) {
        let key = self.slot(id).key;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        let number = id >> CHUNK_BITS;
        let chunk = &mut self.chunks[number as usize];
        let slot = &mut chunk.slots[id as usize % CHUNK];
        self.bytes -= SLOT_BYTES + slot.weight as usize;
        slot.entity = None;
        slot.queued = Timestamp::NEVER;
        (slot.dirty, slot.collected, slot.touched, slot.weight) = (false, false, false, 0);
        chunk.free.push((id as usize % CHUNK) as u16);
        if chunk.free.len() == chunk.slots.len() {
            *chunk = Chunk::default();
        }
        self.open.insert(number);
    }

    /// Lets clean entities go until at most `bytes_max` are held. Looks at a bounded number of slots; entities used
    /// since the hand last passed stay.
    pub fn evict(&mut self, bytes_max: usize, durable: Seq) -> usize {
        let mut evicted = 0;
        let slots = self.chunks.len() * CHUNK;
        let steps = EVICTION_STEPS_MAX.min(slots * 2);
        for _ in 0..steps {
            if self.bytes <= bytes_max {
                break;
            }
            self.hand = if self.hand + 1 >= slots { 0 } else { self.hand + 1 };
            let id = self.hand as SlotId;
            let Some(slot) = self.slot_if_kept(id) else {
                // The rest of this chunk is not there.
                self.hand |= CHUNK - 1;
                continue;
            };
            if slot.entity.is_none() || slot.dirty || slot.collected || slot.seq > durable {
                continue;
            }
            if std::mem::take(&mut slot.touched) {
                continue;
            }
            self.remove(id);
            evicted += 1;
        }
        evicted
    }

    /// Every slot in use.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        let slots = self.chunks.iter().enumerate().flat_map(|(number, chunk)| {
            let base = number << CHUNK_BITS;
            let slots = chunk.slots.iter().enumerate();
            slots.map(move |(within, slot)| ((base | within) as SlotId, slot))
        });
        slots.filter(|(_, slot)| slot.entity.is_some())
    }
}

impl View for Entities {
    #[inline]
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.slot(self.find(key)?).entity.as_ref()
    }

    fn home(&self) -> u16 {
        self.home
    }
}

fn weight_of(entity: &Entity) -> u32 {
    match entity {
        // They lie in the slot itself.
        Entity::Number(_) | Entity::Idempotency(_) => 0,
        entity => u32::try_from(entity.weight()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::partner::NumberRecord;
    use charge::{Msisdn, OperatorId};

    fn number(at: u64) -> (EntityKey, Option<Entity>) {
        let record = NumberRecord {
            operator: OperatorId(1),
            account: None,
            version: at,
        };
        let msisdn = Msisdn::new(923_000_000_000 + at).expect("a number");
        (EntityKey::Number(msisdn), Some(Entity::Number(record)))
    }

    #[test]
    fn an_empty_chunk_is_given_back_and_low_ones_fill_first() {
        let mut entities = Entities::default();
        let ids: Vec<SlotId> = (0..5 * CHUNK as u64)
            .map(|at| {
                let (key, entity) = number(at);
                entities.insert(key, entity, 1)
            })
            .collect();
        assert_eq!(entities.len(), 5 * CHUNK);
        assert_eq!(entities.evict(usize::MAX, 1), 0);
        // The hand passes twice: what was used since stays once.
        let kept = 100 * SLOT_BYTES;
        while entities.bytes() > kept {
            entities.evict(kept, 1);
        }
        assert_eq!(entities.len(), 100);
        let allocated = entities.chunks.iter().filter(|chunk| !chunk.slots.is_empty());
        assert!(allocated.count() <= 2, "the others have gone");
        let gone = ids
            .iter()
            .filter(|id| entities.slot_if_kept(**id).is_none())
            .count();
        assert!(gone >= 3 * CHUNK, "{gone}");
        for at in 0..2 * CHUNK as u64 {
            let (key, entity) = number(1_000_000 + at);
            let id = entities.insert(key, entity, 1);
            assert!(id < 4 * CHUNK as u32, "{id}");
            assert_eq!(entities.find(key), Some(id));
        }
        assert_eq!(entities.len(), 100 + 2 * CHUNK);
        assert_eq!(entities.iter().count(), entities.len());
        for (id, slot) in entities.iter() {
            assert_eq!(entities.find(slot.key), Some(id));
        }
    }
}
