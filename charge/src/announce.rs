//! Telling people of an offer: whom, and when. Only who agreed, never in quiet hours, never twice, and not when it is over.
//!
//! Pure: the consents and what was announced before are asked through a trait, the numbers and the time are arguments. What
//! comes out is a list of messages with the moment from which each may leave; sending is somebody else's.

use crate::catalog::{Catalog, Language, Promotion, PromotionTrigger, TimeWindow};
use crate::ids::{AccountId, Code, Msisdn};
use crate::time::{SECOND, Timestamp, Zone};
use crate::{Account, LifeCycle};

/// Longest list of one run: more is a run of its own.
pub const MESSAGES_MAX: usize = 1_000_000;

/// By which way somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// A short message.
    Sms,
    /// A push message of the app.
    Push,
}

/// What people agreed to, and what they were told already.
pub trait Consents {
    /// Why it cannot be said.
    type Error;
    /// Whether the owner of a number agreed to offers by this way. Silence is no.
    ///
    /// # Errors
    /// When it cannot be said: nobody is told then.
    fn wants_offers(&self, number: Msisdn, way: Way) -> Result<bool, Self::Error>;
    /// Whether this promotion was announced to the number before, by any way.
    ///
    /// # Errors
    /// When it cannot be said.
    fn was_told(&self, number: Msisdn, promotion: Code) -> Result<bool, Self::Error>;
}

/// How messages are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// No message leaves in these local hours.
    pub quiet: TimeWindow,
    /// Messages in a second, at most.
    pub per_second: u32,
}

impl Default for Pace {
    /// Nobody is disturbed from nine in the evening to nine in the morning.
    fn default() -> Pace {
        Pace {
            quiet: TimeWindow {
                from_s: 21 * 3600,
                to_s: 9 * 3600,
            },
            per_second: 50,
        }
    }
}

/// A message to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whose account.
    pub account: AccountId,
    /// To which number.
    pub number: Msisdn,
    /// In which language.
    pub language: Language,
    /// By which way.
    pub way: Way,
    /// Not before this moment.
    pub at: Timestamp,
}

/// What a run decided, with what it left out and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Messages, by time.
    pub messages: Vec<Announcement>,
    /// Did not agree.
    pub unwilling: u64,
    /// Were told before.
    pub told: u64,
    /// Cannot earn it: not active, or it is for new numbers.
    pub unfit: u64,
    /// There would be no time outside of quiet hours before it ends, or the list is full.
    pub too_late: u64,
}

/// Plans the announcement of a promotion to some accounts of its operator.
///
/// # Errors
/// Of the consents: then nothing is planned at all.
pub fn plan<C: Consents>(
    catalog: &Catalog,
    promotion: &Promotion,
    accounts: impl IntoIterator<Item = Account>,
    consents: &C,
    (way, pace, now): (Way, Pace, Timestamp),
) -> Result<Plan, C::Error> {
    let mut plan = Plan::default();
    let gap = SECOND / i64::from(pace.per_second.clamp(1, 1_000_000));
    let mut next = now;
    for account in accounts {
        if !may_earn(&account, catalog, promotion) {
            plan.unfit += 1;
        } else if consents.was_told(account.msisdn, promotion.code)? {
            plan.told += 1;
        } else if !consents.wants_offers(account.msisdn, way)? {
            plan.unwilling += 1;
        } else {
            let at = outside(pace.quiet, next, &catalog.zone);
            match at.filter(|at| *at < promotion.until && plan.messages.len() < MESSAGES_MAX) {
                None => plan.too_late += 1,
                Some(at) => {
                    next = at.plus(gap);
                    plan.messages.push(Announcement {
                        account: account.id,
                        number: account.msisdn,
                        language: account.language,
                        way,
                        at,
                    });
                }
            }
        }
    }
    Ok(plan)
}

/// Whether an account can earn a promotion at all.
pub fn may_earn(account: &Account, catalog: &Catalog, promotion: &Promotion) -> bool {
    let usable = matches!(account.state, LifeCycle::Active | LifeCycle::Expired);
    let fresh = promotion.trigger != PromotionTrigger::FirstRecharge || !account.recharged;
    usable && fresh && account.operator == catalog.operator
}

/// The first moment not before `at` that lies outside of the quiet hours; `None` when there is no such moment in two days.
pub fn outside(quiet: TimeWindow, at: Timestamp, zone: &Zone) -> Option<Timestamp> {
    let mut at = at;
    // Twice, because a change of the clocks may end in the quiet hours again.
    for _ in 0..3 {
        let second = zone.second_of_day(at);
        if !quiet.contains(second) {
            return Some(at);
        }
        let ahead = (quiet.to_s + 86_400 - second) % 86_400;
        if ahead == 0 {
            return None;
        }
        at = Timestamp::from_seconds(at.seconds() + i64::from(ahead));
    }
    None
}

/// The text of an announcement, with how to stop it in one step. Values are isolated, so that they keep their direction.
pub fn text(catalog: &Catalog, promotion: &Promotion, language: Language, stop: &str) -> String {
    let operator = catalog.name.get(language);
    let name = promotion.name.get(language);
    let last = catalog.zone.civil(promotion.until.plus(-1));
    let until = format!(
        "\u{2066}{:04}-{:02}-{:02}\u{2069}",
        last.year, last.month, last.day
    );
    let stop = format!("\u{2068}{stop}\u{2069}");
    match language {
        Language::En => {
            format!("{operator}: {name}. Until {until}, while funds last. No more offers: {stop}")
        }
        Language::Ur => format!("{operator}: {name}۔ {until} تک، رقم باقی رہنے تک۔ پیشکشیں بند کریں: {stop}"),
        Language::Zh => format!("{operator}：{name}。截至{until}，送完即止。不再接收优惠：{stop}"),
    }
}
