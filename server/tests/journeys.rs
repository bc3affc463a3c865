//! Every way to pay, in a real Chromium, in three languages, on a phone and on a desktop: number, amount, the rail's page,
//! the receipt; each page against WCAG 2.2 AA; and once with a keyboard alone.

mod browser;
mod demo;

use browser::{Axe, Browser, Programs};
use demo::Demo;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The number of the demo's story.
const NUMBER: &str = "0300 1234567";
const LANGUAGES: [&str; 3] = ["en", "ur", "zh"];

/// What the payer does after pressing "pay".
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pays {
    /// On the rail's page, with this button on each of its pages.
    There(&'static str),
    /// On the phone: nothing to do here.
    OnThePhone,
    /// From a bank's app, later: a reference is shown, with a code to scan or without.
    Later { qr: bool },
}

const WAYS: [(&str, Pays); 7] = [
    ("jazzcash", Pays::There("button[value=approve]")),
    ("jazzcash-wallet", Pays::OnThePhone),
    ("easypaisa", Pays::OnThePhone),
    ("card", Pays::There("button[value=approve]")),
    ("paypal", Pays::There("button[value=approve]")),
    ("raast", Pays::Later { qr: true }),
    ("bank", Pays::Later { qr: false }),
];

/// What is wrong on which pages.
#[derive(Default)]
struct Looks {
    wrong: BTreeMap<String, Vec<String>>,
}

impl Looks {
    /// Looks at the present page, and keeps a picture where RASEED_SCREENSHOTS says so.
    fn at(&mut self, browser: &Browser, axe: Option<&Axe>, name: &str) {
        for told in axe.iter().flat_map(|axe| axe.wrong(browser)) {
            self.wrong.entry(told).or_default().push(name.to_owned());
        }
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::create_dir_all(&directory).unwrap();
            browser.screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
        }
    }
}

/// Number and amount, up to the list of ways to pay.
fn review(browser: &Browser, demo: &Demo, language: &str) {
    browser.go(&format!("{}/recharge?lang={language}", demo.url));
    browser.fill("#number", NUMBER);
    browser.click("main form button");
    browser.until("document.querySelector('#amount') !== null");
    browser.fill("#amount", "100");
    browser.click("main form[action='/recharge'] button");
    browser.until("document.querySelector('form[action=\"/recharge/pay\"]') !== null");
    let facts = browser.text("main .facts");
    assert!(facts.contains("13.04") && facts.contains("86.96"), "{facts}");
}

fn until_paid(browser: &Browser) {
    browser.until("location.pathname.startsWith('/pay/') && document.querySelector('.banner.good') !== null");
    let said = browser.text(".banner.good");
    assert!(said.contains("86.96"), "{said}");
}

fn pay(browser: &Browser, rail: &str, pays: Pays) {
    let ours = browser.run("return location.origin");
    browser.click(&format!("input[name=rail][value='{rail}']"));
    if pays == Pays::OnThePhone {
        browser.click("form[action='/recharge/pay'] summary");
        browser.fill("#wallet", "0341 1728699");
        browser.fill("#cnic", "345678");
        browser.fill("#email", "payer@example.test");
    }
    browser.click("input[name=confirm]");
    browser.click("form[action='/recharge/pay'] button.primary");
    match pays {
        Pays::OnThePhone => until_paid(browser),
        Pays::There(button) => {
            let away = format!("location.origin !== {ours} && document.querySelector('{button}') !== null");
            browser.until(&away);
            loop {
                browser.click(button);
                let next =
                    format!("location.origin === {ours} || document.querySelector('{button}') !== null");
                browser.until(&next);
                if browser.run(&format!("return location.origin === {ours}")) == true {
                    break;
                }
            }
            until_paid(browser);
        }
        Pays::Later { qr } => {
            browser.until(
                "document.querySelector('main .facts') !== null && !document.querySelector('#amount')",
            );
            let shown = browser.run("return document.querySelector('main svg') !== null");
            assert_eq!(shown, qr, "{rail}");
            let shown = browser.text("main .facts");
            assert!(shown.contains("PK36") || qr, "the account to pay into: {shown}");
        }
    }
}

#[test]
fn every_way_to_pay_in_every_language_on_phone_and_desktop() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let demo = Demo::start();
    let mut looks = Looks::default();
    for (turn, language) in LANGUAGES.into_iter().enumerate() {
        for (index, (rail, pays)) in WAYS.into_iter().enumerate() {
            // A guest of each rail; over the three languages each rail is seen on phone and desktop.
            let width = if (turn + index) % 2 == 0 { 360 } else { 1280 };
            let browser = Browser::open(&programs, turn == 1);
            browser.size(width, 780);
            review(&browser, &demo, language);
            if index < 2 {
                looks.at(
                    &browser,
                    axe.as_ref(),
                    &format!("recharge-review-{language}-{width}"),
                );
            }
            pay(&browser, rail, pays);
            looks.at(&browser, axe.as_ref(), &format!("pay-{rail}-{language}-{width}"));
            if rail == "jazzcash" {
                browser.click("form[action^='/pay/'] button.danger");
                browser.until(
                    "document.querySelector('.banner.good') !== null && \
                     !document.querySelector('.button.primary[href^=\"/recharge\"]')",
                );
                looks.at(&browser, axe.as_ref(), &format!("pay-undone-{language}-{width}"));
            }
            // The sandboxes' pages have no icon; only ours count.
            let complaints: Vec<String> = browser.complaints();
            let ours: Vec<&String> = complaints
                .iter()
                .filter(|told| told.contains(&demo.url))
                .collect();
            assert!(ours.is_empty(), "{rail} {language}: {ours:?}");
        }
    }
    assert!(looks.wrong.is_empty(), "{:#?}", looks.wrong);
    programs.took_part("journeys.rs");
    if let Some(axe) = axe {
        axe.took_part("journeys.rs");
    }
}

/// Tab until this has the focus.
fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..80 {
        if browser.run(&format!(
            "return document.activeElement?.matches(\"{selector}\") === true"
        )) == true
        {
            return;
        }
        browser.press("Tab");
    }
    panic!("{selector} is not reached by Tab");
}

#[test]
fn a_recharge_needs_no_mouse() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start();
    let browser = Browser::open(&programs, false);
    browser.size(1280, 900);
    browser.go(&format!("{}/recharge?lang=en", demo.url));
    tab_to(&browser, "#number");
    browser.press(NUMBER);
    browser.press("Enter");
    browser.until("document.querySelector('#amount') !== null");
    tab_to(&browser, "#amount");
    browser.press("100");
    browser.press("Enter");
    browser.until("document.querySelector('form[action=\"/recharge/pay\"]') !== null");
    // The first way to pay is chosen already.
    tab_to(&browser, "input[name=confirm]");
    browser.press(" ");
    tab_to(&browser, "form[action='/recharge/pay'] button.primary");
    browser.press("Enter");
    browser.until("location.pathname.startsWith('/CustomerPortal')");
    tab_to(&browser, "button[value=approve]");
    browser.press("Enter");
    until_paid(&browser);
}
