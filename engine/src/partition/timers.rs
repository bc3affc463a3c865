//! The queue of due entities in memory: a heap whose stale entries are skipped, and rebuilt when they are too many.

use super::entities::{Entities, SlotId};
use charge::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Earliest first. An entry counts only while its slot says the same moment.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, SlotId)>>,
}

impl Timers {
    /// Called after a change: an earlier moment is queued at once; a later one is found when the old moment comes.
    #[inline]
    pub fn update(&mut self, entities: &mut Entities, id: SlotId) {
        let slot = entities.slot_mut(id);
        let due = slot.entity.as_ref().and_then(charge::Entity::next_due);
        if let Some(due) = due.filter(|due| *due < slot.queued) {
            self.queue(entities, id, due);
        }
    }

    /// Queues a slot for a moment, whatever it was queued for before.
    pub fn queue(&mut self, entities: &mut Entities, id: SlotId, due: Timestamp) {
        entities.slot_mut(id).queued = due;
        self.heap.push(Reverse((due, id)));
        if self.heap.len() > 2 * entities.len() + 1024 {
            let live = entities
                .iter()
                .filter(|(_, slot)| slot.queued != Timestamp::NEVER);
            self.heap = live.map(|(id, slot)| Reverse((slot.queued, id))).collect();
        }
    }

    /// The next entity whose queued moment has come; it is no longer queued.
    pub fn pop(&mut self, entities: &mut Entities, now: Timestamp) -> Option<SlotId> {
        while let Some(Reverse((due, id))) = self.heap.peek().copied() {
            let slot = entities.slot_if_kept(id);
            let live = slot.filter(|slot| slot.queued == due && slot.entity.is_some());
            if live.is_some() && due > now {
                return None;
            }
            self.heap.pop();
            if let Some(slot) = live {
                slot.queued = Timestamp::NEVER;
                return Some(id);
            }
        }
        None
    }

    /// When to ask again; may be early.
    pub fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    pub fn clear(&mut self) {
        self.heap.clear();
    }
}
