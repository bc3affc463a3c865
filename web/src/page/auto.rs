//! Auto-recharge: a rule for a number of one's own, what it waits for, and what it did. What takes more money than was
//! confirmed before needs a fresh sign-in; less never does.

pub mod card;

use super::account::{percent, signed_in};
use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use super::recharge::desk;
use super::security::to_sign_in;
use crate::core::CoreError;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::auto::{
    AutoAction, AutoCaps, AutoCause, AutoDate, AutoOutcome, AutoRecharge, AutoRule, AutoSpent, AutoState,
};
use charge::catalog::Catalog;
use charge::payment::Currency;
use charge::{Account, AccountId, Code, Command, Entity, EntityKey, Money, Msisdn, Refusal};
use people::mandates::Mandate;
use people::numbers::Owned;
use rails::Payer;
use rails::rail::{Mandate as Way, Need};
use serde::{Deserialize, Serialize};

/// Days of the month that are offered; in shorter months the last one counts.
const MONTH_DAYS: [u8; 7] = [1, 5, 10, 15, 20, 25, 31];
/// Days before the end of validity that are offered.
const DAYS_BEFORE: [u8; 5] = [1, 2, 3, 5, 7];
/// Hours of the day that are offered.
const HOURS: [u16; 6] = [8, 10, 12, 15, 18, 21];
/// How long before a date somebody can be told, in hours.
const LEADS_H: [u32; 4] = [0, 1, 24, 72];

/// What a rail needs to charge somebody who is not here, as it is sealed.
#[derive(Deserialize, Serialize)]
struct Means {
    wallet: Option<u64>,
    cnic: Option<String>,
    email: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

/// Reads what [`People::means`](people::People::means) gives. `None` for bytes that this page has not written.
pub fn payer_of(means: &[u8]) -> Option<Payer> {
    let means: Means = serde_json::from_slice(means).ok()?;
    let wallet = match means.wallet {
        Some(wallet) => Some(Msisdn::new(wallet).ok()?),
        None => None,
    };
    Some(Payer {
        wallet,
        email: means.email,
        cnic_last6: means.cnic,
        token: means.token,
    })
}

fn means_of(payer: &Payer) -> Vec<u8> {
    let means = Means {
        wallet: payer.wallet.map(Msisdn::number),
        cnic: payer.cnic_last6.clone(),
        email: payer.email.clone(),
        token: payer.token.clone(),
    };
    serde_json::to_vec(&means).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "auto.html")]
struct AutoPage {
    page: Frame,
    fresh: bool,
    locked: bool,
    done: Option<Html>,
    error: Option<Html>,
    number: String,
    numbers: Vec<Choice>,
    known: Option<Known>,
    rails: Vec<Choice>,
    cards: Vec<Choice>,
    wallet: bool,
    cnic: bool,
    email: bool,
    symbol: String,
    below: String,
    amount: String,
    per_day: String,
    per_month: String,
    count: String,
    dates: Vec<(Html, Vec<Choice>)>,
    hours: Vec<Choice>,
    leads: Vec<Choice>,
    offers: Vec<Choice>,
}

/// Something that can be chosen.
struct Choice {
    value: String,
    name: Html,
    hint: Html,
    chosen: bool,
}

/// A rule as it stands.
struct Known {
    state: Html,
    class: &'static str,
    what: Html,
    from: Html,
    when: Vec<Html>,
    next: Option<Html>,
    held: Option<Html>,
    payment: Option<String>,
    spent: Option<(Html, i64, String)>,
    can_pause: bool,
    can_resume: bool,
    tries: Vec<(Html, Html, Html, String)>,
}

/// What happened just before, and which number is meant.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
    error: Option<String>,
    number: Option<String>,
}

/// What can be said above the page.
const DONE: [&str; 5] = ["set", "paused", "resumed", "ended", "card"];
/// What can be wrong.
const WRONG: [&str; 13] = [
    "amount", "below", "caps", "when", "rail", "wallet", "cnic", "email", "offer", "limits", "agree", "card",
    "away",
];

/// The rule of a number.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    if visitor.sign_in.is_none() {
        return Ok(to_sign_in("/auto"));
    }
    let own = own_number(&web, &visitor, before.number.as_deref()).await?;
    let (account, catalog) = signed_in(&web, own.chosen.account).await?;
    let known = auto_of(&web, account.id).await?;
    let id = account.id;
    let mandate = web.people(move |people| people.mandate(id)).await?;
    let t = visitor.speech();
    let view = View {
        web: &web,
        t,
        account: &account,
        catalog,
    };
    let rule = known.as_ref().map(|auto| &auto.rule);
    let needs =
        |need: Need| rails_of(&web).is_ok_and(|rails| rails.iter().any(|rail| rail.needs.contains(&need)));
    let plain = |money: Option<Money>| {
        let money = money.filter(|money| money.is_positive());
        money
            .map(|money| money.shown().trim_end_matches(".00").to_owned())
            .unwrap_or_default()
    };
    let named = |before: Option<String>, names: &[&str], prefix: &str| {
        let known = before.filter(|name| names.contains(&name.as_str()));
        known.map(|name| t.h(&format!("{prefix}-{name}")))
    };
    let count = rule.map_or(0, |rule| rule.caps.count_per_month);
    let template = AutoPage {
        page: visitor.frame(&web, t.p("place-auto")),
        fresh: visitor.fresh(web.now()).is_some(),
        locked: visitor.sign_in.is_some_and(|sign_in| sign_in.locked),
        done: named(before.done, &DONE, "auto-done"),
        error: named(before.error, &WRONG, "auto-wrong"),
        number: own.chosen.number.to_string(),
        numbers: own.choices(&web),
        known: known.as_ref().map(|auto| view.known(auto, mandate.as_ref())),
        rails: view.rails(rule)?,
        cards: view.cards(mandate.as_ref())?,
        wallet: needs(Need::WalletNumber),
        cnic: needs(Need::CnicLast6),
        email: needs(Need::Email),
        symbol: super::format::symbol(&catalog.currency).to_owned(),
        below: plain(rule.map(|rule| rule.below)),
        amount: plain(rule.map(|rule| rule.amount)),
        per_day: plain(rule.map(|rule| rule.caps.per_day)),
        per_month: plain(rule.map(|rule| rule.caps.per_month)),
        count: if count == 0 {
            String::new()
        } else {
            count.to_string()
        },
        dates: view.dates(rule),
        hours: view.hours(rule),
        leads: view.leads(rule),
        offers: view.offers(rule),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Numbers of the person who looks, and the one that is meant.
struct Own {
    chosen: Owned,
    all: Vec<Owned>,
}

impl Own {
    fn choices(&self, web: &Web) -> Vec<Choice> {
        let choice = |owned: &Owned| Choice {
            value: owned.number.to_string(),
            name: Html::bdi(&web.number_shown(owned.number)),
            hint: Html::default(),
            chosen: owned.number == self.chosen.number,
        };
        self.all.iter().map(choice).collect()
    }
}

/// A number that belongs to whoever looks; somebody else's is refused.
async fn own_number(web: &Web, visitor: &Visitor, named: Option<&str>) -> Result<Own, Problem> {
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let wanted = match named {
        Some(text) => number::parse(text, web.catalogs()).ok_or(Fault::BadNumber)?,
        None => sign_in.msisdn,
    };
    let all = web
        .people(move |people| people.numbers_of(sign_in.person))
        .await?;
    let chosen = all.iter().find(|owned| owned.number == wanted).copied();
    Ok(Own {
        chosen: chosen.ok_or(Fault::NoSubscriber)?,
        all,
    })
}

async fn auto_of(web: &Web, account: AccountId) -> Result<Option<Box<AutoRecharge>>, Problem> {
    match web.parts.core.read(EntityKey::Auto(account)).await? {
        Some(Entity::Auto(auto)) => Ok(Some(auto)),
        _ => Ok(None),
    }
}

/// A rail that takes money of somebody who is not here.
struct AutoRail {
    code: Code,
    way: Way,
    needs: &'static [Need],
}

/// Those that do in the operator's currency.
fn rails_of(web: &Web) -> Result<Vec<AutoRail>, Problem> {
    let rails = desk(web)?.rails().into_iter();
    Ok(rails
        .filter(|rail| rail.currency == Currency::PKR)
        .filter_map(|rail| {
            Some(AutoRail {
                code: rail.code,
                way: rail.mandate?,
                needs: rail.needs,
            })
        })
        .collect())
}

/// What puts a rule into words.
struct View<'a> {
    web: &'a Web,
    t: Speech,
    account: &'a Account,
    catalog: &'a Catalog,
}

impl View<'_> {
    fn money(&self, money: Money) -> String {
        self.t.money(money, &self.catalog.currency)
    }

    fn known(&self, auto: &AutoRecharge, mandate: Option<&Mandate>) -> Known {
        let (t, rule) = (self.t, &auto.rule);
        let zone = &self.catalog.zone;
        let moment = |at| t.moment(at, zone);
        let next = match (auto.plan.retry_at, auto.plan.due_at) {
            _ if auto.state != AutoState::Active => None,
            (Some(at), _) => Some(t.with("auto-next-try", &[("moment", moment(at).into())])),
            (None, Some(at)) => Some(t.with("auto-next-date", &[("moment", moment(at).into())])),
            (None, None) => None,
        };
        let mut when = Vec::new();
        if rule.below.is_positive() {
            let values = [("amount", self.money(rule.below).into())];
            when.push(Html::isolated(&t.with("auto-when-below", &values)));
        }
        if rule.date != AutoDate::Never {
            when.push(Html::isolated(&self.date_words(rule.date)));
        }
        let shown = mandate.map_or("?", |mandate| &mandate.shown);
        let from = [
            ("rail", self.rail_name(rule.rail).into()),
            ("shown", shown.into()),
        ];
        let cap = rule.caps.per_month;
        let spent = cap.is_positive().then(|| {
            let seen = auto.spent.seen(AutoSpent::at(zone, self.web.now()));
            let values = [
                ("spent", self.money(seen.in_month).into()),
                ("cap", self.money(cap).into()),
            ];
            let text = t.with("auto-spent", &values);
            let label = text.replace(crate::text::ISOLATES, "");
            (Html::isolated(&text), percent(seen.in_month.0, cap.0), label)
        });
        let tried = |tried: &charge::auto::AutoTry| {
            let outcome = tried.outcome.map_or("waiting", AutoOutcome::name);
            let cause = match tried.cause {
                AutoCause::Balance => "auto-cause-balance",
                AutoCause::Date => "auto-cause-date",
            };
            (
                Html::bdi(&moment(tried.at)),
                Html::bdi(&self.money(tried.amount)),
                Html::isolated(&format!(
                    "{} \u{b7} {}",
                    t.p(cause),
                    t.p(&format!("auto-outcome-{outcome}"))
                )),
                format!("/pay/{}", tried.payment),
            )
        };
        Known {
            state: t.h(&format!("auto-state-{}", auto.state.name())),
            class: match auto.state {
                AutoState::Active => "good",
                AutoState::Paused | AutoState::Ended => "",
                _ => "bad",
            },
            what: self.what(rule),
            from: Html::isolated(&t.with("auto-from", &from)),
            when,
            next: next.map(|next| Html::isolated(&next)),
            held: auto.held.map(|cap| t.h(&format!("auto-held-{}", cap.name()))),
            payment: auto.payment.map(|id| format!("/pay/{id}")),
            spent,
            can_pause: auto.state == AutoState::Active,
            can_resume: !auto.state.is_final() && auto.state != AutoState::Active,
            tries: auto.tries.iter().rev().map(tried).collect(),
        }
    }

    fn what(&self, rule: &AutoRule) -> Html {
        let amount = ("amount", self.money(rule.amount).into());
        let offer = self.catalog.offer(rule.offer.as_str());
        Html::isolated(&match offer {
            Some(offer) => {
                let name = offer.name.get(self.t.language);
                self.t
                    .with("auto-what-bundle", &[amount, ("bundle", name.into())])
            }
            None => self.t.with("auto-what", &[amount]),
        })
    }

    fn date_words(&self, date: AutoDate) -> String {
        let t = self.t;
        match date {
            AutoDate::Never => t.p("auto-date-none"),
            AutoDate::Weekly(day) => t.with(
                "auto-date-week",
                &[("day", t.p(&format!("auto-day-{day}")).into())],
            ),
            AutoDate::Monthly(31) => t.p("auto-date-month-end"),
            AutoDate::Monthly(day) => t.with("auto-date-month", &[("day", day.to_string().into())]),
            AutoDate::BeforeExpiry(days) => t.with("auto-date-expiry", &[("count", i64::from(days).into())]),
        }
    }

    fn rail_name(&self, rail: Code) -> String {
        let key = format!("rail-{rail}");
        match self.t.p(&key) {
            name if name == key => rail.to_string(),
            name => name,
        }
    }

    fn rails(&self, rule: Option<&AutoRule>) -> Result<Vec<Choice>, Problem> {
        let rails = match self.web.parts.payments {
            Some(_) => rails_of(self.web)?,
            None => Vec::new(),
        };
        let chosen = rule
            .map(|rule| rule.rail)
            .filter(|code| rails.iter().any(|rail| rail.code == *code));
        let first = rails.first().map(|rail| rail.code);
        Ok(rails
            .iter()
            .map(|rail| Choice {
                value: rail.code.to_string(),
                name: Html::isolated(&self.rail_name(rail.code)),
                hint: self.t.h(match rail.way {
                    Way::WalletPrompt => "auto-prompt-hint",
                    Way::Token => "auto-token-hint",
                }),
                chosen: chosen.or(first) == Some(rail.code),
            })
            .collect())
    }

    /// Rails with which a card can be left, and what is left with each.
    fn cards(&self, kept: Option<&Mandate>) -> Result<Vec<Choice>, Problem> {
        if self.web.parts.payments.is_none() {
            return Ok(Vec::new());
        }
        let rails = rails_of(self.web)?
            .into_iter()
            .filter(|rail| rail.way == Way::Token);
        let choice = |rail: AutoRail| {
            let kept = kept.filter(|kept| kept.rail == rail.code.as_str());
            let shown = kept.map_or("", |kept| &kept.shown);
            Choice {
                value: rail.code.to_string(),
                name: Html::isolated(&self.rail_name(rail.code)),
                hint: Html::isolated(&self.t.with("auto-card-kept", &[("shown", shown.into())])),
                chosen: kept.is_some(),
            }
        };
        Ok(rails.map(choice).collect())
    }

    fn dates(&self, rule: Option<&AutoRule>) -> Vec<(Html, Vec<Choice>)> {
        let present = rule.map_or(AutoDate::Never, |rule| rule.date);
        let group = |key: &str, dates: Vec<AutoDate>| {
            let choice = |date: AutoDate| Choice {
                value: date_name(date),
                name: Html::isolated(&self.date_words(date)),
                hint: Html::default(),
                chosen: date == present,
            };
            (
                Html::isolated(&self.t.p(key)),
                dates.into_iter().map(choice).collect(),
            )
        };
        vec![
            group("auto-dates-none", vec![AutoDate::Never]),
            group("auto-dates-week", (1..=7).map(AutoDate::Weekly).collect()),
            group("auto-dates-month", MONTH_DAYS.map(AutoDate::Monthly).to_vec()),
            group(
                "auto-dates-expiry",
                DAYS_BEFORE.map(AutoDate::BeforeExpiry).to_vec(),
            ),
        ]
    }

    fn hours(&self, rule: Option<&AutoRule>) -> Vec<Choice> {
        let present = rule.map_or(10, |rule| rule.minute / 60);
        let choice = |hour: u16| Choice {
            value: hour.to_string(),
            name: Html::bdi(&format!("{hour:02}:00")),
            hint: Html::default(),
            chosen: hour == present,
        };
        HOURS.map(choice).into_iter().collect()
    }

    fn leads(&self, rule: Option<&AutoRule>) -> Vec<Choice> {
        let present = rule.map_or(24, |rule| rule.lead_s / 3_600);
        let choice = |hours: u32| Choice {
            value: hours.to_string(),
            name: self.t.h(&format!("auto-lead-{hours}")),
            hint: Html::default(),
            chosen: hours == present,
        };
        LEADS_H.map(choice).into_iter().collect()
    }

    fn offers(&self, rule: Option<&AutoRule>) -> Vec<Choice> {
        let present = rule.map_or(Code::EMPTY, |rule| rule.offer);
        let none = Choice {
            value: String::new(),
            name: self.t.h("auto-offer-none"),
            hint: Html::default(),
            chosen: present.is_empty(),
        };
        let now = self.web.now();
        let offered = self.catalog.offers.iter().filter(|offer| offer.for_sale);
        let choice = |offer: &charge::catalog::Offer| {
            let price = charge::decide::price_for(self.account, self.catalog, offer, now).gross;
            let name = offer.name.get(self.t.language);
            Choice {
                value: offer.code.to_string(),
                name: Html::isolated(&format!("\u{2068}{name}\u{2069} \u{b7} {}", self.money(price))),
                hint: Html::default(),
                chosen: offer.code == present,
            }
        };
        std::iter::once(none).chain(offered.map(choice)).collect()
    }
}

/// A date in forms: `w1`, `m31`, `x2`; empty: none.
fn date_name(date: AutoDate) -> String {
    match date {
        AutoDate::Never => String::new(),
        AutoDate::Weekly(day) => format!("w{day}"),
        AutoDate::Monthly(day) => format!("m{day}"),
        AutoDate::BeforeExpiry(days) => format!("x{days}"),
    }
}

fn date_of(name: &str) -> Option<AutoDate> {
    if name.is_empty() {
        return Some(AutoDate::Never);
    }
    let (kind, value) = name.split_at_checked(1)?;
    let value: u8 = value.parse().ok()?;
    let date = match kind {
        "w" => AutoDate::Weekly(value),
        "m" => AutoDate::Monthly(value),
        "x" => AutoDate::BeforeExpiry(value),
        _ => return None,
    };
    date.is_valid().then_some(date)
}

/// What somebody orders.
#[derive(Deserialize)]
pub struct OrderForm {
    form: String,
    number: String,
    #[serde(default)]
    below: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    hour: String,
    amount: String,
    #[serde(default)]
    offer: String,
    #[serde(default)]
    rail: String,
    #[serde(default)]
    wallet: String,
    #[serde(default)]
    cnic: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    per_day: String,
    per_month: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    lead: String,
    #[serde(default)]
    agree: String,
}

/// Orders a rule or changes it.
pub async fn set(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<OrderForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let own = own_number(&web, &visitor, Some(&form.number)).await?.chosen;
    let wrong =
        |what: &str| Ok(Redirect::to(&format!("/auto?number={}&error={what}", own.number)).into_response());
    if visitor.sign_in.is_none_or(|sign_in| sign_in.locked) {
        return Err(Fault::Unauthorized.into());
    }
    let (account, catalog) = signed_in(&web, own.account).await?;
    let known = auto_of(&web, account.id).await?;
    let rule = match read(&web, &form, (&account, catalog), known.as_deref()) {
        Ok(rule) => rule,
        Err(what) => return wrong(what),
    };
    let id = account.id;
    let kept = web.people(move |people| people.mandate(id)).await?;
    let payer = match payer(
        &web,
        &form,
        &rule,
        kept.as_ref().filter(|kept| kept.person == own.person),
    ) {
        Ok(payer) => payer,
        Err(what) => return wrong(what),
    };
    let covered = known
        .as_ref()
        .is_some_and(|known| !known.state.is_final() && known.rule.covers(&rule));
    if !covered || payer.is_some() {
        if visitor.fresh(web.now()).is_none() {
            return Ok(to_sign_in("/auto"));
        }
        if form.agree != "yes" {
            return wrong("agree");
        }
    }
    let place = visitor.place.clone();
    if let Some(payer) = payer {
        let mandate = Mandate {
            account: account.id,
            person: own.person,
            number: own.number,
            rail: rule.rail.to_string(),
            shown: payer
                .wallet
                .map_or_else(String::new, |wallet| last_digits(&wallet.to_string())),
            made_at: web.now(),
        };
        let (means, place) = (means_of(&payer), place.clone());
        web.people(move |people| people.set_mandate(&mandate, &means, &place))
            .await?;
    }
    let command = Command::Auto {
        account: account.id,
        action: AutoAction::Set(Box::new(rule)),
    };
    match web.parts.core.call(command).await {
        Ok(_) => Ok(done(own.number, "set")),
        Err(CoreError::Refused(refusal)) => {
            if known.is_none() {
                let now = web.now();
                web.people(move |people| people.end_mandate(id, &place, now))
                    .await?;
            }
            match refusal {
                Refusal::AmountTooSmall | Refusal::AmountTooLarge => wrong("limits"),
                Refusal::NoSuchOffer => wrong("offer"),
                refusal => Err(refusal.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn done(number: Msisdn, what: &str) -> Response {
    Redirect::to(&format!("/auto?number={number}&done={what}")).into_response()
}

fn last_digits(number: &str) -> String {
    let from = number.len().saturating_sub(3);
    number.get(from..).unwrap_or("").to_owned()
}

/// The rule of a form, or what is wrong with it.
fn read(
    web: &Web,
    form: &OrderForm,
    (account, catalog): (&Account, &Catalog),
    known: Option<&AutoRecharge>,
) -> Result<AutoRule, &'static str> {
    let money = |text: &str| super::budget::parse(text).map(|money| money.unwrap_or(Money::ZERO));
    let amount = money(&form.amount)
        .ok()
        .filter(|amount| amount.is_positive())
        .ok_or("amount")?;
    let below = money(&form.below).map_err(|()| "below")?;
    let date = date_of(&form.date).ok_or("when")?;
    if below == Money::ZERO && date == AutoDate::Never {
        return Err("when");
    }
    let hour: u16 = if form.hour.is_empty() {
        10
    } else {
        form.hour.parse().map_err(|_| "when")?
    };
    let lead: u32 = if form.lead.is_empty() {
        24
    } else {
        form.lead.parse().map_err(|_| "when")?
    };
    if hour > 23 || !LEADS_H.contains(&lead) {
        return Err("when");
    }
    let count: u16 = if form.count.is_empty() {
        0
    } else {
        form.count.trim().parse().map_err(|_| "caps")?
    };
    let caps = AutoCaps {
        per_day: money(&form.per_day).map_err(|()| "caps")?,
        per_month: money(&form.per_month).map_err(|()| "caps")?,
        count_per_month: count,
    };
    // Nobody orders without an end: the month's cap is what can go wrong at most.
    let holds = |cap: Money| cap == Money::ZERO || cap >= amount;
    if caps.per_month < amount || !holds(caps.per_day) {
        return Err("caps");
    }
    let rails = rails_of(web).map_err(|_| "rail")?;
    let rail = Code::new(&form.rail)
        .filter(|code| rails.iter().any(|rail| rail.code == *code))
        .ok_or("rail")?;
    let offer = match form.offer.as_str() {
        "" => Code::EMPTY,
        name => Code::new(name)
            .filter(|code| catalog.offer(code.as_str()).is_some())
            .ok_or("offer")?,
    };
    let (payable_s, wanted_s) = desk(web).map_err(|_| "rail")?.times();
    Ok(AutoRule {
        seed: known.map_or_else(rand::random, |known| known.rule.seed),
        msisdn: account.msisdn,
        operator: account.operator,
        below,
        date,
        minute: hour * 60,
        amount,
        offer,
        rail,
        caps,
        lead_s: lead * 3_600,
        payable_s,
        wanted_s,
    })
}

/// What the rail needs to charge; none when nothing was typed and it is kept from before.
fn payer(
    web: &Web,
    form: &OrderForm,
    rule: &AutoRule,
    kept: Option<&Mandate>,
) -> Result<Option<Payer>, &'static str> {
    let rails = rails_of(web).map_err(|_| "rail")?;
    let Some(rail) = rails.iter().find(|rail| rail.code == rule.rail) else {
        return Err("rail");
    };
    let is_kept = kept.is_some_and(|kept| kept.rail == rule.rail.as_str());
    if rail.way == Way::Token {
        return if is_kept { Ok(None) } else { Err("card") };
    }
    let needs = rail.needs;
    let typed = [&form.wallet, &form.cnic, &form.email]
        .iter()
        .any(|text| !text.trim().is_empty());
    if !typed && is_kept {
        return Ok(None);
    }
    let payer = super::recharge::payer_of_texts(web, (&form.wallet, &form.cnic, &form.email)).map_err(
        |key| match key {
            "recharge-bad-cnic" => "cnic",
            "recharge-bad-email" => "email",
            _ => "wallet",
        },
    )?;
    for need in needs {
        match need {
            Need::WalletNumber if payer.wallet.is_none() => return Err("wallet"),
            Need::CnicLast6 if payer.cnic_last6.is_none() => return Err("cnic"),
            Need::Email if payer.email.is_none() => return Err("email"),
            _ => {}
        }
    }
    Ok(Some(payer))
}

/// A button of a rule.
#[derive(Deserialize)]
pub struct TurnForm {
    form: String,
    number: String,
    what: String,
}

/// Pauses, resumes or ends a rule.
pub async fn turn(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<TurnForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let own = own_number(&web, &visitor, Some(&form.number)).await?.chosen;
    let (action, what) = match form.what.as_str() {
        "pause" => (AutoAction::Pause, "paused"),
        "resume" => (AutoAction::Resume, "resumed"),
        "end" => (AutoAction::End(false), "ended"),
        _ => return Err(Fault::BadField.into()),
    };
    // To let money flow again is to order it; to stop it never waits for a password.
    if action == AutoAction::Resume {
        if visitor.sign_in.is_none_or(|sign_in| sign_in.locked) {
            return Err(Fault::Unauthorized.into());
        }
        if visitor.fresh(web.now()).is_none() {
            return Ok(to_sign_in("/auto"));
        }
    }
    let ends = matches!(action, AutoAction::End(_));
    let account = own.account;
    web.parts.core.call(Command::Auto { account, action }).await?;
    if ends {
        let (place, now) = (visitor.place.clone(), web.now());
        web.people(move |people| people.end_mandate(account, &place, now))
            .await?;
    }
    Ok(done(own.number, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        let all = [
            AutoDate::Never,
            AutoDate::Weekly(7),
            AutoDate::Monthly(31),
            AutoDate::BeforeExpiry(2),
        ];
        for date in all {
            assert_eq!(date_of(&date_name(date)), Some(date));
        }
        for wrong in ["w0", "w8", "m32", "x0", "w", "q1", "w-1", "۱۲"] {
            assert_eq!(date_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn means_come_back_and_nothing_else_is_read() {
        let payer = Payer {
            wallet: Msisdn::new(923_411_728_699).ok(),
            email: None,
            cnic_last6: Some("345678".to_owned()),
            token: None,
        };
        assert!(payer_of(&means_of(&payer)) == Some(payer));
        assert!(payer_of(b"x").is_none());
        assert_eq!(last_digits("923411728699"), "699");
    }
}
