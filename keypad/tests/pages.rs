//! Every page of the menu of every shipped operator, in three languages: it fits, its numbers are isolated, and it leads on.

use charge::account::{Account, LifeCycle, Lot, Origin, Renewal};
use charge::catalog::keypad::Function;
use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Catalog, Catalogs, Language, Scope};
use charge::ids::{AccountId, Code, Imsi, LotId, Msisdn};
use charge::tax::{RegionCode, TaxClass};
use charge::time::{DAY, Zone};
use charge::unit::Amount;
use charge::{Money, Timestamp, Unit};
use keypad::menu::{self, Action, Stage, Step, View};
use keypad::say::isolated;
use std::collections::VecDeque;
use wire::ussd::{PageSize, fits_in, pages_in};

/// 2026-11-21T12:00:00Z.
const NOW: Timestamp = Timestamp(1_795_262_400_000_000);

fn catalogs() -> Catalogs {
    let names = [
        "pakistan.toml",
        "jazz.toml",
        "telenor.toml",
        "zong.toml",
        "ufone.toml",
    ];
    let texts = names.map(|name| {
        std::fs::read_to_string(format!("{}/../catalog/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    });
    let files: Vec<SourceFile<'_>> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| SourceFile { name, text })
        .collect();
    let zone = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
    parse_all(&files, &zone).unwrap()
}

/// An account with a balance and a bucket of everything that the operator sells.
fn account(catalog: &Catalog, language: Language, balance: Money) -> Account {
    let lot = |id: u32, unit, amount: i64, scope, origin, source| Lot {
        id: LotId(id),
        unit,
        origin,
        priority: 100,
        amount: Amount(amount),
        reserved: Amount::ZERO,
        initial: Amount(amount),
        granted_at: NOW,
        expires_at: NOW.plus(30 * DAY),
        scope,
        step: Amount(1),
        waives_setup: false,
        source,
    };
    let mut lots = vec![
        lot(1, Unit::Money, balance.0, Scope::ANY, Origin::Paid, Code::EMPTY),
        lot(2, Unit::Money, 20_000_000, Scope::ANY, Origin::Bonus, Code::EMPTY),
    ];
    let offers = catalog.offers.iter().take(6);
    for bucket in offers.clone().flat_map(|offer| &offer.buckets) {
        let id = u32::try_from(lots.len() + 1).unwrap();
        lots.push(lot(
            id,
            bucket.unit,
            bucket.amount.0,
            bucket.scope,
            Origin::Bundle,
            Code::EMPTY,
        ));
    }
    Account {
        id: AccountId(1),
        operator: catalog.operator,
        msisdn: Msisdn::parse("923001234567").unwrap(),
        imsi: Imsi::parse("410010123456789").ok(),
        language,
        tax_class: TaxClass::Standard,
        region: RegionCode::default(),
        state: LifeCycle::Active,
        opened_at: NOW,
        valid_until: NOW.plus(90 * DAY),
        recharged: true,
        low_balance_noticed: false,
        next_lot: 99,
        version: 1,
        refundable: Money::ZERO,
        lots,
        sessions: Vec::new(),
        renewals: offers
            .map(|offer| Renewal {
                offer: offer.code,
                due_at: NOW.plus(DAY),
            })
            .collect(),
        purchases: Vec::new(),
        earned: Vec::new(),
        recent: VecDeque::new(),
    }
}

fn check(text: &str, more: &str, what: &str) {
    assert!(
        !text.contains("keypad-") && !text.contains("problem-"),
        "{what}: {text}"
    );
    let sized = [PageSize::FULL, PageSize::SHORT].into_iter().flat_map(|size| {
        pages_in(text, more, size)
            .into_iter()
            .map(move |page| (size, page))
    });
    for (size, page) in sized {
        assert!(fits_in(&page, size), "{what}: {page}");
        assert_eq!(
            page.matches('\u{2066}').count(),
            page.matches('\u{2069}').count(),
            "{what}: {page}"
        );
        let rtl = |c: char| ('\u{600}'..='\u{6ff}').contains(&c);
        for line in page.lines().filter(|line| line.chars().any(rtl)) {
            // Outside isolates no digit stands in a right-to-left line.
            let mut inside = false;
            for c in line.chars() {
                match c {
                    '\u{2066}' => inside = true,
                    '\u{2069}' => inside = false,
                    c => assert!(inside || !c.is_ascii_digit(), "{what}: {line:?}"),
                }
            }
        }
    }
}

/// Walks through the whole menu and counts pages and purchases.
fn walk(stage: Stage, text: &str, view: View<'_>, depth: usize, seen: &mut (usize, usize)) {
    let more = isolated(&view.say().p("keypad-more"));
    check(
        text,
        &more,
        &format!("{} {:?} {stage:?}", view.catalog.code, view.account.language),
    );
    seen.0 += 1;
    if depth == 0 {
        return;
    }
    for choice in 1..=30 {
        match menu::typed(stage, &choice.to_string(), view) {
            // Not on the list: the same page again.
            Step::Ask(next, _) if next == stage => break,
            Step::Ask(next, text) => walk(next, &text, view, depth - 1, seen),
            Step::End(text) => check(&text, &more, &format!("{stage:?} {choice}")),
            Step::Do(Action::Buy { at_most, .. }) => {
                assert!(at_most.is_positive());
                seen.1 += 1;
            }
            Step::Do(_) => {}
        }
    }
}

#[test]
fn every_page_of_every_operator_fits_in_three_languages() {
    let catalogs = catalogs();
    for catalog in catalogs.iter() {
        for language in Language::ALL {
            for balance in [Money::ZERO, Money::from_units(100_000)] {
                let account = account(catalog, language, balance);
                let view = View {
                    account: &account,
                    catalog,
                    catalogs: &catalogs,
                    now: NOW,
                    cards: true,
                };
                let mut seen = (0, 0);
                let Step::Ask(stage, text) = menu::open(Function::Menu, view) else {
                    panic!("the menu asks")
                };
                walk(stage, &text, view, 5, &mut seen);
                assert!(seen.0 > 20, "{seen:?}");
                let renewable = catalog
                    .offers
                    .iter()
                    .filter(|o| o.for_sale && o.renewable)
                    .count();
                let sold = catalog.offers.iter().filter(|o| o.for_sale).count();
                if balance == Money::ZERO {
                    assert!(
                        seen.1 < sold,
                        "what costs more than the balance is not offered: {seen:?}"
                    );
                } else {
                    assert_eq!(
                        seen.1,
                        sold + renewable,
                        "every bundle can be bought, when there is money"
                    );
                }
            }
        }
    }
}

#[test]
fn codes_of_the_catalog_lead_where_they_say() {
    let catalogs = catalogs();
    for (code, dialled, begins) in [
        (
            "jazz",
            "*111#",
            "PKR 120.00 2027-02-19\nYour balance is Rs 120.00, valid until 2027-02-19.\nBonus in it: Rs 20.00.",
        ),
        ("telenor", "*444#", "PKR 120.00 2027-02-19"),
        ("zong", "*222#", "PKR 120.00 2027-02-19"),
        ("ufone", "*124#", "PKR 120.00 2027-02-19"),
        ("jazz", "*99#", "Your number is 0300 1234567."),
        ("jazz", "*111*2#", "{left}"),
        ("jazz", "*6611#", "Stop\n1 Renewals (6)\n2 Messages with offers"),
        ("telenor", "*888#", "Your number is"),
        ("telenor", "*999#", "{left}"),
        ("telenor", "*345#", "Telenor\n1 Balance\n2 What is left\n"),
        ("zong", "*8#", "Your number is"),
        ("zong", "*102#", "{left}"),
        ("zong", "*310#", "Zong\n1 Balance\n2 What is left\n"),
        ("zong", "*6464#", "Bundles\n1 "),
        ("ufone", "*1#", "Your number is"),
        ("ufone", "*706#", "{left}"),
        ("ufone", "*3#", "Ufone\n1 Balance\n2 What is left\n"),
        (
            "jazz",
            "*443*6#",
            "Welcome: 1 GB with the first recharge, until 2099-12-31\nLoad Rs 500, get 1 GB, until 2026-12-31\n",
        ),
        (
            "jazz",
            "*443#",
            "Jazz\n1 Balance\n2 What is left\n3 My number\n4 Buy a bundle\n",
        ),
        ("jazz", "*443*4*2#", "Weekly\n1 Weekly SMS Rs 40.00"),
        (
            "jazz",
            "*757#",
            "Daily Extreme, Rs 35.00 with tax, until 2026-11-23\nData",
        ),
        ("jazz", "*100*03001234567*50#", "This is not offered yet."),
        ("jazz", "*112#", "This is not offered yet."),
        ("jazz", "*999999#", "This code is not known. Everything: *443#"),
        ("jazz", "hello", "This code is not known."),
        ("jazz", "*123#", "Type the digits of the card."),
        ("jazz", "*123*12ab#", "This code is not known."),
        ("jazz", "*123*1234#", "These are not the digits of a card."),
        ("jazz", "*500*03001234567*100#", "To sell: number*amount*PIN"),
    ] {
        let catalog = catalogs.by_code(code).unwrap();
        let account = account(catalog, Language::En, Money::from_units(100));
        let view = View {
            account: &account,
            catalog,
            catalogs: &catalogs,
            now: NOW,
            cards: true,
        };
        let left = menu::data(view);
        let begins = if begins == "{left}" { left.as_str() } else { begins };
        match menu::dial(dialled, view) {
            Step::Ask(_, text) | Step::End(text) => assert!(text.starts_with(begins), "{dialled}: {text}"),
            Step::Do(action) => panic!("{dialled}: {action:?}"),
        }
    }
    let catalog = catalogs.by_code("jazz").unwrap();
    let account = account(catalog, Language::En, Money::from_units(100));
    let view = View {
        account: &account,
        catalog,
        catalogs: &catalogs,
        now: NOW,
        cards: true,
    };
    let Step::Do(Action::Redeem(pin)) = menu::dial("*123*12345678901234#", view) else {
        panic!("a card")
    };
    assert_eq!(pin.reveal(), "12345678901234");
    assert_eq!(format!("{pin:?}"), "***", "a PIN is not printed");
    let Step::Do(Action::Shop(order)) = menu::dial("*500*03217654321*100*4711*2#", view) else {
        panic!("a sale")
    };
    assert!(!format!("{order:?}").contains("4711"), "{order:?}");
}
