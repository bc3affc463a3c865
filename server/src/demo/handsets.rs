//! The simulated handsets and the shop of the story, as the page shows them.

use super::dialler::{Handset, Line};
use super::story::{AYESHA, BILAL, SHOP};
use anyhow::Context as _;
use charge::{Msisdn, Timestamp};
use std::sync::Arc;
use web::page::demo::{Demo, Inbox, InboxMessage};

/// What the page may show: the story's numbers only.
pub fn demo(inbox: sim::smsc::Inbox, handset: Arc<Handset>) -> anyhow::Result<Demo> {
    let number = |text| Msisdn::parse(text).context("read a number of the story");
    Ok(Demo {
        numbers: vec![number(AYESHA)?, number(BILAL)?],
        inbox: Arc::new(Handsets(inbox)),
        shop: SHOP,
        dialler: Some(Arc::new(Line(handset))),
    })
}

struct Handsets(sim::smsc::Inbox);

impl Inbox for Handsets {
    fn messages(&self, to: Msisdn, limit: usize) -> Vec<InboxMessage> {
        let messages = self.0.messages(&to.to_string()).into_iter().rev().take(limit);
        messages
            .map(|message| InboxMessage {
                from: message.from,
                text: message.text,
                at: Timestamp(message.received_micros),
            })
            .collect()
    }
}
