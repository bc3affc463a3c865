//! The batch codec: what is written is read, damage is found, no bytes make it panic.

use proptest::prelude::*;
use store::batch::{HEADER_LEN, RECORD_LEN_MAX};
use store::{Batch, BatchBuilder, BatchError, Hash, Record};

#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Event(Vec<u8>),
    Sent(u16, u64, Vec<u8>),
    Received(u16, u64),
    Acknowledged(u16, u64),
}

impl Owned {
    fn borrow(&self) -> Record<'_> {
        match self {
            Owned::Event(bytes) => Record::Event(bytes),
            Owned::Sent(to, number, message) => Record::Sent {
                to: *to,
                number: *number,
                message,
            },
            Owned::Received(from, number) => Record::Received {
                from: *from,
                number: *number,
            },
            Owned::Acknowledged(to, up_to) => Record::Acknowledged {
                to: *to,
                up_to: *up_to,
            },
        }
    }
}

fn record() -> impl Strategy<Value = Owned> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        4 => bytes().prop_map(Owned::Event),
        1 => (any::<u16>(), any::<u64>(), bytes()).prop_map(|(to, n, m)| Owned::Sent(to, n, m)),
        1 => (any::<u16>(), any::<u64>()).prop_map(|(from, n)| Owned::Received(from, n)),
        1 => (any::<u16>(), any::<u64>()).prop_map(|(to, n)| Owned::Acknowledged(to, n)),
    ]
}

fn build(records: &[Owned], place: (u16, u64, i64), previous: &Hash) -> (Vec<u8>, Hash) {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(record.borrow()).unwrap();
    }
    builder.finish(place.0, place.1, place.2, previous, Vec::new())
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        records in prop::collection::vec(record(), 0..40),
        place in any::<(u16, u64, i64)>(),
        previous in any::<[u8; 32]>(),
    ) {
        let previous = Hash(previous);
        let (bytes, hash) = build(&records, place, &previous);
        let batch = Batch::parse(&bytes).unwrap();
        prop_assert_eq!((batch.partition(), batch.seq(), batch.time()), place);
        prop_assert_eq!((batch.previous(), batch.hash()), (previous, hash));
        prop_assert_eq!(batch.records_len(), records.len());
        prop_assert_eq!(batch.records().collect::<Vec<_>>(), records.iter().map(Owned::borrow).collect::<Vec<_>>());
        prop_assert_eq!(batch.verify(place.0, place.1, &previous), Ok(()));
    }

    #[test]
    fn any_changed_bit_is_found(
        records in prop::collection::vec(record(), 0..10),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let (mut bytes, _) = build(&records, (1, 2, 3), &Hash::NONE);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let found = Batch::parse(&bytes).and_then(|batch| batch.verify(1, 2, &Hash::NONE));
        prop_assert!(found.is_err());
        if !(68..HEADER_LEN).contains(&at) {
            prop_assert!(Batch::parse(&bytes).is_err(), "all but the hash itself is under the checksum");
        }
    }

    #[test]
    fn a_torn_batch_is_refused(records in prop::collection::vec(record(), 0..10), cut in any::<prop::sample::Index>()) {
        let (bytes, _) = build(&records, (1, 2, 3), &Hash::NONE);
        let torn = &bytes[..cut.index(bytes.len())];
        let found = matches!(Batch::parse(torn), Err(BatchError::Torn { .. }));
        prop_assert!(found);
    }

    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Batch::parse(&bytes).is_err());
    }

    /// Behind a right checksum the structure is still not trusted.
    #[test]
    fn any_body_is_harmless(body in prop::collection::vec(any::<u8>(), 0..200), count in 0..5u32) {
        if let Ok(batch) = Batch::parse(&sealed(1, count, &body)) {
            prop_assert_eq!(batch.records().count(), count as usize);
        }
    }
}

/// A batch with a right checksum around any body.
fn sealed(format: u16, count: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = BatchBuilder::new().finish(1, 1, 1, &Hash::NONE, Vec::new()).0;
    bytes[4..6].copy_from_slice(&format.to_le_bytes());
    bytes[24..28].copy_from_slice(&count.to_le_bytes());
    bytes[28..32].copy_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..64]);
    crc.update(body);
    bytes[64..68].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes
}

#[test]
fn newer_things_are_named() {
    let text = |bytes: &[u8]| Batch::parse(bytes).unwrap_err().to_string();
    assert_eq!(
        text(&sealed(9, 0, &[])),
        "journal format 9 is unknown; this version reads up to 1"
    );
    assert_eq!(
        text(&sealed(1, 1, &[77, 0, 0, 0])),
        "record kind 77 is unknown in journal format 1"
    );
    assert_eq!(
        text(b"SQLite format 3"),
        "torn batch: 15 bytes where 100 are expected"
    );
    assert_eq!(text(&[0; 200]), "not a journal batch");
    assert_eq!(
        text(&sealed(1, 2, &[1, 0, 0, 0])),
        "malformed record: number of records"
    );
    assert_eq!(
        text(&sealed(1, 1, &[1, 9, 0, 0])),
        "malformed record: record length"
    );
    assert_eq!(
        text(&sealed(1, 1, &[3, 1, 0, 0, 5])),
        "malformed record: message number"
    );
}

#[test]
fn the_chain_and_the_place_are_checked() {
    let (first, first_hash) = build(&[Owned::Event(vec![1])], (5, 1, 0), &Hash::NONE);
    let (second, _) = build(&[Owned::Event(vec![2])], (5, 2, 0), &first_hash);
    let (first, second) = (Batch::parse(&first).unwrap(), Batch::parse(&second).unwrap());
    assert_eq!(first.verify(5, 1, &Hash::NONE), Ok(()));
    assert_eq!(second.verify(5, 2, &first.hash()), Ok(()));
    assert_eq!(second.verify(5, 2, &Hash::NONE), Err(BatchError::Chain));
    assert_eq!(
        second.verify(5, 3, &first_hash),
        Err(BatchError::Misplaced { partition: 5, seq: 2 })
    );
}

#[test]
fn a_record_that_is_too_long_leaves_the_batch_as_it_was() {
    let mut builder = BatchBuilder::new();
    builder.event(b"small").unwrap();
    let len = builder.len();
    let refused = builder.event_with(|buffer| buffer.resize(buffer.len() + RECORD_LEN_MAX + 1, 0));
    assert_eq!(refused, Err(BatchError::TooLarge));
    assert_eq!((builder.len(), builder.records()), (len, 1));
    let (bytes, _) = builder.finish(0, 1, 0, &Hash::NONE, Vec::with_capacity(512));
    assert_eq!(Batch::parse(&bytes).unwrap().records_len(), 1);
    assert!(builder.is_empty(), "the builder starts anew");
}
