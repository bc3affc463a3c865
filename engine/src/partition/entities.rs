//! The entities that a partition holds in memory: a slab with an index, and a clock hand that finds what can go.

use crate::limits::EVICTION_STEPS_MAX;
use charge::decide::View;
use charge::{Entity, EntityKey, Timestamp};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use store::Seq;

/// Index of a slot; stable while the entity stays in memory.
pub(crate) type SlotId = u32;

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
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    hasher: DefaultHashBuilder,
    bytes: usize,
    hand: usize,
}

impl Entities {
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
        let slots = &self.slots;
        let found = self.index.find(hash, |id| slots[*id as usize].key == key);
        found.copied()
    }

    #[inline]
    pub fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[id as usize]
    }

    #[inline]
    pub fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id as usize]
    }

    #[inline]
    pub fn touch(&mut self, id: SlotId) {
        self.slots[id as usize].touched = true;
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
        let id = if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            id
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as SlotId
        };
        let (hasher, slots) = (&self.hasher, &self.slots);
        let hash = hasher.hash_one(key);
        self.index
            .insert_unique(hash, id, |id| hasher.hash_one(slots[*id as usize].key));
        id
    }

    /// Weighs the entity anew; it changes little with each event, so this is done now and then.
    pub fn weigh(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        let weight = slot.entity.as_ref().map_or(0, weight_of);
        self.bytes = self.bytes - slot.weight as usize + weight as usize;
        slot.weight = weight;
    }

    pub fn remove(&mut self, id: SlotId) {
        let key = self.slots[id as usize].key;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        let slot = &mut self.slots[id as usize];
        self.bytes -= SLOT_BYTES + slot.weight as usize;
        slot.entity = None;
        slot.queued = Timestamp::NEVER;
        (slot.dirty, slot.collected, slot.touched, slot.weight) = (false, false, false, 0);
        self.free.push(id);
    }

    /// Lets clean entities go until at most `bytes_max` are held. Looks at a bounded number of slots; entities used
    /// since the hand last passed stay.
    pub fn evict(&mut self, bytes_max: usize, durable: Seq) -> usize {
        let mut evicted = 0;
        let steps = EVICTION_STEPS_MAX.min(self.slots.len() * 2);
        for _ in 0..steps {
            if self.bytes <= bytes_max {
                break;
            }
            self.hand = if self.hand + 1 >= self.slots.len() {
                0
            } else {
                self.hand + 1
            };
            let slot = &mut self.slots[self.hand];
            if slot.entity.is_none() || slot.dirty || slot.collected || slot.seq > durable {
                continue;
            }
            if std::mem::take(&mut slot.touched) {
                continue;
            }
            self.remove(self.hand as SlotId);
            evicted += 1;
        }
        evicted
    }

    /// Every slot in use.
    pub fn iter(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.entity.is_some())
            .map(|(id, slot)| (id as SlotId, slot))
    }
}

impl View for Entities {
    #[inline]
    fn get(&self, key: EntityKey) -> Option<&Entity> {
        self.slots[self.find(key)? as usize].entity.as_ref()
    }
}

fn weight_of(entity: &Entity) -> u32 {
    match entity {
        // They lie in the slot itself.
        Entity::Number(_) | Entity::Idempotency(_) => 0,
        entity => u32::try_from(entity.weight()).unwrap_or(u32::MAX),
    }
}
