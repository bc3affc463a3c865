//! Snapshot rounds: every entity that changed before the round is collected once, then a checkpoint says so.
//!
//! Only whole batches are collected, and a collected row leaves only when its last change is durable. The checkpoint of a
//! round is the state of the journal at its beginning: what changes meanwhile is in the tail behind it.

use super::entities::SlotId;
use super::meta::Meta;
use super::{Partition, PartitionId};
use crate::limits::DUE_GRAIN_US;
use charge::codec::Codec;
use charge::{Entity, EntityKey};
use std::collections::VecDeque;
use store::{Checkpoint, Hash, Micros, Seq, SnapshotReader, SnapshotRow};

/// A round in progress.
#[derive(Debug)]
pub(crate) struct Round {
    at: (Seq, Hash),
    meta: Vec<u8>,
    /// Collected chunks, in order, waiting until their newest change is durable.
    held: VecDeque<(Seq, Collected)>,
}

/// The beginning of a round.
#[derive(Debug)]
pub struct RoundStart {
    /// Partition.
    pub partition: PartitionId,
    /// Life of the memory that the round belongs to.
    pub epoch: u64,
    /// What to collect, in no order.
    pub keys: Vec<EntityKey>,
}

/// Rows to write; tell [`Partition::written`] when they are.
#[derive(Debug)]
pub struct Collected {
    /// Rows in the order asked for.
    pub rows: Vec<SnapshotRow>,
    slots: Vec<SlotId>,
}

/// The due time that a snapshot row of an entity has.
pub(crate) fn due_in_snapshot(entity: &Entity) -> Option<Micros> {
    let due = entity.next_due()?;
    Some(due.0.div_euclid(DUE_GRAIN_US) * DUE_GRAIN_US)
}

impl Partition {
    /// Whether anything has changed since the last round began.
    pub fn wants_round(&self) -> bool {
        !self.dirty.is_empty() || !self.pending.is_empty()
    }

    /// Whether entities can be collected now: between batches only.
    pub fn may_collect(&self) -> bool {
        self.builder.is_empty() && !self.broken
    }

    /// Begins a round; call it only when [`Partition::may_collect`]. A round that runs is abandoned.
    pub fn begin_round(&mut self) -> RoundStart {
        self.abandon_round();
        let mut keys: Vec<EntityKey> = Vec::with_capacity(self.dirty.len());
        keys.extend(self.dirty.drain(..).map(|id| self.entities.slot(id).key));
        keys.extend(self.pending.keys());
        self.round = Some(Round {
            at: self.sealed,
            meta: self.meta().to_bytes(),
            held: VecDeque::new(),
        });
        RoundStart {
            partition: self.id,
            epoch: self.epoch,
            keys,
        }
    }

    /// Collects entities of the running round; call it only when [`Partition::may_collect`]. The rows come from
    /// [`Partition::poll_collected`] once they are durable. Answers false when the round is over or was abandoned.
    pub fn collect(&mut self, epoch: u64, keys: &[EntityKey], reader: &mut dyn SnapshotReader) -> bool {
        if epoch != self.epoch || self.round.is_none() {
            return false;
        }
        let mut collected = Collected {
            rows: Vec::with_capacity(keys.len()),
            slots: Vec::with_capacity(keys.len()),
        };
        let mut newest = 0;
        for key in keys {
            // An entity that cannot be read stays in the tail: without it, there must be no checkpoint.
            let Ok(found) = self.load(*key, reader) else {
                return false;
            };
            let Some(id) = found else { continue };
            self.entities.weigh(id);
            let slot = self.entities.slot_mut(id);
            if !slot.dirty || slot.collected {
                continue;
            }
            let Some(entity) = &slot.entity else { continue };
            (slot.dirty, slot.collected) = (false, true);
            newest = newest.max(slot.seq);
            collected.slots.push(id);
            collected.rows.push(SnapshotRow {
                partition: self.id,
                key: key.to_key_bytes().into_vec(),
                seq: slot.seq,
                due: due_in_snapshot(entity),
                bytes: Some(entity.to_bytes()),
            });
        }
        if let Some(round) = &mut self.round {
            round.held.push_back((newest, collected));
        }
        true
    }

    /// The next collected rows that are durable.
    pub fn poll_collected(&mut self) -> Option<Collected> {
        let durable = self.durable.0;
        let held = &mut self.round.as_mut()?.held;
        if held.front()?.0 > durable {
            return None;
        }
        held.pop_front().map(|(_, collected)| collected)
    }

    /// The rows of [`Partition::poll_collected`] are in the snapshots: their entities may leave the memory.
    pub fn written(&mut self, epoch: u64, collected: &Collected) {
        if epoch != self.epoch {
            return;
        }
        for id in &collected.slots {
            if let Some(slot) = self.entities.slot_if_kept(*id) {
                slot.collected = false;
            }
        }
    }

    /// Ends the round; the checkpoint to write once all rows are written and its position is durable.
    pub fn end_round(&mut self, epoch: u64) -> Option<Checkpoint> {
        if epoch != self.epoch {
            return None;
        }
        let done = |round: &mut Round| round.held.is_empty() && round.at.0 <= self.durable.0;
        let round = self.round.take_if(done)?;
        Some(Checkpoint {
            partition: self.id,
            seq: round.at.0,
            hash: round.at.1,
            meta: round.meta,
        })
    }

    /// Gives a round up: what it has not safely written is dirty again.
    pub fn abandon_round(&mut self) {
        if self.round.take().is_none() {
            // Without a round every dirty slot stands in the list, unless its slot has been given up since.
            let entities = &mut self.entities;
            self.dirty
                .retain(|id| entities.slot_if_kept(*id).is_some_and(|slot| slot.dirty));
            return;
        }
        let waiting = self
            .entities
            .iter()
            .filter(|(_, slot)| slot.dirty || slot.collected);
        self.dirty = waiting.map(|(id, _)| id).collect();
        for id in &self.dirty {
            let slot = self.entities.slot_mut(*id);
            (slot.dirty, slot.collected) = (true, false);
        }
    }

    /// The checkpoint of an empty partition: it fixes the number of partitions.
    pub fn first_checkpoint(&self) -> Checkpoint {
        Checkpoint {
            partition: self.id,
            seq: 0,
            hash: Hash::NONE,
            meta: self.meta().to_bytes(),
        }
    }

    fn meta(&self) -> Meta {
        Meta {
            partitions: self.settings.partitions,
            account_max: self.account_max,
            channels: self.channels.clone(),
        }
    }
}

/// Writes a whole round at once: for shutdown, tools and simulators. Everything changed must be durable or the round is
/// given up. Answers the number of rows, or `None` when it was given up.
///
/// # Errors
/// Whatever the snapshot writer reports; the round is given up then.
pub fn write_round(
    partition: &mut Partition,
    chunk_rows: usize,
    reader: &mut dyn SnapshotReader,
    writer: &mut dyn store::SnapshotWriter,
) -> Result<Option<usize>, store::StoreError> {
    if !partition.may_collect() {
        return Ok(None);
    }
    let RoundStart { epoch, mut keys, .. } = partition.begin_round();
    keys.sort_unstable();
    let mut count = 0;
    for chunk in keys.chunks(chunk_rows.max(1)) {
        if !partition.collect(epoch, chunk, reader) {
            partition.abandon_round();
            return Ok(None);
        }
        let Some(collected) = partition.poll_collected() else {
            partition.abandon_round();
            return Ok(None);
        };
        if let Err(error) = writer.put(&collected.rows, &[]) {
            partition.abandon_round();
            return Err(error);
        }
        count += collected.rows.len();
        partition.written(epoch, &collected);
    }
    let Some(checkpoint) = partition.end_round(epoch) else {
        partition.abandon_round();
        return Ok(None);
    };
    writer.put(&[], &[checkpoint])?;
    Ok(Some(count))
}
