//! Every kind of event and message of earlier versions is read as it was.
//!
//! `golden/journal-2.bin` holds a batch for each of [`samples::all`], in that order, each behind its length (four bytes,
//! little-endian). It only grows: a new kind gets a sample at the end of the list, and
//! `RASEED_GOLDEN=append cargo test -p store --test golden_kinds` adds its batch. What is there is never written again.

mod common;
mod samples;

use charge::Event;
use charge::codec::Codec;
use charge::command::Message;
use common::START;
use samples::Sample;
use std::collections::BTreeSet;
use std::path::PathBuf;
use store::{Batch, BatchBuilder, Hash, Record};

/// The partition whose journal it is, and the one to which it sends.
const HERE: u16 = 1;
const THERE: u16 = 2;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal-2.bin")
}

/// The batches of a file.
fn split(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (batch, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        batches.push(batch.to_vec());
        rest = tail;
    }
    assert!(rest.is_empty(), "a torn golden journal");
    batches
}

/// The batches that today's program writes, a sample each.
fn written(samples: &[Sample]) -> Vec<Vec<u8>> {
    let mut builder = BatchBuilder::new();
    let (mut hash, mut sent, mut batches) = (Hash::NONE, 0, Vec::new());
    for (index, sample) in samples.iter().enumerate() {
        match sample {
            Sample::Event(event) => builder.event_with(|buffer| event.encode(buffer)).unwrap(),
            Sample::Message(message) => {
                sent += 1;
                let record = Record::Sent {
                    to: THERE,
                    number: sent,
                    message: &message.to_bytes(),
                };
                builder.push(record).unwrap();
            }
        }
        let seq = index as u64 + 1;
        let (batch, next) = builder.finish(HERE, seq, START + seq as i64, &hash, Vec::new());
        hash = next;
        batches.push(batch);
    }
    batches
}

fn golden() -> Vec<Vec<u8>> {
    split(&std::fs::read(path()).expect("the golden journal is part of the repository"))
}

#[test]
fn todays_bytes_are_the_golden_ones() {
    let today = written(&samples::all());
    if std::env::var("RASEED_GOLDEN").as_deref() == Ok("append") {
        let there = if path().exists() { golden() } else { Vec::new() };
        assert!(today.starts_with(&there), "what is there never changes");
        let lengths = today.iter().flat_map(|batch| {
            let length = (batch.len() as u32).to_le_bytes();
            length.into_iter().chain(batch.iter().copied())
        });
        std::fs::write(path(), lengths.collect::<Vec<u8>>()).unwrap();
    }
    let there = golden();
    for (index, (today, there)) in today.iter().zip(&there).enumerate() {
        assert!(
            today == there,
            "the bytes of sample {index} have changed, which makes yesterday's journals unreadable: {:?}",
            samples::all()[index]
        );
    }
    assert_eq!(today.len(), there.len(), "see the top of tests/golden_kinds.rs");
}

#[test]
fn every_golden_event_and_message_is_read_as_it_was() {
    let (mut hash, mut sent, mut seen) = (Hash::NONE, 0, Vec::new());
    for (index, bytes) in golden().iter().enumerate() {
        let batch = Batch::parse(bytes).unwrap();
        batch.verify(HERE, index as u64 + 1, &hash).unwrap();
        hash = batch.hash();
        let records: Vec<Record> = batch.records().collect();
        seen.push(match records[..] {
            [Record::Event(bytes)] => {
                let event = Event::from_bytes(bytes).unwrap_or_else(|error| panic!("{index}: {error}"));
                assert_eq!(event.to_bytes(), bytes);
                Sample::Event(event)
            }
            [Record::Sent { to, number, message }] => {
                sent += 1;
                assert_eq!((to, number), (THERE, sent));
                let read = Message::from_bytes(message).unwrap_or_else(|error| panic!("{index}: {error}"));
                assert_eq!(read.to_bytes(), message);
                Sample::Message(read)
            }
            _ => panic!("{index}: {records:?}"),
        });
    }
    let expected = samples::all();
    assert_eq!(seen.len(), expected.len(), "see the top of tests/golden_kinds.rs");
    for (index, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
        assert_eq!(seen, expected, "sample {index}");
    }
}

/// A variant without a name here does not compile; a name without a sample fails.
#[test]
fn every_kind_has_a_sample() {
    let samples = samples::all();
    let (mut kinds, mut every) = (BTreeSet::new(), BTreeSet::new());
    for sample in &samples {
        kinds.extend(samples::kinds::of(sample));
    }
    every.extend(samples::kinds::every());
    let missing: Vec<_> = every.difference(&kinds).collect();
    assert!(missing.is_empty(), "no sample of {missing:?} in tests/samples");
}
