//! Messages between partitions: numbered per ordered pair, kept until confirmed, dropped when seen before (decision 0006).

use super::Outbox;
use crate::limits::MESSAGE_WINDOW;
use charge::codec::{Codec, CodecError, Reader, put_varint};
use charge::command::Message;
use std::collections::{BTreeMap, VecDeque};
use store::Partition as PartitionId;

/// A message on its way to another partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Sender.
    pub from: PartitionId,
    /// Receiver.
    pub to: PartitionId,
    /// Its number from `from` to `to`.
    pub number: u64,
    /// What it says.
    pub message: Message,
}

/// A receiver has durably applied a sender's messages up to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who sent the messages.
    pub sender: PartitionId,
    /// Who has applied them.
    pub receiver: PartitionId,
    /// Up to this number.
    pub up_to: u64,
}

/// The last message numbers of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageNumbers {
    /// Per receiver, the last number sent.
    pub sent: Vec<(PartitionId, u64)>,
    /// Per sender, the last number applied.
    pub received: Vec<(PartitionId, u64)>,
}

/// What a partition knows about its messages. Everything but the transport positions follows from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channels {
    outgoing: BTreeMap<PartitionId, Outgoing>,
    incoming: BTreeMap<PartitionId, u64>,
    held: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outgoing {
    /// Confirmed by the receiver up to here.
    acknowledged: u64,
    /// That position as last journalled.
    acknowledged_journalled: u64,
    /// Durable here up to this number.
    durable: u64,
    /// Handed to the transport up to this number.
    sent: u64,
    /// `acknowledged` at the last look for stalled messages.
    progress: u64,
    /// Numbers `acknowledged + 1 ..`.
    queue: VecDeque<Message>,
}

impl Outgoing {
    fn last(&self) -> u64 {
        self.acknowledged + self.queue.len() as u64
    }
}

impl Channels {
    /// Messages held because nobody confirmed them yet.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes a message; answers its number.
    pub fn push(&mut self, to: PartitionId, message: Message) -> u64 {
        let channel = self.outgoing.entry(to).or_default();
        channel.queue.push_back(message);
        self.held += 1;
        channel.last()
    }

    /// The number that the next message to `to` gets.
    pub fn next_number(&self, to: PartitionId) -> u64 {
        self.outgoing.get(&to).map_or(0, Outgoing::last) + 1
    }

    /// The last number applied from a sender.
    pub fn received(&self, from: PartitionId) -> u64 {
        self.incoming.get(&from).copied().unwrap_or(0)
    }

    /// Notes that a message was applied.
    pub fn receive(&mut self, from: PartitionId, number: u64) {
        self.incoming.insert(from, number);
    }

    /// Messages to `to` up to `number` are durable: they may leave.
    pub fn durable(&mut self, own: PartitionId, to: PartitionId, number: u64, out: &mut Outbox) {
        if let Some(channel) = self.outgoing.get_mut(&to) {
            channel.durable = channel.durable.max(number);
            pump(channel, own, to, out);
        }
    }

    /// The receiver confirmed.
    pub fn acknowledge(&mut self, own: PartitionId, to: PartitionId, up_to: u64, out: &mut Outbox) {
        if let Some(channel) = self.outgoing.get_mut(&to) {
            self.held -= trim(channel, up_to);
            pump(channel, own, to, out);
        }
    }

    /// Sends again what was sent and saw no progress since the last call.
    pub fn resend(&mut self, own: PartitionId, out: &mut Outbox) {
        for (to, channel) in &mut self.outgoing {
            if channel.sent > channel.acknowledged && channel.progress == channel.acknowledged {
                channel.sent = channel.acknowledged;
            }
            channel.progress = channel.acknowledged;
            pump(channel, own, *to, out);
        }
    }

    /// Confirmations that the journal does not know yet.
    pub fn take_acknowledged(&mut self, mut journal: impl FnMut(PartitionId, u64)) {
        for (to, channel) in &mut self.outgoing {
            if channel.acknowledged > channel.acknowledged_journalled {
                channel.acknowledged_journalled = channel.acknowledged;
                journal(*to, channel.acknowledged);
            }
        }
    }

    /// Whether anything waits for a confirmation.
    pub fn waiting(&self) -> bool {
        self.held > 0
    }

    /// Replays a journalled confirmation.
    pub fn replay_acknowledged(&mut self, to: PartitionId, up_to: u64) {
        if let Some(channel) = self.outgoing.get_mut(&to) {
            self.held -= trim(channel, up_to);
            channel.acknowledged_journalled = channel.acknowledged;
        }
    }

    /// After a recovery: everything held is durable and nothing was handed to the transport.
    pub fn recovered(&mut self) {
        for channel in self.outgoing.values_mut() {
            channel.durable = channel.last();
            channel.sent = channel.acknowledged;
            channel.progress = channel.acknowledged;
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.outgoing.len() as u64);
        for (to, channel) in &self.outgoing {
            to.encode(out);
            channel.acknowledged.encode(out);
            put_varint(out, channel.queue.len() as u64);
            channel.queue.iter().for_each(|message| message.encode(out));
        }
        put_varint(out, self.incoming.len() as u64);
        for (from, number) in &self.incoming {
            from.encode(out);
            number.encode(out);
        }
    }

    pub fn decode(input: &mut Reader<'_>) -> Result<Channels, CodecError> {
        let mut channels = Channels::default();
        for _ in 0..input.varint()? {
            let to = PartitionId::decode(input)?;
            let acknowledged = u64::decode(input)?;
            let queue = VecDeque::<Message>::decode(input)?;
            channels.held += queue.len();
            let channel = Outgoing {
                acknowledged,
                acknowledged_journalled: acknowledged,
                queue,
                ..Outgoing::default()
            };
            channels.outgoing.insert(to, channel);
        }
        for _ in 0..input.varint()? {
            let from = PartitionId::decode(input)?;
            channels.incoming.insert(from, u64::decode(input)?);
        }
        Ok(channels)
    }

    /// Per receiver: confirmed up to, and the messages behind that.
    pub fn outgoing(&self) -> impl Iterator<Item = (PartitionId, u64, &VecDeque<Message>)> {
        let channels = self.outgoing.iter();
        channels.map(|(to, channel)| (*to, channel.acknowledged, &channel.queue))
    }

    /// What replay must reproduce: per receiver the last number, per sender the last applied number.
    pub fn numbers(&self) -> MessageNumbers {
        let sent = self.outgoing.iter().map(|(to, channel)| (*to, channel.last()));
        let received = self.incoming.iter().map(|(from, number)| (*from, *number));
        MessageNumbers {
            sent: sent.collect(),
            received: received.collect(),
        }
    }
}

fn trim(channel: &mut Outgoing, up_to: u64) -> usize {
    // A confirmation never runs ahead of what was sent; a wrong one must not lose messages.
    let up_to = up_to.min(channel.last());
    let count = usize::try_from(up_to.saturating_sub(channel.acknowledged)).unwrap_or(0);
    channel.queue.drain(..count);
    channel.acknowledged += count as u64;
    channel.sent = channel.sent.max(channel.acknowledged);
    count
}

fn pump(channel: &mut Outgoing, own: PartitionId, to: PartitionId, out: &mut Outbox) {
    let until = channel.durable.min(channel.acknowledged + MESSAGE_WINDOW);
    while channel.sent < until {
        let index = usize::try_from(channel.sent - channel.acknowledged).unwrap_or(usize::MAX);
        let Some(message) = channel.queue.get(index) else {
            break;
        };
        channel.sent += 1;
        out.deliveries.push(Delivery {
            from: own,
            to,
            number: channel.sent,
            message: message.clone(),
        });
    }
}

/// Largest numbers that one batch journals, to be acted on when it is durable.
#[derive(Debug, Default)]
pub(crate) struct BatchNumbers {
    pub sent: Vec<(PartitionId, u64)>,
    pub received: Vec<(PartitionId, u64)>,
}

impl BatchNumbers {
    pub fn raise(list: &mut Vec<(PartitionId, u64)>, partition: PartitionId, number: u64) {
        match list.iter_mut().find(|(other, _)| *other == partition) {
            Some((_, highest)) => *highest = number,
            None => list.push((partition, number)),
        }
    }
}
