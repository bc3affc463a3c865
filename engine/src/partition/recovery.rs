//! From a checkpoint and the journal behind it back to a living partition.
//!
//! The tail is checked and its messages are replayed, but its events are only sorted by entity: an entity gets them when it
//! is first needed, or when the first snapshot round comes by. So a restart answers soon, however many entities the tail has
//! touched.

use super::channels::Channels;
use super::entities::SlotId;
use super::meta::Meta;
use super::{KeyMap, Outbox, Partition, PartitionId, account_of};
use crate::error::Unavailable;
use crate::limits::{ENTITY_BYTES_MAX, JOURNAL_READ_BYTES};
use charge::codec::{Codec, CodecError, Reader};
use charge::command::Message;
use charge::{Entity, EntityKey, Event, Timestamp};
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use store::batch::{Batch, BatchError, Record};
use store::{Hash, JournalReader, Seq, SnapshotReader, StoreError};

/// Events of the journal's tail that no entity in memory has applied yet.
#[derive(Debug, Default)]
pub(crate) struct PendingEvents {
    events: KeyMap<SmallVec<[PendingEvent; 1]>>,
    bytes: usize,
}

/// An event inside a batch that stays in memory as it was read.
#[derive(Clone, Debug)]
struct PendingEvent {
    batch: Arc<Vec<u8>>,
    start: u32,
    len: u32,
    seq: Seq,
}

impl PendingEvents {
    pub fn keys(&self) -> impl Iterator<Item = EntityKey> {
        self.events.keys().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// What a recovery found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Position of the checkpoint.
    pub checkpoint: Seq,
    /// Last batch of the journal.
    pub seq: Seq,
    /// Events behind the checkpoint.
    pub events: u64,
    /// Bytes of journal behind the checkpoint.
    pub bytes: u64,
}

/// Why a partition cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The store cannot be read.
    #[error("cannot read partition {partition}")]
    Store {
        /// Partition.
        partition: PartitionId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A batch is damaged.
    #[error("batch {seq} of partition {partition} is damaged")]
    Batch {
        /// Partition.
        partition: PartitionId,
        /// Position.
        seq: Seq,
        /// What is wrong with it.
        #[source]
        source: BatchError,
    },
    /// A record or a checkpoint cannot be decoded.
    #[error("a record in batch {seq} of partition {partition} cannot be read")]
    Record {
        /// Partition.
        partition: PartitionId,
        /// Position.
        seq: Seq,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// A batch is missing.
    #[error("partition {partition}: batch {expected} is missing from the journal (found {found})")]
    Gap {
        /// Partition.
        partition: PartitionId,
        /// Expected position.
        expected: Seq,
        /// What is there instead.
        found: Seq,
    },
    /// The snapshots are ahead of the journal: one of the files is older than the other.
    #[error(
        "partition {partition}: the snapshots are at batch {checkpoint}, the journal ends at {journal}; \
         restore the newer journal, or rebuild the snapshots"
    )]
    SnapshotAhead {
        /// Partition.
        partition: PartitionId,
        /// Position of the snapshots.
        checkpoint: Seq,
        /// End of the journal.
        journal: Seq,
    },
    /// The data directory has another number of partitions.
    #[error("the data directory was made with {stored} partitions, the settings say {wanted}")]
    Partitions {
        /// As stored.
        stored: u16,
        /// As set.
        wanted: u16,
    },
    /// An event belongs elsewhere.
    #[error(
        "batch {seq} of partition {partition} holds an event of another partition; was the number of partitions changed?"
    )]
    Misplaced {
        /// Partition.
        partition: PartitionId,
        /// Position.
        seq: Seq,
    },
}

impl Partition {
    /// Goes (back) to the last durable state: at the start, after a failed append and after a defect. Everyone who waits
    /// gets an error. Entities in memory that are durable stay, unless somebody else has written to the partition.
    ///
    /// # Errors
    /// [`RecoveryError`]; the partition then serves nobody until a later call succeeds.
    pub fn recover(
        &mut self,
        reader: &mut dyn SnapshotReader,
        journal: &mut dyn JournalReader,
        out: &mut Outbox,
    ) -> Result<Recovered, RecoveryError> {
        let ours: Vec<Hash> = self.in_flight.iter().map(|batch| batch.hash).collect();
        let known = self.durable;
        self.disappoint(out);
        self.broken = true;
        self.epoch += 1;
        self.builder.clear();
        self.forget_newer_than(known.0);
        let (found, foreign) = self.read_tail(reader, journal, known, &ours)?;
        if foreign {
            tracing::warn!(
                partition = self.id,
                "another owner has written to the partition; reading everything again"
            );
            self.forget_newer_than(0);
            self.durable = (0, Hash::NONE);
            self.read_tail(reader, journal, (found.seq, Hash::NONE), &[])?;
        }
        self.channels.recovered();
        self.sealed = self.durable;
        self.next_sweep = Timestamp(i64::MIN);
        self.swept = None;
        self.next_resend = Timestamp(i64::MIN);
        self.broken = false;
        Ok(found)
    }

    /// Turns commands away until then: after a failure the disk gets a pause.
    pub fn close_until(&mut self, until: Timestamp) {
        self.closed_until = until;
    }

    fn forget_newer_than(&mut self, seq: Seq) {
        let newer = self
            .entities
            .iter()
            .filter(|(_, slot)| slot.seq > seq || seq == 0);
        let newer: Vec<SlotId> = newer.map(|(id, _)| id).collect();
        // Slots of entities whose first event could not be applied hold nothing, and `iter` skips them.
        newer.into_iter().for_each(|id| self.entities.remove(id));
        self.abandon_round();
        if seq == 0 {
            self.entities = super::entities::Entities::of(self.id);
            self.timers.clear();
            self.dirty.clear();
        }
    }

    fn read_tail(
        &mut self,
        reader: &mut dyn SnapshotReader,
        journal: &mut dyn JournalReader,
        known: (Seq, Hash),
        ours: &[Hash],
    ) -> Result<(Recovered, bool), RecoveryError> {
        let partition = self.id;
        let store_error = |source| RecoveryError::Store { partition, source };
        self.pending = PendingEvents::default();
        self.channels = Channels::default();
        let mut at = (0, Hash::NONE);
        if let Some(point) = reader.checkpoint(partition).map_err(store_error)? {
            let meta = Meta::from_bytes(&point.meta).map_err(|source| RecoveryError::Record {
                partition,
                seq: point.seq,
                source,
            })?;
            if meta.partitions != self.settings.partitions {
                return Err(RecoveryError::Partitions {
                    stored: meta.partitions,
                    wanted: self.settings.partitions,
                });
            }
            at = (point.seq, point.hash);
            self.channels = meta.channels;
            self.account_max = self.account_max.max(meta.account_max);
        }
        let mut found = Recovered {
            checkpoint: at.0,
            ..Recovered::default()
        };
        let mut foreign = false;
        loop {
            let rows = journal
                .read(partition, at.0 + 1, JOURNAL_READ_BYTES)
                .map_err(store_error)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if row.seq != at.0 + 1 {
                    return Err(RecoveryError::Gap {
                        partition,
                        expected: at.0 + 1,
                        found: row.seq,
                    });
                }
                found.bytes += row.batch.len() as u64;
                let hash = self.replay_batch(row.seq, &Arc::new(row.batch), &at.1, &mut found)?;
                at = (row.seq, hash);
                foreign |= if at.0 == known.0 {
                    hash != known.1 && known.1 != Hash::NONE
                } else {
                    false
                };
                foreign |= at.0 > known.0 && known.0 > 0 && !ours.contains(&hash);
            }
            if self.pending.bytes > self.settings.tail_bytes_of_one() {
                self.settle_pending(reader)?;
            }
        }
        if found.checkpoint > 0 && at.0 == found.checkpoint {
            self.check_not_ahead(journal, at)?;
        }
        found.seq = at.0;
        self.durable = at;
        Ok((found, foreign))
    }

    /// With nothing behind the checkpoint, the journal must at least hold the checkpoint's own batch.
    fn check_not_ahead(&self, journal: &mut dyn JournalReader, at: (Seq, Hash)) -> Result<(), RecoveryError> {
        let partition = self.id;
        let heads = journal
            .heads()
            .map_err(|source| RecoveryError::Store { partition, source })?;
        let head = heads.iter().find(|head| head.partition == partition);
        match head {
            Some(head) if head.seq == at.0 && head.hash == at.1 => Ok(()),
            head => Err(RecoveryError::SnapshotAhead {
                partition,
                checkpoint: at.0,
                journal: head.map_or(0, |head| head.seq),
            }),
        }
    }

    fn replay_batch(
        &mut self,
        seq: Seq,
        bytes: &Arc<Vec<u8>>,
        previous: &Hash,
        found: &mut Recovered,
    ) -> Result<Hash, RecoveryError> {
        let partition = self.id;
        let batch_error = |source| RecoveryError::Batch {
            partition,
            seq,
            source,
        };
        let record_error = |source| RecoveryError::Record {
            partition,
            seq,
            source,
        };
        let batch = Batch::parse(bytes).map_err(batch_error)?;
        batch.verify(partition, seq, previous).map_err(batch_error)?;
        let base = bytes.as_ptr() as usize;
        for record in batch.records() {
            match record {
                Record::Event(event) => {
                    let key = EntityKey::decode(&mut Reader::new(event)).map_err(record_error)?;
                    if key.partition(self.settings.partitions) != partition {
                        return Err(RecoveryError::Misplaced { partition, seq });
                    }
                    if let EntityKey::Number(_) = key {
                        let event = Event::from_bytes(event).map_err(record_error)?;
                        self.account_max = self.account_max.max(account_of(&event));
                    }
                    found.events += 1;
                    if self.entities.find(key).is_some() {
                        continue;
                    }
                    self.pending.bytes += event.len() + size_of::<PendingEvent>();
                    self.pending.events.entry(key).or_default().push(PendingEvent {
                        batch: Arc::clone(bytes),
                        start: (event.as_ptr() as usize - base) as u32,
                        len: event.len() as u32,
                        seq,
                    });
                }
                Record::Sent { to, number, message } => {
                    let expected = self.channels.next_number(to);
                    if number != expected {
                        return Err(RecoveryError::Gap {
                            partition,
                            expected,
                            found: number,
                        });
                    }
                    let message = Message::from_bytes(message).map_err(record_error)?;
                    self.channels.push(to, message);
                }
                Record::Received { from, number } => self.channels.receive(from, number),
                Record::Acknowledged { to, up_to } => self.channels.replay_acknowledged(to, up_to),
            }
        }
        Ok(batch.hash())
    }

    /// Applies everything pending, in key order, so that a long tail does not fill the memory.
    fn settle_pending(&mut self, reader: &mut dyn SnapshotReader) -> Result<(), RecoveryError> {
        let mut keys: Vec<EntityKey> = self.pending.keys().collect();
        keys.sort_unstable();
        for key in keys {
            if self.load(key, reader).is_err() {
                tracing::error!(
                    partition = self.id,
                    ?key,
                    "an entity of the tail cannot be read; it stays closed"
                );
            }
        }
        Ok(())
    }

    /// Finds an entity in memory, or brings it there: its snapshot, then what the tail adds. `None`: it does not exist.
    pub(crate) fn load(
        &mut self,
        key: EntityKey,
        reader: &mut dyn SnapshotReader,
    ) -> Result<Option<SlotId>, Unavailable> {
        if let Some(id) = self.entities.find(key) {
            self.entities.touch(id);
            return Ok(Some(id));
        }
        let row = reader.get(self.id, &key.to_key_bytes()).map_err(|error| {
            tracing::error!(partition = self.id, ?key, %error, "cannot read an entity");
            Unavailable::NotLoaded
        })?;
        self.looked.0 += 1;
        self.looked.1 += u64::from(row.is_none());
        let (mut entity, mut seq) = (None, 0);
        if let Some(row) = row {
            entity = Some(decode_entity(&row.bytes).map_err(|error| {
                tracing::error!(partition = self.id, ?key, %error, "the snapshot of an entity is damaged");
                Unavailable::NotLoaded
            })?);
            seq = row.seq;
        }
        let mut dirty = false;
        if !self.pending.is_empty()
            && let Some(pending) = self.pending.events.get(&key)
        {
            for event in pending.iter().filter(|event| event.seq > seq) {
                apply_pending(&mut entity, event).map_err(|error| {
                    tracing::error!(partition = self.id, ?key, %error, "an event of the tail is damaged");
                    Unavailable::NotLoaded
                })?;
                dirty = true;
            }
            if let Some(newest) = pending.last() {
                seq = seq.max(newest.seq);
            }
            let bytes: usize = pending
                .iter()
                .map(|e| e.len as usize + size_of::<PendingEvent>())
                .sum();
            self.pending.bytes -= bytes;
            self.pending.events.remove(&key);
        }
        let Some(entity) = entity else { return Ok(None) };
        let id = self.entities.insert(key, Some(entity), seq);
        if dirty {
            self.entities.slot_mut(id).dirty = true;
            self.dirty.push(id);
        }
        if let EntityKey::Account(_) | EntityKey::Auto(_) | EntityKey::CardBatch(_) = key {
            self.timers.update(&mut self.entities, id);
        }
        Ok(Some(id))
    }
}

/// Decodes an entity of a snapshot row.
///
/// # Errors
/// [`CodecError`] for bytes that no version has written.
pub(crate) fn decode_entity(bytes: &[u8]) -> Result<Entity, CodecError> {
    if bytes.len() > ENTITY_BYTES_MAX {
        return Err(CodecError::Invalid("entity size"));
    }
    Entity::from_bytes(bytes)
}

fn apply_pending(entity: &mut Option<Entity>, event: &PendingEvent) -> Result<(), CodecError> {
    let (start, end) = (event.start as usize, event.start as usize + event.len as usize);
    let bytes = event.batch.get(start..end).ok_or(CodecError::Truncated)?;
    let event = Event::from_bytes(bytes)?;
    let apply = AssertUnwindSafe(|| charge::apply(entity, &event));
    catch_unwind(apply).map_err(|_| CodecError::Invalid("event for this entity"))
}
