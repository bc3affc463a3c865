//! The side of staff in a real Chromium: set up and signed in with a keyboard alone, then every page in three languages, on a
//! phone and on a desk, against WCAG 2.2 AA.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use charge::command::Unmatched;
use charge::payment::Price;
use charge::{Code, Command, Money};
use common::client::Client;
use common::file_desk::FileDesk;
use common::press::{active, change};
use common::staff::{PASSWORD, code, invite};
use common::{NUMBER, Service};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn service() -> Service {
    let service = Service::start_paying(|core| {
        Arc::new(FileDesk {
            core: Arc::clone(core),
            said: Mutex::default(),
        })
    });
    for (reference, rupees) in [("20261121-1", 100), ("20261121-2", 9_000)] {
        service.call_core(Command::Suspend(Box::new(Unmatched {
            rail: Code::new("bank").unwrap(),
            reference: reference.to_owned(),
            paid: Price::pkr(Money::from_units(rupees)),
        })));
    }
    let mut subscriber = Client::signed_in(&service);
    subscriber.get("/complaints/new");
    subscriber.post("/complaints", "category=billing&body=too+much");
    subscriber.get("/not-me");
    subscriber.post("/not-me", "about=strange");
    let file = "order,reference,type,amount,fee,currency,time\n\
        ,X1,payment,250.00,1.00,PKR,2026-11-21 17:00:00\n";
    let key = format!("Bearer {}", service.admin);
    let headers = [("authorization", key.as_str()), ("content-type", "text/csv")];
    let path = "/v1/reconciliations?rail=bank&day=2026-11-21";
    assert_eq!(service.send("POST", path, &headers, file).status, 200);
    // A card that is no more, and guesses until the number is locked.
    let (batch, cards) = active(&service, 20);
    change(
        &service,
        batch,
        &json!({"state": "recalled", "first": cards[0].0}),
    );
    let guesses = (0..8).map(|guess| format!("{:014}", 99_000_000_000_000_u64 + guess));
    for pin in std::iter::once(cards[0].1.clone()).chain(guesses) {
        let body = json!({"msisdn": NUMBER, "pin": pin, "channel": "ivr"}).to_string();
        service.api(&service.admin, "POST", "/v1/vouchers/redeem", &body);
    }
    service.eventually(|| {
        let seen = service.api(&service.admin, "GET", "/v1/card-attempts", "").json();
        (!seen["numbers"].as_array().unwrap().is_empty()).then_some(())
    });
    service
}

/// Types into the fields of a page from the one that has the focus, and presses Enter.
fn type_all(browser: &Browser, first: &str, texts: &[&str]) {
    browser.run(&format!("document.querySelector('{first}').focus(); return true"));
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            browser.press("Tab");
        }
        browser.press(text);
    }
    browser.press("Enter");
}

fn come_in(browser: &Browser, service: &Service) {
    let link = invite(service, "root", "admin");
    browser.go(&format!("{}{link}", service.url));
    let totp = browser.text("#totp-key").replace(' ', "");
    type_all(browser, "#password", &[PASSWORD, &code(&totp, service.now())]);
    browser.until("location.pathname === '/staff/sign-in'");
    service.pass(Duration::from_secs(60));
    let second = code(&totp, service.now());
    type_all(browser, "#name", &["root", PASSWORD, &second]);
    browser.until("location.pathname === '/staff'");
}

/// The first link of a list.
fn first(browser: &Browser, service: &Service, list: &str) -> String {
    browser.go(&format!("{}{list}", service.url));
    let path = browser.run("return document.querySelector('.table tbody a').getAttribute('href')");
    path.as_str().expect("a link").to_owned()
}

/// Comes in, and names every page with its address.
fn pages_of(browser: &Browser, service: &Service) -> Vec<(String, String)> {
    browser.size(1280, 900);
    browser.go(&format!("{}/staff/sign-in?lang=en", service.url));
    let mut pages = vec![("sign-in".to_owned(), "/staff/sign-in".to_owned())];
    come_in(browser, service);
    for list in ["complaints", "locks", "exceptions", "suspense"] {
        let path = format!("/staff/{list}");
        pages.push((format!("{list}-one"), first(browser, service, &path)));
        pages.push((list.to_owned(), path));
    }
    // A wish, and an account that is open.
    browser.go(&format!(
        "{}{}",
        service.url,
        first(browser, service, "/staff/suspense")
    ));
    let large =
        browser.run("return [...document.querySelectorAll('dd')].some(e => e.textContent.includes('9,000'))");
    if large != true {
        browser.go(&format!("{}/staff/suspense", service.url));
        browser.click(".table tbody tr:last-child a");
    }
    browser.until("document.querySelector('#assign-number') !== null");
    browser.fill("#assign-number", "0300 1234567");
    browser.click("form:has(#assign-number) button");
    browser.until("location.pathname.startsWith('/staff/approvals/')");
    pages.push((
        "approval".to_owned(),
        browser
            .run("return location.pathname")
            .as_str()
            .unwrap()
            .to_owned(),
    ));
    browser.go(&format!("{}/staff/subscribers", service.url));
    type_all(browser, "#find-number", &[NUMBER, "called us"]);
    browser.until("/subscribers.[0-9]/.test(location.pathname)");
    pages.push((
        "subscriber".to_owned(),
        browser
            .run("return location.pathname")
            .as_str()
            .unwrap()
            .to_owned(),
    ));
    pages.push((
        "cards-batch".to_owned(),
        first(browser, service, "/staff/cards/batches"),
    ));
    pages.push(("cards-batches".to_owned(), "/staff/cards/batches".to_owned()));
    pages.push(("cards".to_owned(), "/staff/cards".to_owned()));
    for name in ["", "/subscribers", "/approvals", "/figures", "/trail", "/team"] {
        pages.push((
            format!("staff{}", name.replace('/', "-")),
            format!("/staff{name}"),
        ));
    }
    pages
}

#[test]
fn every_page_of_staff_meets_wcag_22_aa_in_three_languages() {
    let (Some(programs), Some(axe)) = (Programs::find(), Axe::find()) else {
        return;
    };
    let service = service();
    let browser = Browser::open(&programs, false);
    let pages = pages_of(&browser, &service);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for language in ["en", "ur", "zh"] {
        for (theme, width) in [("light", 360), ("dark", 768), ("light", 1280)] {
            browser.size(width, 900);
            browser.go(&format!("{}/staff?lang={language}", service.url));
            browser.go(&format!("{}/staff?theme={theme}", service.url));
            for (name, path) in &pages {
                browser.go(&format!("{}{path}", service.url));
                let where_ = format!("{name} {language} {theme} {width}");
                let direction = if language == "ur" { "rtl" } else { "ltr" };
                let said =
                    browser.run("return [document.documentElement.lang, document.documentElement.dir]");
                assert_eq!(said, json!([language, direction]), "{where_}");
                let landed = browser.run("return location.pathname");
                assert_eq!(landed, json!(path), "{where_}");
                let mut found = axe.wrong(&browser);
                let wide = browser.run("return document.documentElement.scrollWidth");
                if wide.as_u64().unwrap_or(u64::MAX) > u64::from(width) {
                    found.push(format!("wider than the screen: {wide}"));
                }
                for told in found {
                    wrong.entry(told).or_default().push(where_.clone());
                }
                if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
                    std::fs::create_dir_all(&directory).unwrap();
                    let name = format!("staff-{name}-{language}-{width}.png");
                    browser.screenshot(&PathBuf::from(directory).join(name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut complaints = browser.complaints();
    // The one that was refused on purpose is none.
    complaints.retain(|line| !line.contains("favicon"));
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("staff_in_browser.rs");
    axe.took_part("staff_in_browser.rs");
}

/// Draws the golden images anew: `cargo test --workspace --test staff_in_browser -- --ignored golden`. People look at them.
#[test]
#[ignore = "writes docs/images/staff; run it when a page has changed, and look"]
fn golden_images() {
    let programs = Programs::find().expect("a browser");
    let service = service();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/staff");
    std::fs::create_dir_all(&place).unwrap();
    let browser = Browser::open(&programs, false);
    let pages = pages_of(&browser, &service);
    for language in ["en", "ur", "zh"] {
        browser.go(&format!("{}/staff?lang={language}", service.url));
        browser.go(&format!("{}/staff?theme=light", service.url));
        for (width, hundredths) in [(360, 60), (768, 40), (1280, 36)] {
            for (name, path) in &pages {
                browser.size(width, 800);
                browser.go(&format!("{}{path}", service.url));
                browser.small_picture(
                    &place.join(format!("{name}-{language}-{width}.png")),
                    width,
                    hundredths,
                );
            }
        }
    }
}
