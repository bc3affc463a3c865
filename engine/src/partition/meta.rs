//! What a checkpoint keeps per partition beside the entities: message numbers and the highest account id.

use super::channels::Channels;
use charge::codec::{Codec, CodecError, Reader};

const FORMAT: u8 = 1;

/// The state of a partition that is not in its entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Partitions of the data directory.
    pub partitions: u16,
    /// Highest account id in the directory.
    pub account_max: u64,
    /// Message numbers and unconfirmed messages.
    pub channels: Channels,
}

impl Codec for Meta {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        self.partitions.encode(out);
        self.account_max.encode(out);
        self.channels.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Meta, CodecError> {
        if input.take(1)?[0] != FORMAT {
            return Err(CodecError::Invalid("format of a checkpoint"));
        }
        Ok(Meta {
            partitions: Codec::decode(input)?,
            account_max: Codec::decode(input)?,
            channels: Channels::decode(input)?,
        })
    }
}
