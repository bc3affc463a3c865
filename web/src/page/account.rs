//! What pages about an account share: the account itself, its warnings, the bundles that are held.

use super::format::Speech;
use crate::api::bundles::name_of;
use crate::api::subscribers::buckets;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use charge::account::{LifeCycle, Lot};
use charge::catalog::{Catalog, Classes, DestinationClass, Scope};
use charge::unit::{Amount, Service};
use charge::{Account, AccountId, Code, Entity, EntityKey, Refusal, Timestamp, Unit};

/// A bundle or promotion that one holds.
pub struct Held {
    /// What it is called.
    pub name: Html,
    /// When it ends.
    pub ends: Html,
    /// How much time is left.
    pub left: Html,
    /// True when it ends within a day.
    pub soon: bool,
    /// True when it renews by itself.
    pub renews: bool,
    /// True when it could.
    pub renewable: bool,
    /// Its name in forms.
    pub code: String,
    /// What is in it.
    pub buckets: Vec<Bucket>,
}

/// A ring or a bar.
pub struct Bucket {
    /// What it is for.
    pub what: Html,
    /// What is left of it.
    pub left: Html,
    /// Of how much.
    pub of: Html,
    /// All in one sentence, for the drawing.
    pub label: String,
    /// How much is left of a hundred parts, never 0 as long as anything is left.
    pub percent: i64,
}

/// The account that is signed in, with its catalog.
///
/// # Errors
/// [`Fault::Unauthorized`] when it has gone.
pub async fn signed_in(web: &Web, id: AccountId) -> Result<(Box<Account>, &Catalog), Problem> {
    match web.parts.core.read(EntityKey::Account(id)).await? {
        Some(Entity::Account(account)) => {
            let catalog = web.catalog(account.operator).ok_or(Fault::Internal)?;
            Ok((account, catalog))
        }
        _ => Err(Fault::Unauthorized.into()),
    }
}

/// What stands in the way of using the account, if anything.
pub fn warning_of(account: &Account, catalog: &Catalog, t: Speech, now: Timestamp) -> Option<Html> {
    match account.state {
        LifeCycle::Expired => Some(t.h("warning-expired")),
        LifeCycle::Suspended => Some(t.h("warning-suspended")),
        LifeCycle::Closed => Some(t.h("warning-closed")),
        LifeCycle::Active if account.main_total(now) < catalog.policy.low_balance => Some(t.h("warning-low")),
        LifeCycle::Active => None,
    }
}

/// The sentence of a problem's code: only what the core can have answered is shown.
pub fn error_of(code: u32, t: Speech) -> Option<Html> {
    let fault = Refusal::from_code(code).map(Fault::Refused).or_else(|| {
        let own = [Fault::Busy, Fault::OutcomeUnknown];
        own.into_iter().find(|fault| fault.spec().0 == code)
    })?;
    Some(t.h(&fault.key()))
}

/// The bundles and gifts of an account, with what is left of each.
pub fn held_bundles(account: &Account, catalog: &Catalog, t: Speech, now: Timestamp) -> Vec<Held> {
    let mut held: Vec<(Code, Timestamp, Held)> = Vec::new();
    for lot in buckets(account, now) {
        let bucket = bucket_of(lot, catalog, t);
        let same =
            |(code, ends, _): &&mut (Code, Timestamp, Held)| *code == lot.source && *ends == lot.expires_at;
        if let Some((_, _, bundle)) = held.iter_mut().find(same) {
            bundle.buckets.push(bucket);
            continue;
        }
        let ends = t.with(
            "ends",
            &[("moment", t.moment(lot.expires_at, &catalog.zone).into())],
        );
        let bundle = Held {
            name: Html::isolated(&name_of(lot.source, catalog, t.language)),
            ends: Html::isolated(&ends),
            left: Html::isolated(&t.left(lot.expires_at, now)),
            soon: lot.expires_at < now.plus(charge::time::DAY),
            renews: account.renewals.iter().any(|renewal| renewal.offer == lot.source),
            renewable: catalog
                .offers
                .iter()
                .any(|offer| offer.code == lot.source && offer.renewable && offer.for_sale),
            code: lot.source.to_string(),
            buckets: vec![bucket],
        };
        held.push((lot.source, lot.expires_at, bundle));
    }
    held.into_iter().map(|(_, _, bundle)| bundle).collect()
}

fn bucket_of(lot: &Lot, catalog: &Catalog, t: Speech) -> Bucket {
    let amount = |amount: Amount| t.amount(lot.unit, amount, &catalog.currency);
    let values = [
        ("left", amount(lot.amount).into()),
        ("initial", amount(lot.initial).into()),
    ];
    let left = t.with("left-of", &values);
    let what = what_of(&lot.scope, lot.unit, t);
    Bucket {
        label: format!("{what}: {left}").replace(text::ISOLATES, ""),
        what: Html::isolated(&what),
        left: Html::bdi(&amount(lot.amount)),
        of: Html::isolated(&t.with("of-initial", &[("initial", amount(lot.initial).into())])),
        percent: percent(lot.amount.0, lot.initial.0),
    }
}

/// How many of a hundred parts `value` is of `whole`: rounded down, at least 1 for something, at most 100.
pub fn percent(value: i64, whole: i64) -> i64 {
    if value <= 0 || whole <= 0 {
        return 0;
    }
    let parts = i128::from(value) * 100 / i128::from(whole);
    i64::try_from(parts.clamp(1, 100)).unwrap_or(100)
}

/// Every network of the country.
const NATIONAL: Classes = Classes(DestinationClass::OnNet as u8 | DestinationClass::OffNet as u8);

/// What a bucket is for: the service, then what narrows it.
pub fn what_of(scope: &Scope, unit: Unit, t: Speech) -> String {
    let services = Service::ALL.into_iter().filter(|service| {
        scope.services & (1 << *service as u8) != 0 && (unit == Unit::Money || service.unit() == unit)
    });
    let mut words: Vec<String> = if *scope == Scope::ANY {
        vec![t.p("scope-any")]
    } else {
        let names: Vec<String> = services
            .map(|service| t.p(&format!("scope-{}", service.name())))
            .collect();
        vec![names.join(&t.p("list-separator"))]
    };
    let classes = [
        (1, "on-net"),
        (2, "off-net"),
        (4, "international"),
        (8, "special"),
    ];
    if scope.classes == NATIONAL {
        words.push(t.p("scope-national"));
    } else if scope.classes != Scope::ANY.classes {
        let named = classes.iter().filter(|(bit, _)| scope.classes.0 & bit != 0);
        let names: Vec<String> = named.map(|(_, name)| t.p(&format!("scope-{name}"))).collect();
        words.push(names.join(&t.p("list-separator")));
    }
    if let Some((from, to)) = scope.window {
        let hours = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
        words.push(format!("\u{2068}{hours}\u{2069}"));
    }
    words.join(" \u{b7} ")
}
