//! The rules of the core as tables of text, one line a rule, and as properties of random histories.
//!
//! # Layout
//! * `script`: the little language of the tables. `world`: an account, a shop and a catalog, with every invariant checked
//!   after every command.
//! * `tables`: runs `charging.txt`, `money.txt` and `time.txt`.
//! * `promotions`: `promotions.txt`, and many partitions that spend one budget.
//! * `words`: explanations as people read them.
//! * `payments`: stories of one payment. `auto`: stories of a standing order.
//! * `partners`: commission, callbacks, rehearsals.
//! * `reversal`: sales that are taken back, or handed to another operator.
//! * `chain`: `chain.txt`, and random histories of a tree of sellers.
//! * `properties`: random histories, slicing, replay, codecs.

mod auto;
mod chain;
mod partners;
mod payments;
mod promotions;
mod properties;
mod reversal;
mod script;
mod suspense;
mod tables;
mod words;
mod world;
