//! Scratch cards in a real Chromium, on a phone, in three languages, against WCAG 2.2 AA: redeemed for oneself and for
//! somebody else, used, mistyped, and locked.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use common::press::active;
use common::{SECOND_NUMBER, Service};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is wrong on which pages.
struct Looks<'a> {
    browser: &'a Browser,
    axe: Option<Axe>,
    wrong: BTreeMap<String, Vec<String>>,
}

impl Looks<'_> {
    fn at(&mut self, name: &str) {
        for told in self.axe.iter().flat_map(|axe| axe.wrong(self.browser)) {
            self.wrong.entry(told).or_default().push(name.to_owned());
        }
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::create_dir_all(&directory).unwrap();
            self.browser
                .screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
        }
    }
}

fn types(browser: &Browser, number: &str, pin: &str) {
    browser.fill("#number", number);
    browser.fill("#pin", pin);
    browser.turn("form[action='/recharge/card'] button.primary");
}

#[test]
fn a_card_is_redeemed_on_a_phone_in_three_languages() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::start();
    service.subscriber(SECOND_NUMBER);
    let (_, cards) = active(&service, 12);
    let mut cards = cards.into_iter();
    let browser = Browser::open(&programs, false);
    let mut looks = Looks {
        browser: &browser,
        axe: Axe::find(),
        wrong: BTreeMap::new(),
    };
    for language in ["en", "ur", "zh"] {
        browser.size(360, 740);
        browser.go(&format!("{}/recharge/card?lang={language}", service.url));
        looks.at(&format!("card-{language}-360"));
        let (_, pin) = cards.next().unwrap();
        let grouped: Vec<String> = pin
            .as_bytes()
            .chunks(4)
            .map(|four| String::from_utf8_lossy(four).into())
            .collect();
        let before = balance(&service);
        types(&browser, "0300 1234567", &grouped.join(" "));
        browser.until("document.querySelector('#done') !== null");
        let facts = browser.text("main .facts");
        assert!(facts.contains("86.96") && facts.contains("13.04"), "{facts}");
        assert_eq!(balance(&service) - before, 86_956_522);
        assert!(
            !browser
                .run("return document.documentElement.outerHTML")
                .as_str()
                .unwrap()
                .contains(&pin)
        );
        looks.at(&format!("card-done-{language}-360"));

        // Used, and for a number that is nobody's, and a PIN that is none.
        browser.click("main a[href='/recharge/card']");
        types(&browser, SECOND_NUMBER, &pin);
        browser.until("document.querySelector('#wrong') !== null");
        assert_eq!(browser.run("return document.querySelector('#pin').value"), "");
        looks.at(&format!("card-used-{language}-360"));
        types(&browser, "0399 9", "1234");
        browser.until("document.querySelector('#wrong-number') !== null");
        looks.at(&format!("card-number-{language}-360"));
        types(&browser, SECOND_NUMBER, "12345678901234");
        browser.until("document.querySelector('#wrong') !== null");
        looks.at(&format!("card-wrong-{language}-360"));
    }
    // Five wrong tries have locked the number, which is said; a good card does not help then.
    let (_, pin) = cards.next().unwrap();
    types(&browser, SECOND_NUMBER, &pin);
    assert_eq!(browser.run("return document.querySelector('#done')"), Value::Null);
    let told = browser.text("#wrong");
    assert!(
        told.contains("卡密输错次数过多") && told.contains("分钟后重试"),
        "{told}"
    );
    looks.at("card-locked-zh-360");
    // Whoever goes on faster than anybody types is told to wait, whichever number it is.
    let told = (0..40).find_map(|guess| {
        types(&browser, SECOND_NUMBER, &format!("9876543210{guess:04}"));
        let told = browser.text("#wrong");
        (!told.contains("卡密输错次数过多")).then_some(told)
    });
    assert!(
        told.as_ref().is_some_and(|told| told.contains("分钟后重试")),
        "{told:?}"
    );
    assert!(looks.wrong.is_empty(), "{:#?}", looks.wrong);
    let mut complaints = browser.complaints();
    // What was refused on purpose.
    complaints.retain(|line| !line.contains("status of 4"));
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("cards_in_browser.rs");
    if let Some(axe) = looks.axe {
        axe.took_part("cards_in_browser.rs");
    }
}

fn balance(service: &Service) -> i64 {
    let shown = service.main_balance();
    charge::Money::parse(&shown).unwrap().0
}
