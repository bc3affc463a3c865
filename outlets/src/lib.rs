//! The directory of outlets: where shops, kiosks and service centres are, when they are open, what they do.
//!
//! An outlet is public and moves no money. It says nothing that the journal holds, so it lives in a SQLite file of its own,
//! `outlets.db`. This crate knows no HTTP and no clock; it is told the time. Places are integers in micro-degrees.
//!
//! # Layout
//!
//! * [`outlet`]: an outlet as it is written down, and what makes it good. [`csv`]: many of them as a file.
//! * [`hours`]: opening hours with breaks and holidays; open or not at a moment. [`place`]: distances and directions.
//! * [`crowd`]: quiet or busy at this hour of the week, from sales.
//! * [`directory`]: the file, and all of it in memory. [`limits`]: every limit.

pub mod crowd;
pub mod csv;
pub mod directory;
pub mod hours;
pub mod limits;
pub mod outlet;
pub mod place;

pub use directory::{Outlets, OutletsError};
pub use hours::{Hours, State};
pub use outlet::{Card, Mistake, Outlet, Service};
pub use place::Spot;
