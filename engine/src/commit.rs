//! One commit of the writer: what has gathered goes into one transaction, and nobody's later batch overtakes a failed one.

use crate::partition::{PartitionId, SealedBatch};
use hashbrown::HashMap;
use store::{AppendError, Journal, JournalRow};

/// The memory of the writer: which lives of which partitions have failed.
#[derive(Debug, Default)]
pub struct Committer {
    failed: HashMap<PartitionId, u64>,
}

/// What became of a group of batches.
#[derive(Debug, Default)]
pub struct Committed {
    /// Durable batches.
    pub appended: Vec<JournalRow>,
    /// Commands with effects in them.
    pub commands: usize,
    /// Partitions, with the life of their memory, that have lost a batch: they must recover.
    pub lost: Vec<(PartitionId, u64)>,
    /// Why.
    pub error: Option<AppendError>,
}

impl Committer {
    /// Appends the batches in one transaction; `batches` is empty afterwards. Batches of a life that has failed before are
    /// dropped. A partition that another owner has written to is left out, and the others are tried again without it.
    pub fn commit(&mut self, journal: &mut dyn Journal, batches: &mut Vec<SealedBatch>) -> Committed {
        let mut done = Committed::default();
        let mut lives = Vec::with_capacity(batches.len());
        for batch in batches.drain(..) {
            if self
                .failed
                .get(&batch.partition)
                .is_some_and(|epoch| batch.epoch <= *epoch)
            {
                continue;
            }
            lives.push((batch.partition, batch.epoch, batch.commands));
            done.appended.push(JournalRow {
                partition: batch.partition,
                seq: batch.seq,
                batch: batch.bytes,
            });
        }
        while !done.appended.is_empty() {
            let Err(error) = journal.append(&done.appended) else {
                break;
            };
            let fenced = match &error {
                AppendError::Fenced { partition, .. } => Some(*partition),
                _ => None,
            };
            let hit = |partition: PartitionId| fenced.is_none_or(|fenced| fenced == partition);
            let hit_lives = lives.iter().filter(|(partition, ..)| hit(*partition));
            done.lost
                .extend(hit_lives.map(|(partition, epoch, _)| (*partition, *epoch)));
            lives.retain(|(partition, ..)| !hit(*partition));
            done.appended.retain(|row| !hit(row.partition));
            done.error = Some(error);
        }
        done.lost.dedup();
        done.commands = lives.iter().map(|(.., commands)| commands).sum();
        self.failed.extend(done.lost.iter().copied());
        done
    }
}
