//! Accounts of people: who signs in, with what, what they agreed to, and what was done to their account.
//!
//! Everything here is personal data: it can be exported and deleted, which the journal, the truth about money, cannot be.
//! So it lives in a SQLite file of its own, `people.db`, and the journal holds nothing of it but numbers.
//! This crate knows no HTTP, no tokio and no clock; it is told the time. Callers run it on threads that may wait.
//!
//! # Layout
//!
//! * [`db`]: the file, its modules and migrations. [`keys`]: keyed hashes and sealed secrets. [`limits`]: every limit.
//! * [`person`]: who somebody is here, the lock after "this wasn't me". [`numbers`]: proven numbers. [`sessions`]: sign-ins.
//! * [`codes`]: one-time codes by SMS. [`throttle`]: limits that survive a restart.
//! * [`password`], [`totp`], [`recovery`], [`passkeys`]: what else one can prove; [`webauthn`]: the formats of passkeys.
//! * [`pins`]: PINs of people who work at outlets.
//! * [`consents`]: which notices somebody wants. [`addresses`]: proven e-mail addresses, browsers that take push messages.
//!   [`ways`]: by which ways a notice goes to somebody, decided in one place. [`recipients`]: numbers somebody sent to before.
//! * [`budgets`]: targets for a month. [`mandates`]: from what an auto-recharge takes its money.
//!   [`complaints`]: what went wrong, and what both sides said.
//! * [`staff`]: who works here, with roles and short sign-ins. [`staff_trail`]: all that they do. [`staff_wishes`]: four eyes.
//! * [`pos`]: days and asks of outlets.
//! * [`audit`]: what was done to the account, and what support must see. [`untold`]: what its owner is to be told of it.
//!   [`personal`]: export and deletion.
//!
//! Another kind of personal data is one more module: a [`db::Module`] with its own migrations, in [`db::MODULES`]. Every
//! table with a column `person` takes part in export and deletion; a test sees to it.

pub mod addresses;
pub mod audit;
pub mod budgets;
pub mod codes;
pub mod complaints;
pub mod consents;
pub mod db;
pub mod keys;
pub mod limits;
pub mod mandates;
pub mod numbers;
pub mod passkeys;
pub mod password;
pub mod person;
pub mod personal;
pub mod pins;
pub mod pos;
pub mod recipients;
pub mod recovery;
pub mod sessions;
pub mod staff;
pub mod staff_trail;
pub mod staff_wishes;
pub mod throttle;
pub mod totp;
pub mod untold;
pub mod ways;
pub mod webauthn;

pub use db::{People, PeopleError};
pub use keys::Keys;
pub use person::PersonId;
pub use sessions::Token;
