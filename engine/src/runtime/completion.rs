//! The registry of completion sinks, and the grouping of a batch's answers by sink.

use super::CompletionSink;
use crate::partition::Completion;
use parking_lot::RwLock;
use std::sync::Arc;

/// A registered completion sink. Ids of removed sinks are not mistaken for later ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SinkId {
    index: u32,
    generation: u32,
}

#[derive(Default)]
pub(crate) struct Sinks {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

struct Entry {
    generation: u32,
    sink: Option<Arc<dyn CompletionSink>>,
}

impl Sinks {
    pub fn add(&self, sink: Arc<dyn CompletionSink>) -> SinkId {
        let mut table = self.table.write();
        if let Some(index) = table.free.pop() {
            let entry = &mut table.entries[index as usize];
            entry.sink = Some(sink);
            return SinkId {
                index,
                generation: entry.generation,
            };
        }
        let index = u32::try_from(table.entries.len()).unwrap_or(u32::MAX);
        table.entries.push(Entry {
            generation: 1,
            sink: Some(sink),
        });
        SinkId { index, generation: 1 }
    }

    pub fn remove(&self, id: SinkId) {
        let mut table = self.table.write();
        if let Some(entry) = table.entries.get_mut(id.index as usize)
            && entry.generation == id.generation
        {
            entry.sink = None;
            entry.generation = entry.generation.wrapping_add(1);
            table.free.push(id.index);
        }
    }

    fn get(&self, id: SinkId) -> Option<Arc<dyn CompletionSink>> {
        let table = self.table.read();
        let entry = table.entries.get(id.index as usize)?;
        entry.sink.clone().filter(|_| entry.generation == id.generation)
    }

    /// Gives every sink its answers in one call; `completions` is empty afterwards.
    pub fn deliver(&self, completions: &mut Vec<Completion>, buffer: &mut Answers) {
        if completions
            .windows(2)
            .any(|pair| pair[0].ticket.sink > pair[1].ticket.sink)
        {
            completions.sort_by_key(|completion| completion.ticket.sink);
        }
        let mut rest = completions.drain(..).peekable();
        while let Some(first) = rest.next() {
            let sink = first.ticket.sink;
            buffer.push((first.ticket.id, first.result));
            while let Some(next) = rest.next_if(|completion| completion.ticket.sink == sink) {
                buffer.push((next.ticket.id, next.result));
            }
            if let Some(sink) = self.get(sink) {
                sink.complete(buffer);
            }
            buffer.clear();
        }
    }
}

pub(crate) type Answers = Vec<(u64, Result<charge::Reply, crate::EngineError>)>;
