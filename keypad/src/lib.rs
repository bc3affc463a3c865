//! What people do on a keypad: the USSD menu, the keywords of short messages, the grammar of shops.
//!
//! Gateways bring what was dialled, typed or sent; this crate says what to show and what to do, in the subscriber's
//! language, within what a handset shows. It opens no socket and reads no clock.
//!
//! # Layout
//! * [`menu`]: what was typed and what one has, to a page or an action. Pure.
//! * [`sessions`]: who is where in the menu; bounded, with time-outs.
//! * [`desk`]: sessions, menu and core together: what gateways call.
//! * [`joined`]: gateways that send everything typed so far.
//! * [`words`]: which keyword a message means. [`keywords`]: messages, answered once.
//! * [`shop`]: the grammar of sellers, on keypad and by message. [`till`]: what they ask, done.
//! * [`say`]: sentences for handsets. [`limits`]: every limit of this crate.

pub mod desk;
pub mod joined;
pub mod keywords;
pub mod limits;
pub mod menu;
pub mod say;
pub mod sessions;
pub mod shop;
pub mod till;
pub mod words;

pub use desk::{Answer, Keypad, Parts, Who};
