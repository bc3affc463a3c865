//! The rules: what a command does to the entities it names. Pure: nothing is changed here.

use crate::command::Message;
use crate::event::Event;
use crate::ids::{Entity, EntityKey};
use crate::reply::Reply;
use smallvec::SmallVec;

/// The entities that a command may look at, as its partition holds them. Those of [`crate::Command::reads`] are loaded.
pub trait View {
    /// The entity of a key; `None` when it does not exist.
    fn get(&self, key: EntityKey) -> Option<&Entity>;
}

/// What a command decided: events to journal and apply in order, messages to other partitions, the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happened; empty when the command was a repetition or a question.
    pub events: SmallVec<[Event; 1]>,
    /// What other partitions must do.
    pub messages: SmallVec<[Message; 1]>,
    /// The answer, to be given once the events are durable.
    pub reply: Reply,
}

impl Decision {
    /// An answer that changes nothing.
    pub fn answer(reply: Reply) -> Decision {
        Decision {
            events: SmallVec::new(),
            messages: SmallVec::new(),
            reply,
        }
    }
}
