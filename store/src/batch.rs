//! The journal batch: its bytes, the builder that writes them without allocating per record, and the borrowed reader.
//!
//! Format 1, all integers little-endian:
//!
//! ```text
//!   0  4  magic "RSDJ"            28  4  length of the body
//!   4  2  format (1)              32 32  hash of the partition's previous batch, zero for the first
//!   6  2  partition               64  4  CRC-32 of bytes 0..64 and the body
//!   8  8  seq, from 1             68 32  SHA-256 of bytes 0..68 and the body: the link of the chain
//!  16  8  time, µs since 1970    100  .. body: records of kind (1), length (3), payload
//!  24  4  number of records
//! ```
//!
//! The checksum finds accidents and is checked on every read; the hash finds changes and is checked by an audit.

use crate::traits::{Micros, Partition, Seq};
use sha2::{Digest, Sha256};
use std::fmt;

/// Format that this version writes, and the newest that it reads.
pub const FORMAT: u16 = 1;
/// Bytes before the records.
pub const HEADER_LEN: usize = 100;
/// Longest payload of one record.
pub const RECORD_LEN_MAX: usize = 0x00ff_ffff;
/// Longest batch, header included.
pub const BATCH_LEN_MAX: usize = 64 * 1024 * 1024;
/// Most records in a batch.
pub const RECORDS_MAX: usize = 1 << 20;

const MAGIC: [u8; 4] = *b"RSDJ";
const RECORD_HEAD: usize = 4;
const CRC_AT: usize = 64;
const HASH_AT: usize = 68;

const KIND_EVENT: u8 = 1;
const KIND_SENT: u8 = 2;
const KIND_RECEIVED: u8 = 3;
const KIND_ACKNOWLEDGED: u8 = 4;

/// SHA-256 of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first batch of a partition carries as its previous hash.
    pub const NONE: Hash = Hash([0; 32]);
}

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A charge event, encoded by `charge`.
    Event(&'a [u8]),
    /// A message to another partition left: it is due there until acknowledged.
    Sent {
        /// Receiver.
        to: Partition,
        /// Number of the message from this partition to that one, from 1, without gaps.
        number: u64,
        /// The encoded message.
        message: &'a [u8],
    },
    /// A message of another partition was applied here; its events are in this batch.
    Received {
        /// Sender.
        from: Partition,
        /// Its number.
        number: u64,
    },
    /// Another partition has durably applied our messages up to and including this number.
    Acknowledged {
        /// Receiver.
        to: Partition,
        /// Last applied number.
        up_to: u64,
    },
}

/// Writes batches into one buffer that is used again and again.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    buffer: Vec<u8>,
    records: u32,
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        let mut builder = Self::default();
        builder.clear();
        builder
    }

    /// Drops the records that were added since the last `finish`.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEADER_LEN, 0);
        self.records = 0;
    }

    /// Number of records so far.
    pub fn records(&self) -> usize {
        self.records as usize
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes so far, header included.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Adds a charge event that is already encoded.
    pub fn event(&mut self, bytes: &[u8]) -> Result<(), BatchError> {
        self.record(KIND_EVENT, |buffer| buffer.extend_from_slice(bytes))
    }

    /// Adds a charge event that `encode` appends to the buffer (it must only append): no copy, no allocation.
    pub fn event_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), BatchError> {
        self.record(KIND_EVENT, encode)
    }

    /// Adds any record.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), BatchError> {
        match record {
            Record::Event(bytes) => self.event(bytes),
            Record::Sent { to, number, message } => self.record(KIND_SENT, |buffer| {
                buffer.extend_from_slice(&to.to_le_bytes());
                buffer.extend_from_slice(&number.to_le_bytes());
                buffer.extend_from_slice(message);
            }),
            Record::Received { from, number } => self.numbered(KIND_RECEIVED, from, number),
            Record::Acknowledged { to, up_to } => self.numbered(KIND_ACKNOWLEDGED, to, up_to),
        }
    }

    /// Writes the header and hands the batch out; the builder starts anew in `spare`, so that buffers can go round.
    pub fn finish(
        &mut self,
        partition: Partition,
        seq: Seq,
        time: Micros,
        previous: &Hash,
        spare: Vec<u8>,
    ) -> (Vec<u8>, Hash) {
        let body_len = (self.buffer.len() - HEADER_LEN) as u32;
        let (header, body) = self.buffer.split_at_mut(HEADER_LEN);
        header[0..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&FORMAT.to_le_bytes());
        header[6..8].copy_from_slice(&partition.to_le_bytes());
        header[8..16].copy_from_slice(&seq.to_le_bytes());
        header[16..24].copy_from_slice(&time.to_le_bytes());
        header[24..28].copy_from_slice(&self.records.to_le_bytes());
        header[28..32].copy_from_slice(&body_len.to_le_bytes());
        header[32..64].copy_from_slice(&previous.0);
        let crc = checksum(&header[..CRC_AT], body);
        header[CRC_AT..HASH_AT].copy_from_slice(&crc.to_le_bytes());
        let hash = link(&header[..HASH_AT], body);
        header[HASH_AT..].copy_from_slice(&hash.0);
        let done = std::mem::replace(&mut self.buffer, spare);
        self.clear();
        (done, hash)
    }

    fn numbered(&mut self, kind: u8, partition: Partition, number: u64) -> Result<(), BatchError> {
        self.record(kind, |buffer| {
            buffer.extend_from_slice(&partition.to_le_bytes());
            buffer.extend_from_slice(&number.to_le_bytes());
        })
    }

    #[inline]
    fn record(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), BatchError> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; RECORD_HEAD]);
        write(&mut self.buffer);
        let len = self.buffer.len().saturating_sub(start + RECORD_HEAD);
        if len > RECORD_LEN_MAX || self.buffer.len() > BATCH_LEN_MAX || self.records as usize >= RECORDS_MAX {
            self.buffer.truncate(start);
            return Err(BatchError::TooLarge);
        }
        let head = u32::from(kind) | ((len as u32) << 8);
        self.buffer[start..start + RECORD_HEAD].copy_from_slice(&head.to_le_bytes());
        self.records += 1;
        Ok(())
    }
}

/// A batch as it lies in the journal, borrowed; its checksum and its structure have been verified.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Checks limits, checksum and record boundaries. Never panics; work is linear in the length of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        if bytes.len() < HEADER_LEN {
            return Err(BatchError::Torn {
                len: bytes.len(),
                expected: HEADER_LEN,
            });
        }
        if bytes[..4] != MAGIC {
            return Err(BatchError::NotABatch);
        }
        let batch = Batch { bytes };
        if batch.format() != FORMAT {
            return Err(BatchError::UnknownFormat {
                found: batch.format(),
            });
        }
        let expected = HEADER_LEN.saturating_add(batch.u32_at(28) as usize);
        if expected > BATCH_LEN_MAX || batch.records_len() > RECORDS_MAX {
            return Err(BatchError::TooLarge);
        }
        if bytes.len() != expected {
            return Err(BatchError::Torn {
                len: bytes.len(),
                expected,
            });
        }
        if checksum(&bytes[..CRC_AT], batch.body()) != batch.u32_at(CRC_AT) {
            return Err(BatchError::Checksum);
        }
        batch.check_records()?;
        Ok(batch)
    }

    /// Recomputes the hash and compares it, and the link to the previous batch and the position with what is expected.
    pub fn verify(&self, partition: Partition, seq: Seq, previous: &Hash) -> Result<(), BatchError> {
        if self.partition() != partition || self.seq() != seq {
            return Err(BatchError::Misplaced {
                partition: self.partition(),
                seq: self.seq(),
            });
        }
        if self.previous() != *previous {
            return Err(BatchError::Chain);
        }
        if link(&self.bytes[..HASH_AT], self.body()) != self.hash() {
            return Err(BatchError::Hash);
        }
        Ok(())
    }

    /// The records in order.
    pub fn records(&self) -> Records<'a> {
        Records { rest: self.body() }
    }

    /// Number of records.
    pub fn records_len(&self) -> usize {
        self.u32_at(24) as usize
    }

    /// Format of the bytes.
    pub fn format(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }

    /// Partition.
    pub fn partition(&self) -> Partition {
        u16::from_le_bytes([self.bytes[6], self.bytes[7]])
    }

    /// Position in the partition.
    pub fn seq(&self) -> Seq {
        u64::from_le_bytes(array(self.bytes, 8))
    }

    /// Time that the engine gave the batch.
    pub fn time(&self) -> Micros {
        i64::from_le_bytes(array(self.bytes, 16))
    }

    /// Hash of the batch before.
    pub fn previous(&self) -> Hash {
        Hash(array(self.bytes, 32))
    }

    /// Hash of this batch as stored (see [`Batch::verify`]).
    pub fn hash(&self) -> Hash {
        Hash(array(self.bytes, HASH_AT))
    }

    fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(array(self.bytes, at))
    }

    fn check_records(&self) -> Result<(), BatchError> {
        let mut rest = self.body();
        let mut count = 0usize;
        while !rest.is_empty() {
            let (_, after) = split_record(rest)?;
            rest = after;
            count += 1;
        }
        if count != self.records_len() {
            return Err(BatchError::Malformed("number of records"));
        }
        Ok(())
    }
}

/// Iterates over the records of a parsed batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // `Batch::parse` has walked these bytes, so the error cannot occur; ending is the harmless answer.
        let (record, rest) = split_record(self.rest).ok()?;
        self.rest = rest;
        Some(record)
    }
}

/// The hash in a stored batch's header, without checking anything but the length and the magic.
pub fn peek_hash(bytes: &[u8]) -> Option<Hash> {
    (bytes.len() >= HEADER_LEN && bytes[..4] == MAGIC).then(|| Hash(array(bytes, HASH_AT)))
}

/// What is wrong with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes do not start with the magic.
    #[error("not a journal batch")]
    NotABatch,
    /// Written by a newer version.
    #[error("journal format {found} is unknown; this version reads up to {FORMAT}")]
    UnknownFormat {
        /// Format in the header.
        found: u16,
    },
    /// A record kind that the format does not have.
    #[error("record kind {kind} is unknown in journal format {FORMAT}")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
    /// Shorter or longer than its header says.
    #[error("torn batch: {len} bytes where {expected} are expected")]
    Torn {
        /// Bytes that are there.
        len: usize,
        /// Bytes that should be.
        expected: usize,
    },
    /// The checksum does not fit.
    #[error("the checksum does not fit the bytes")]
    Checksum,
    /// The hash does not fit.
    #[error("the hash does not fit the bytes")]
    Hash,
    /// The previous hash is not that of the batch before.
    #[error("the batch does not continue the chain")]
    Chain,
    /// The header names another place.
    #[error("the batch says that it is number {seq} of partition {partition}")]
    Misplaced {
        /// Partition in the header.
        partition: Partition,
        /// Position in the header.
        seq: Seq,
    },
    /// A limit of this module is passed.
    #[error("batch or record too large")]
    TooLarge,
    /// A record does not add up.
    #[error("malformed record: {0}")]
    Malformed(&'static str),
}

fn split_record(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), BatchError> {
    let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEAD>() else {
        return Err(BatchError::Malformed("record head"));
    };
    let word = u32::from_le_bytes(*head);
    let (kind, len) = ((word & 0xff) as u8, (word >> 8) as usize);
    let Some((payload, rest)) = rest.split_at_checked(len) else {
        return Err(BatchError::Malformed("record length"));
    };
    let record = match kind {
        KIND_EVENT => Record::Event(payload),
        KIND_SENT => {
            let (to, number, message) = split_number(payload)?;
            Record::Sent { to, number, message }
        }
        KIND_RECEIVED => {
            let (from, number) = only_number(payload)?;
            Record::Received { from, number }
        }
        KIND_ACKNOWLEDGED => {
            let (to, up_to) = only_number(payload)?;
            Record::Acknowledged { to, up_to }
        }
        kind => return Err(BatchError::UnknownKind { kind }),
    };
    Ok((record, rest))
}

fn split_number(payload: &[u8]) -> Result<(Partition, u64, &[u8]), BatchError> {
    let Some((head, rest)) = payload.split_first_chunk::<10>() else {
        return Err(BatchError::Malformed("message number"));
    };
    Ok((
        u16::from_le_bytes([head[0], head[1]]),
        u64::from_le_bytes(array(head, 2)),
        rest,
    ))
}

fn only_number(payload: &[u8]) -> Result<(Partition, u64), BatchError> {
    match split_number(payload)? {
        (partition, number, []) => Ok((partition, number)),
        _ => Err(BatchError::Malformed("bytes behind a message number")),
    }
}

/// `N` bytes at `at`; the caller has checked the length.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header);
    crc.update(body);
    crc.finalize()
}

fn link(header: &[u8], body: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(header);
    sha.update(body);
    Hash(sha.finalize().into())
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}
