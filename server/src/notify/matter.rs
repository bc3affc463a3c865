//! What a letter is about, as it is kept in the outbox: an event, an offer, or words.

use charge::codec::Codec as _;
use charge::{Code, Event};
use serde::{Deserialize, Serialize};

/// The first byte of a matter says what it is.
const EVENT: u8 = 0;
const WORDS: u8 = 1;
const OFFER: u8 = 2;

/// Words that were chosen when the letter was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Subject or title.
    pub title: String,
    /// What it says; for SMS this alone.
    pub text: String,
    /// Where on our site it leads: a path.
    pub path: String,
    /// Language tag.
    pub language: String,
    /// By e-mail: to this address, which is nobody's any more; none: to the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A promotion to announce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its code.
    pub promotion: String,
    /// How to stop offers in one step, as a short message says it.
    pub stop: String,
}

impl Offer {
    /// Its code.
    pub fn code(&self) -> Code {
        Code::new(&self.promotion).unwrap_or_default()
    }
}

/// What a letter is about.
#[derive(Clone, Debug)]
pub enum Matter {
    /// Something that happened to an account.
    Event(Box<Event>),
    /// Anything else.
    Words(Words),
    /// A promotion.
    Offer(Offer),
}

impl Matter {
    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Matter::Event(event) => (EVENT, event.to_bytes()),
            Matter::Words(words) => (WORDS, serde_json::to_vec(words).unwrap_or_default()),
            Matter::Offer(offer) => (OFFER, serde_json::to_vec(offer).unwrap_or_default()),
        };
        [&[kind][..], &body].concat()
    }

    /// Reads what [`Matter::to_bytes`] made.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Matter> {
        let Some((kind, body)) = bytes.split_first() else {
            anyhow::bail!("a letter about nothing");
        };
        Ok(match *kind {
            EVENT => Matter::Event(Box::new(Event::from_bytes(body)?)),
            WORDS => Matter::Words(serde_json::from_slice(body)?),
            OFFER => Matter::Offer(serde_json::from_slice(body)?),
            other => anyhow::bail!("a letter of kind {other}, which is of a later version"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let words = Words {
            title: "t".into(),
            text: "بجٹ".into(),
            path: "/budget".into(),
            language: "ur".into(),
            to: None,
        };
        let kept = Matter::Words(words.clone()).to_bytes();
        assert!(matches!(Matter::read(&kept), Ok(Matter::Words(read)) if read == words));
        let offer = Offer {
            promotion: "load-500".into(),
            stop: "STOP".into(),
        };
        let kept = Matter::Offer(offer.clone()).to_bytes();
        assert!(matches!(Matter::read(&kept), Ok(Matter::Offer(read)) if read == offer));
        for broken in [&b""[..], b"\x09x", b"\x01{", b"\x00\xff\xff"] {
            assert!(Matter::read(broken).is_err());
        }
    }
}
