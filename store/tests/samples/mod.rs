//! A sample of every event and message, for ever in the same order: new ones stand at the end of [`all`].

mod cards;
mod chain;
pub mod kinds;
mod money;
mod people;

use crate::common::{OPERATOR, RUPEE, START, code};
use charge::command::Message;
use charge::ids::LotId;
use charge::reply::Receipt;
use charge::seller::Place;
use charge::{AccountId, EntityKey, Event, EventBody, Money, Msisdn, PartnerId, Timestamp};

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sample {
    Event(Event),
    Message(Message),
}

/// Every sample. Only its end may change: whoever adds a kind adds a line below the last one.
pub fn all() -> Vec<Sample> {
    let mut all = Vec::new();
    all.extend(people::events().into_iter().map(Sample::Event));
    all.extend(money::events().into_iter().map(Sample::Event));
    all.extend(chain::events().into_iter().map(Sample::Event));
    all.extend(cards::events().into_iter().map(Sample::Event));
    all.extend(money::messages().into_iter().map(Sample::Message));
    all.extend(chain::messages().into_iter().map(Sample::Message));
    all.extend(cards::messages().into_iter().map(Sample::Message));
    all
}

fn at(key: EntityKey, body: EventBody) -> Event {
    Event {
        key,
        operator: OPERATOR,
        at: Timestamp(START + 1),
        body,
    }
}

const ACCOUNT: AccountId = AccountId(42);
const SHOP: PartnerId = PartnerId(7);
const DEALER: PartnerId = PartnerId(3);
const EXTERNAL: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
const TOP_UP: u128 = 0xfedc_ba98_7654_3210_8899_aabb_ccdd_eeff;

fn rupees(rupees: i64) -> Money {
    Money(rupees * RUPEE)
}

fn number() -> Msisdn {
    Msisdn::new(923_001_234_567).unwrap()
}

fn later(seconds: i64) -> Timestamp {
    Timestamp(START + seconds * 1_000_000)
}

fn receipt() -> Receipt {
    Receipt {
        account: ACCOUNT,
        event: 9,
    }
}

fn lots() -> Vec<LotId> {
    vec![LotId(3), LotId(4)]
}

fn dealer() -> Place {
    Place {
        id: DEALER,
        grade: code("dealer"),
        above: Vec::new(),
    }
}

fn shop() -> Place {
    dealer().below(SHOP, code("retailer"))
}
