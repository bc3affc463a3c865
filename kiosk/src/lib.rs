//! A kiosk: a touch screen, a cash acceptor and a card terminal that sell recharges from the float of an outlet.
//!
//! It runs on the computer inside the kiosk. It knows its devices as lines of text and the operator's server as a trait;
//! sockets, clocks and threads are the server crate's. What makes it safe is its [`book`]: written before a note is put
//! into the box, before a card is charged and before a sale is sent, so that a power cut at any moment loses nothing and
//! credits nothing twice ([decision 0016](../../docs/decisions/0016-a-kiosk-has-a-book.md)).
//!
//! # Layout
//!
//! * [`device`]: lines of the cash acceptor and the card terminal. [`operator`]: what the server is asked.
//! * [`book`]: orders and notes in SQLite. [`till`]: the machine that turns inputs into entries and actions.
//! * [`shell`]: the till with what is around it. [`page`]: what the touch screen shows.
//! * [`limits`]: every limit of this crate.

pub mod book;
pub mod device;
pub mod limits;
pub mod operator;
pub mod page;
pub mod shell;
pub mod till;
