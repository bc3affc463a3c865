//! An Eid eve: recharges from every channel at once, at planned times, some asked twice, some whose answer is lost and that are
//! asked again.
//!
//! Each intended recharge goes to a number of its own, so that the books show for each whether it came once.
//!
//! # Layout
//! * here: who asks what and when
//! * [`ask`]: how each channel asks. [`texts`]: answers that come by message

pub mod ask;
pub mod texts;

use super::report::Latencies;
use crate::banks::onebill::Profile;
use ask::{Asker, Said};
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What everybody pays.
pub const AMOUNT: &str = "100";
/// Addresses that callers come from: the server's limit for each address stays as it is for everybody.
const ADDRESSES: u8 = 64;
/// Longest time until an intended recharge is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before asking again when the answer was "not now".
const AGAIN: Duration = Duration::from_millis(50);
/// An answer that gets lost does so within this time.
const LOST_WITHIN_US: u64 = 12_000;
/// Outcomes of the first asking that are waited for while its duplicate is under way.
const COPIES: usize = 2;

/// Where a recharge comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A shop of the selling chain, over the API.
    Shop,
    /// A partner, over the API.
    Partner,
    /// A guest on the website, with a wallet.
    Guest,
    /// A scratch card over a partner's API.
    Card,
    /// A scratch card on the website.
    CardPage,
    /// A scratch card, typed to a voice menu, which asks over a partner's API.
    Ivr,
    /// A shop at its till, the point of sale in the browser.
    Till,
    /// A retailer dials.
    UssdShop,
    /// A subscriber dials and types a scratch card.
    UssdCard,
    /// A retailer sends a message.
    SmsShop,
    /// A subscriber sends a scratch card by message.
    SmsCard,
    /// A bank's cash machine over ISO 8583.
    Atm,
    /// A bank's app over 1LINK 1BILL.
    Bill,
}

impl Channel {
    /// Every channel with its share of a hundred recharges.
    pub const SHARES: [(Channel, u8); 13] = [
        (Channel::Shop, 20),
        (Channel::Partner, 22),
        (Channel::Guest, 14),
        (Channel::Card, 6),
        (Channel::CardPage, 2),
        (Channel::Ivr, 4),
        (Channel::Till, 4),
        (Channel::UssdShop, 6),
        (Channel::UssdCard, 6),
        (Channel::SmsShop, 4),
        (Channel::SmsCard, 4),
        (Channel::Atm, 4),
        (Channel::Bill, 4),
    ];

    /// True when it takes a scratch card.
    pub fn takes_card(self) -> bool {
        use Channel::{Card, CardPage, Ivr, SmsCard, UssdCard};
        matches!(self, Card | CardPage | Ivr | UssdCard | SmsCard)
    }

    /// Those that take a scratch card.
    pub fn with_cards() -> Vec<Channel> {
        let all = Channel::SHARES.iter().map(|(channel, _)| *channel);
        all.filter(|channel| channel.takes_card()).collect()
    }

    fn of(index: u64) -> Channel {
        // 37 has no factor with 100: the channels alternate.
        let mut place = index * 37 % 100;
        for (channel, share) in Channel::SHARES {
            match place.checked_sub(u64::from(share)) {
                Some(left) => place = left,
                None => return channel,
            }
        }
        Channel::Shop
    }
}

/// How many recharges of a channel are among so many.
pub fn count_of(channels: &[Channel], intended: u64) -> u64 {
    let mine = (0..intended).filter(|index| channels.contains(&Channel::of(*index)));
    mine.count() as u64
}

/// How much, how long, what goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct EidPlan {
    /// Recharges a second.
    pub rate: u64,
    /// Before the measurement.
    pub warm_up: Duration,
    /// The measurement.
    pub measure: Duration,
    /// Of a hundred, asked twice.
    pub duplicate_percent: u64,
    /// Of a hundred, whose first answer is lost.
    pub lost_percent: u64,
    /// On their way at once, at most.
    pub outstanding: usize,
}

impl EidPlan {
    /// Recharges that are intended, warm-up included.
    pub fn intended(&self) -> u64 {
        let millis = u64::try_from((self.warm_up + self.measure).as_millis()).unwrap_or(u64::MAX);
        self.rate.saturating_mul(millis) / 1_000
    }

    fn is_duplicated(&self, index: u64) -> bool {
        mix(index) % 100 < self.duplicate_percent
    }

    fn is_lost(&self, index: u64) -> bool {
        (mix(index) >> 20) % 100 < self.lost_percent
    }
}

/// Digits that look random and are the same in each run (splitmix64).
fn mix(index: u64) -> u64 {
    let mut z = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A retailer who sells with a handset.
#[derive(Clone, Debug)]
pub struct Till {
    /// Its number.
    pub msisdn: u64,
    /// Its PIN.
    pub pin: String,
}

/// A counter with a till in the browser.
#[derive(Clone, Debug)]
pub struct Counter {
    /// The seller's id.
    pub seller: u64,
    /// Who stands there.
    pub staff: String,
    /// Their PIN, typed with each sale.
    pub pin: String,
}

/// Whom to load, and with whose keys.
#[derive(Clone, Debug)]
pub struct Target {
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// The USSD gateway's address, `http://127.0.0.1:port`; everything typed so far in each request.
    pub ussd: String,
    /// The host for cash machines.
    pub iso8583: SocketAddr,
    /// DE32 of the bank.
    pub institution: String,
    /// Where bills are paid.
    pub onebill: SocketAddr,
    /// The bank that pays them; it hears the first answer again.
    pub biller: Profile,
    /// The rail that guests choose; it asks for a wallet number.
    pub rail: String,
    /// Where keywords are sent.
    pub short_code: String,
    /// Codes to dial: to sell, and to type a card.
    pub codes: (String, String),
    /// API keys of sellers.
    pub shops: Vec<String>,
    /// API keys of partners.
    pub partners: Vec<String>,
    /// API keys of partners that may redeem cards.
    pub redeemers: Vec<String>,
    /// Counters with a till.
    pub counters: Vec<Counter>,
    /// Retailers that dial.
    pub ussd_tills: Vec<Till>,
    /// Retailers that send messages.
    pub sms_tills: Vec<Till>,
    /// PINs of scratch cards, one for each recharge by card.
    pub pins: Vec<String>,
    /// A handset sends its text again when no answer came in this time.
    pub text_wait: Duration,
    /// The first number; others follow.
    pub msisdn: u64,
}

/// One intended recharge.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// Its place in the plan.
    pub index: u64,
    /// Where from.
    pub channel: Channel,
    /// Its place among those of its channel.
    pub nth: usize,
    /// Its place among those with a card.
    pub card: usize,
    /// The number to be credited.
    pub msisdn: u64,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// From the planned moment to the first good answer, by channel.
    pub channels: BTreeMap<Channel, Latencies>,
    /// All channels.
    pub latencies: Latencies,
    /// Length of the measurement.
    pub elapsed: Duration,
    /// All intended recharges, warm-up included.
    pub intents: Vec<Intent>,
    /// Asked twice.
    pub duplicates: u64,
    /// First answers that were thrown away.
    pub lost_answers: u64,
    /// Asked again because the answer was "not now" or none.
    pub asked_again: u64,
    /// Why, the first in each channel.
    pub first_again: BTreeMap<Channel, String>,
    /// The first thing that went wrong in each channel.
    pub first_errors: BTreeMap<Channel, String>,
}

/// Runs the load: warm-up, measurement, and waits for what is on its way.
///
/// # Errors
/// The clients cannot be set up.
pub async fn run(plan: &EidPlan, target: Target, centre: Arc<crate::smsc::Smsc>) -> Result<Measured, String> {
    let first = target.msisdn;
    let asker = Arc::new(Asker::new(target, centre, ADDRESSES)?);
    let slots = Arc::new(Semaphore::new(plan.outstanding));
    let tally = Arc::new(Mutex::new(Measured::default()));
    let (mut counts, mut cards) = (BTreeMap::<Channel, usize>::new(), 0);
    let began = Instant::now();
    let from = began + plan.warm_up;
    for index in 0..plan.intended() {
        let planned = began + Duration::from_nanos(1_000_000_000 / plan.rate.max(1) * index);
        tokio::time::sleep_until(planned.into()).await;
        // A server that does not keep up holds the plan up; the latency counts from the plan all the same.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let channel = Channel::of(index);
        let nth = counts.entry(channel).or_default();
        let intent = Intent {
            index,
            channel,
            nth: *nth,
            card: cards,
            msisdn: first + index,
        };
        *nth += 1;
        cards += usize::from(channel.takes_card());
        let (asker, tally, plan) = (Arc::clone(&asker), Arc::clone(&tally), *plan);
        tally.lock().intents.push(intent);
        tokio::spawn(async move {
            let outcome = one(&asker, intent, &plan, &tally).await;
            let took = u64::try_from(planned.elapsed().as_micros()).unwrap_or(u64::MAX);
            let mut tally = tally.lock();
            let measured = planned >= from;
            let mine = tally.channels.entry(channel).or_default();
            match outcome {
                Ok(()) if measured => {
                    mine.record(took);
                    tally.latencies.record(took);
                }
                Ok(()) => {}
                Err(error) => {
                    mine.errors += 1;
                    tally.latencies.errors += 1;
                    tally.first_errors.entry(channel).or_insert(error);
                }
            }
            drop(slot);
        });
    }
    let all = u32::try_from(plan.outstanding).unwrap_or(u32::MAX);
    let _ended = tokio::time::timeout(2 * PATIENCE, slots.acquire_many(all)).await;
    let mut tally = tally.lock();
    tally.elapsed = from.elapsed();
    Ok(std::mem::take(&mut *tally))
}

/// One intended recharge until the first good answer, with what goes wrong on the way.
async fn one(
    asker: &Arc<Asker>,
    intent: Intent,
    plan: &EidPlan,
    tally: &Mutex<Measured>,
) -> Result<(), String> {
    if plan.is_lost(intent.index) {
        tally.lock().lost_answers += 1;
        let within = Duration::from_micros(mix(intent.index ^ 0x10_57) % LOST_WITHIN_US);
        // Dropped on the way: the connection closes, and nobody hears the answer.
        let _nobody = tokio::time::timeout(within, asker.ask(intent, 0)).await;
    }
    if !plan.is_duplicated(intent.index) {
        return until_said(asker, intent, 0, tally).await;
    }
    tally.lock().duplicates += 1;
    if mix(intent.index) & (1 << 50) == 0 {
        // One after the other: the second is answered as well.
        until_said(asker, intent, 0, tally).await?;
        let asker = Arc::clone(asker);
        tokio::spawn(async move { asker.ask(intent, 1).await });
        return Ok(());
    }
    // Both at once: the first good answer counts, the other one is heard to its end.
    let mut copies = tokio::task::JoinSet::new();
    for copy in 0..COPIES {
        let asker = Arc::clone(asker);
        copies.spawn(async move { asker.ask(intent, copy).await });
    }
    let mut good = false;
    while let Some(said) = copies.join_next().await {
        good |= matches!(said, Ok(Ok(Said::Done)));
        if good {
            copies.detach_all();
            return Ok(());
        }
    }
    until_said(asker, intent, 0, tally).await
}

/// Asks, and asks again the same, until it is said.
async fn until_said(
    asker: &Asker,
    intent: Intent,
    copy: usize,
    tally: &Mutex<Measured>,
) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = tokio::time::timeout(PATIENCE, asker.ask(intent, copy)).await;
        let said = said.unwrap_or_else(|_| Err("no answer".to_owned()));
        let why = match said {
            Ok(Said::Done) => return Ok(()),
            Ok(Said::NotNow(why)) | Err(why) => why,
            Ok(Said::No(why)) => return Err(why),
        };
        if Instant::now() >= deadline {
            return Err(why);
        }
        {
            let mut tally = tally.lock();
            tally.asked_again += 1;
            tally.first_again.entry(intent.channel).or_insert(why);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
