//! Journal batches, events, messages and snapshots.
#![no_main]

use charge::codec::Codec;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Ok(batch) = store::Batch::parse(octets) {
        for record in batch.records() {
            let _ = record;
        }
    }
    if let Ok(event) = charge::Event::from_bytes(octets) {
        assert_eq!(charge::Event::from_bytes(&event.to_bytes()), Ok(event.clone()));
        let _ = charge::postings(&event);
    }
    let _ = charge::Entity::from_bytes(octets);
    let _ = charge::command::Message::from_bytes(octets);
    let _ = charge::Reply::from_bytes(octets);
});
