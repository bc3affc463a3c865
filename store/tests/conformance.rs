//! The conformance suite on every store of this crate.

use store::{MemoryStore, SqliteOptions, SqliteStore, Store};

#[test]
fn memory() {
    store::conformance(|| Box::new(MemoryStore::new()));
}

#[test]
fn sqlite() {
    let scratch = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    store::conformance(|| -> Box<dyn Store> {
        number.set(number.get() + 1);
        let dir = scratch.path().join(number.get().to_string());
        Box::new(SqliteStore::open(&dir, SqliteOptions::default()).unwrap())
    });
}
