//! The journal, snapshots and read models: memory and SQLite, one conformance suite.
