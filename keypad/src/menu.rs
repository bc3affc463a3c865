//! The menu: what was dialled or typed and what one has, to a page or an action. Pure.

use crate::limits::CARD_DIGITS;
use crate::say::{Say, balance_line, isolated};
use crate::shop::{Order, order_of_parts};
use charge::account::{LifeCycle, Origin};
use charge::catalog::keypad::{Dialled, Function};
use charge::catalog::{Catalog, Catalogs, Language, Offer, Period};
use charge::decide::price_for;
use charge::{Account, Code, Money, Refusal, Timestamp};
use std::fmt;
use web::api::subscribers::buckets;
use web::problem::Fault;

/// What the menu looks at.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Whose phone it is.
    pub account: &'a Account,
    /// What its operator sells.
    pub catalog: &'a Catalog,
    /// All operators.
    pub catalogs: &'a Catalogs,
    /// The time.
    pub now: Timestamp,
    /// Whether scratch cards are taken here.
    pub cards: bool,
}

impl<'a> View<'a> {
    /// Words in the language of the account.
    pub fn say(&self) -> Say<'a> {
        Say {
            language: self.account.language,
            catalog: self.catalog,
        }
    }
}

/// Where somebody is in the menu. Holds nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The list of everything.
    Menu,
    /// Daily, weekly, monthly, other.
    Periods,
    /// Bundles of a period.
    List(Period),
    /// One bundle.
    Offer(Code),
    /// Really?
    Sure {
        /// The bundle.
        offer: Code,
        /// Renew it by itself.
        renew: bool,
        /// The price that was shown.
        at_most: Money,
    },
    /// Asked for a card.
    Card,
    /// What to stop.
    Stop,
    /// Which language.
    Language,
}

/// A text that must not be printed: the PIN of a card or of a shop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    /// The text, for who must know it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Something that the menu wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Buy a bundle.
    Buy {
        /// Which.
        offer: Code,
        /// Renew it by itself.
        renew: bool,
        /// Not above this price.
        at_most: Money,
    },
    /// Redeem a scratch card.
    Redeem(Secret),
    /// No bundle renews by itself any more.
    StopRenewals,
    /// No advertising any more.
    StopOffers,
    /// Neither of both.
    Unsubscribe,
    /// Another language.
    Speak(Language),
    /// What a shop asks.
    Shop(Order),
}

/// What comes of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A page that waits for an answer.
    Ask(Stage, String),
    /// The last page.
    End(String),
    /// Do this, then say what came of it.
    Do(Action),
}

/// The functions of the main menu, by their number there.
pub const MENU: [Function; 10] = [
    Function::Balance,
    Function::Data,
    Function::Number,
    Function::Bundles,
    Function::Recharge,
    Function::Offers,
    Function::Stop,
    Function::Language,
    Function::Share,
    Function::Advance,
];

const PERIODS: [Period; 4] = [Period::Daily, Period::Weekly, Period::Monthly, Period::OneOff];

/// Somebody dialled: `*111#`, `*123*PIN#`. What stands behind the code of a page that takes nothing is typed into it.
pub fn dial(text: &str, view: View<'_>) -> Step {
    match view.catalog.dialled(text) {
        Dialled::Unknown => Step::End(isolated(
            &view
                .say()
                .with("keypad-unknown", &[("code", menu_code(view.catalog).into())]),
        )),
        Dialled::Offer(code) => offer(code, view),
        Dialled::Function(Function::Recharge, parts) => match parts[..] {
            [pin] => redeem(pin, view),
            _ => open(Function::Recharge, view),
        },
        Dialled::Function(Function::Sell, parts) => match order_of_parts(&parts, view.catalogs) {
            Ok(order) => Step::Do(Action::Shop(order)),
            Err(wrong) => Step::End(isolated(&wrong.said(view.say()))),
        },
        Dialled::Function(Function::Share | Function::Advance, _) => later(view),
        Dialled::Function(function, parts) => {
            let mut step = open(function, view);
            for part in parts {
                match step {
                    Step::Ask(stage, _) => step = typed(stage, part, view),
                    _ => break,
                }
            }
            step
        }
    }
}

/// Somebody answered a page.
pub fn typed(stage: Stage, input: &str, view: View<'_>) -> Step {
    let input: String = input
        .trim()
        .chars()
        .map(|c| web::number::latin_digit(c).unwrap_or(c))
        .collect();
    if input == "0" && stage != Stage::Card {
        return open(Function::Menu, view);
    }
    let choice = input.parse::<usize>().ok().and_then(|typed| typed.checked_sub(1));
    match stage {
        Stage::Menu => match choice.and_then(|choice| MENU.get(choice)) {
            Some(function) => open(*function, view),
            None => wrong(stage, view),
        },
        Stage::Periods => match choice.and_then(|choice| PERIODS.get(choice)) {
            Some(period) => page(Stage::List(*period), view),
            None => wrong(stage, view),
        },
        Stage::List(period) => {
            let chosen = choice.and_then(|choice| listed(period, view).get(choice).map(|o| o.code));
            match chosen {
                Some(code) => offer(code, view),
                None => wrong(stage, view),
            }
        }
        Stage::Offer(code) => match (view.catalog.offer(code.as_str()), choice) {
            (Some(offer), Some(0)) => sure(offer, false, view),
            (Some(offer), Some(1)) if offer.renewable => sure(offer, true, view),
            (Some(_), _) => wrong(stage, view),
            (None, _) => open(Function::Bundles, view),
        },
        Stage::Sure {
            offer,
            renew,
            at_most,
        } => match choice {
            Some(0) => Step::Do(Action::Buy {
                offer,
                renew,
                at_most,
            }),
            Some(1) => Step::End(isolated(&view.say().p("keypad-not-bought"))),
            _ => wrong(stage, view),
        },
        Stage::Card => redeem(&input, view),
        Stage::Stop => match choice {
            Some(0) => Step::Do(Action::StopRenewals),
            Some(1) => Step::Do(Action::StopOffers),
            _ => wrong(stage, view),
        },
        Stage::Language => match choice.and_then(|choice| Language::ALL.get(choice)) {
            Some(language) => Step::Do(Action::Speak(*language)),
            None => wrong(stage, view),
        },
    }
}

/// The first page of a function.
pub fn open(function: Function, view: View<'_>) -> Step {
    let say = view.say();
    let stage = match function {
        Function::Menu => Stage::Menu,
        Function::Bundles => Stage::Periods,
        Function::Stop => Stage::Stop,
        Function::Language => Stage::Language,
        Function::Recharge if view.cards => Stage::Card,
        Function::Recharge => return Step::End(isolated(&say.p("keypad-no-cards"))),
        Function::Balance => return Step::End(balance(view)),
        Function::Data => return Step::End(data(view)),
        Function::Number => return Step::End(own_number(view)),
        Function::Offers => return Step::End(offers(view)),
        Function::Share | Function::Advance => return later(view),
        Function::Sell => return Step::End(isolated(&say.p("keypad-sell-how"))),
    };
    page(stage, view)
}

/// The page of a stage.
fn page(stage: Stage, view: View<'_>) -> Step {
    let say = view.say();
    let text = match stage {
        Stage::Menu => {
            let items = MENU.map(|function| say.p(&format!("keypad-menu-{}", function.name())));
            list(say.catalog.name.get(say.language), &items)
        }
        Stage::Periods => {
            let items =
                PERIODS.map(|period| say.p(&format!("period-{}", web::api::bundles::period_name(period))));
            list(&say.p("keypad-bundles"), &items)
        }
        Stage::List(period) => {
            let items: Vec<String> = listed(period, view)
                .into_iter()
                .map(|offer| {
                    let price = price_for(view.account, view.catalog, offer, view.now).gross;
                    format!("{} {}", offer.name.get(say.language), say.money(price))
                })
                .collect();
            if items.is_empty() {
                return Step::End(isolated(&say.p("keypad-none")));
            }
            list(
                &say.p(&format!("period-{}", web::api::bundles::period_name(period))),
                &items,
            )
        }
        Stage::Card => say.p("keypad-card"),
        Stage::Stop => {
            let count = i64::try_from(view.account.renewals.len()).unwrap_or(i64::MAX);
            let renewals = say.with("keypad-stop-renewals", &[("count", count.into())]);
            list(&say.p("keypad-stop"), &[renewals, say.p("keypad-stop-offers")])
        }
        Stage::Language => list(
            &say.p("keypad-language"),
            &["English", "اردو", "中文"].map(str::to_owned),
        ),
        Stage::Offer(code) => return offer(code, view),
        Stage::Sure { offer, renew, .. } => {
            return match view.catalog.offer(offer.as_str()) {
                Some(offer) => sure(offer, renew, view),
                None => open(Function::Bundles, view),
            };
        }
    };
    Step::Ask(stage, isolated(&text))
}

/// The same page again, with a word about it.
fn wrong(stage: Stage, view: View<'_>) -> Step {
    let text = view.say().p("keypad-wrong-choice");
    match page(stage, view) {
        Step::Ask(stage, page) => Step::Ask(stage, format!("{}\n{page}", isolated(&text))),
        other => other,
    }
}

fn later(view: View<'_>) -> Step {
    Step::End(isolated(&view.say().p("keypad-later")))
}

/// The balance: the line that programs read, then words.
pub fn balance(view: View<'_>) -> String {
    let (say, account) = (view.say(), view.account);
    let balance = account.main_total(view.now);
    let mut lines = vec![balance_line(view.catalog, balance, account.valid_until)];
    let values = [
        ("amount", say.money(balance).into()),
        ("date", say.day(account.valid_until).into()),
    ];
    lines.push(say.with("keypad-balance", &values));
    let bonus: Money = account
        .lots
        .iter()
        .filter(|lot| lot.is_main() && lot.origin == Origin::Bonus && lot.expires_at > view.now)
        .map(|lot| Money(lot.amount.0))
        .sum();
    if bonus.is_positive() {
        lines.push(say.with("keypad-bonus", &[("amount", say.money(bonus).into())]));
    }
    match account.state {
        LifeCycle::Active => {}
        LifeCycle::Expired => lines.push(say.p("warning-expired")),
        LifeCycle::Suspended => lines.push(say.p("warning-suspended")),
        LifeCycle::Closed => lines.push(say.p("warning-closed")),
    }
    isolated(&lines.join("\n"))
}

/// What is left of bundles.
pub fn data(view: View<'_>) -> String {
    let say = view.say();
    let mut lines: Vec<String> = buckets(view.account, view.now)
        .map(|lot| {
            let values = [
                ("what", say.what(&lot.scope, lot.unit).into()),
                ("left", say.amount(lot.unit, lot.amount).into()),
                ("date", say.day(lot.expires_at).into()),
            ];
            say.with("keypad-left", &values)
        })
        .collect();
    if lines.is_empty() {
        lines.push(say.with("keypad-nothing-left", &[("code", menu_code(view.catalog).into())]));
    }
    isolated(&lines.join("\n"))
}

/// The own number.
pub fn own_number(view: View<'_>) -> String {
    let number = view.say().number(view.account.msisdn, view.catalogs);
    isolated(&view.say().with("keypad-number", &[("number", number.into())]))
}

/// What is on offer now.
pub fn offers(view: View<'_>) -> String {
    let say = view.say();
    let mut lines: Vec<String> = view
        .catalog
        .promotions
        .iter()
        .filter(|promotion| promotion.listed && promotion.from <= view.now && promotion.until > view.now)
        .map(|promotion| {
            let values = [
                ("name", promotion.name.get(say.language).into()),
                ("date", say.day(promotion.until.plus(-1)).into()),
            ];
            say.with("keypad-offer-until", &values)
        })
        .collect();
    if lines.is_empty() {
        lines.push(say.p("keypad-no-offers"));
    }
    isolated(&lines.join("\n"))
}

/// Bundles of a period, the cheapest first.
fn listed<'a>(period: Period, view: View<'a>) -> Vec<&'a Offer> {
    let mut offers: Vec<&Offer> = view
        .catalog
        .offers
        .iter()
        .filter(|offer| offer.for_sale && offer.period == period)
        .collect();
    offers.sort_by_key(|offer| {
        (
            price_for(view.account, view.catalog, offer, view.now).gross,
            offer.code,
        )
    });
    offers
}

fn offer(code: Code, view: View<'_>) -> Step {
    let say = view.say();
    let Some(offer) = view.catalog.offer(code.as_str()).filter(|offer| offer.for_sale) else {
        return Step::End(isolated(&say.p(&Fault::Refused(Refusal::NoSuchOffer).key())));
    };
    let text = format!(
        "{}\n1 {}{}",
        described(offer, view),
        say.p("keypad-buy"),
        if offer.renewable {
            format!("\n2 {}", say.p("keypad-buy-renew"))
        } else {
            String::new()
        }
    );
    Step::Ask(Stage::Offer(code), isolated(&text))
}

/// Name, price and content of a bundle.
pub fn described(offer: &Offer, view: View<'_>) -> String {
    let say = view.say();
    let price = price_for(view.account, view.catalog, offer, view.now).gross;
    let ends = offer.validity.end(view.now, &view.catalog.zone).plus(-1);
    let values = [
        ("name", offer.name.get(say.language).into()),
        ("price", say.money(price).into()),
        ("date", say.day(ends).into()),
    ];
    let mut lines = vec![say.with("keypad-offer", &values)];
    lines.extend(offer.buckets.iter().map(|bucket| {
        format!(
            "{} {}",
            say.what(&bucket.scope, bucket.unit),
            say.amount(bucket.unit, bucket.amount)
        )
    }));
    lines.join("\n")
}

fn sure(offer: &Offer, renew: bool, view: View<'_>) -> Step {
    let say = view.say();
    let price = price_for(view.account, view.catalog, offer, view.now).gross;
    let name = offer.name.get(say.language);
    let left = view.account.main_balance(view.now) - price;
    if left.0 < 0 {
        let values = [
            ("name", name.into()),
            ("price", say.money(price).into()),
            ("balance", say.money(view.account.main_balance(view.now)).into()),
        ];
        return Step::End(isolated(&say.with("keypad-too-little", &values)));
    }
    let values = [
        ("name", name.into()),
        ("price", say.money(price).into()),
        ("left", say.money(left).into()),
    ];
    let question = say.with(if renew { "keypad-sure-renew" } else { "keypad-sure" }, &values);
    let text = list(&question, &[say.p("keypad-yes"), say.p("keypad-no")]);
    let stage = Stage::Sure {
        offer: offer.code,
        renew,
        at_most: price,
    };
    Step::Ask(stage, isolated(&text))
}

/// The digits of a card, however they came.
pub fn dial_card(digits: &str, view: View<'_>) -> Step {
    let latin: String = digits
        .chars()
        .map(|c| web::number::latin_digit(c).unwrap_or(c))
        .collect();
    redeem(&latin, view)
}

fn redeem(pin: &str, view: View<'_>) -> Step {
    if !view.cards {
        return Step::End(isolated(&view.say().p("keypad-no-cards")));
    }
    let pin: String = pin.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if CARD_DIGITS.contains(&pin.len()) && pin.bytes().all(|digit| digit.is_ascii_digit()) {
        Step::Do(Action::Redeem(Secret(pin)))
    } else {
        Step::End(isolated(&view.say().p("keypad-bad-card")))
    }
}

/// The code of the menu, to tell people; the balance code of an operator without a menu.
pub fn menu_code(catalog: &Catalog) -> &str {
    catalog
        .keypad
        .code(Function::Menu)
        .unwrap_or(&catalog.contact.balance_dial)
}

fn list(title: &str, items: &[String]) -> String {
    let mut text = title.to_owned();
    for (index, item) in items.iter().enumerate() {
        text.push_str(&format!("\n{} {item}", index + 1));
    }
    text
}
