//! The page in a real Chromium: sign in, look, ask why, change the language, at a small and a large screen.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Browser, Programs};
use common::{NUMBER, Service};
use std::path::PathBuf;

/// Where pictures are kept when RASEED_SCREENSHOTS names a directory.
fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
        std::fs::create_dir_all(&directory).unwrap();
        browser.screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
    }
}

/// Nothing sticks out of the screen.
#[track_caller]
fn fits(browser: &Browser) {
    let wide = browser.run(
        "return [...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(); \
         return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1) && !e.closest('.skip'); }) \
         .map(e => e.outerHTML.slice(0, 120)).slice(0, 5)",
    );
    assert_eq!(wide, serde_json::json!([]), "wider than the screen");
}

#[test]
fn a_person_signs_in_and_sees_why() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::with_story();
    let browser = Browser::open(&programs, false);
    for (width, height) in [(360, 740), (1280, 900)] {
        browser.size(width, height);
        browser.go(&format!("{}/?lang=en", service.url));
        browser.until("document.querySelector('#number') !== null");
        fits(&browser);
        picture(&browser, &format!("start-{width}"));
        let sent = service.codes.count();
        browser.fill("#number", "0300 1234567");
        browser.click(".sign-in button");
        browser.until("document.querySelector('#code') !== null");
        fits(&browser);
        picture(&browser, &format!("code-{width}"));
        let fetch = format!(
            "return fetch('/demo/inbox?number={NUMBER}').then(r => r.text()).then(html => \
             new DOMParser().parseFromString(html, 'text/html').querySelector('.bubble p').innerText)"
        );
        service.eventually(|| (service.codes.count() > sent).then_some(()));
        let message = browser.run(&fetch).as_str().unwrap().to_owned();
        let code: String = message.chars().filter(char::is_ascii_digit).take(6).collect();
        browser.fill("#code", &code);
        browser.click(".sign-in button");
        browser.until("document.querySelector('#balance') !== null");
        look_at_the_account(&browser, &service, width);
        browser.go(&format!("{}/demo?number={NUMBER}", service.url));
        fits(&browser);
        assert!(browser.text(".inbox .bubble p").contains(&code));
        picture(&browser, &format!("demo-{width}"));
        browser.go(&format!("{}/more", service.url));
        fits(&browser);
        picture(&browser, &format!("more-{width}"));
        browser.click("main .who button");
        browser.until("location.pathname === '/'");
    }
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("page.rs");
}

fn look_at_the_account(browser: &Browser, service: &Service, width: u32) {
    fits(browser);
    let balance = service.main_balance();
    let shown = charge::Money::parse(&balance).unwrap().shown();
    assert_eq!(browser.text("#balance"), shown);
    assert!(
        browser
            .run("return document.querySelectorAll('.ring, .chart svg').length")
            .as_i64()
            .unwrap()
            >= 2
    );
    picture(browser, &format!("account-en-{width}"));
    browser.click("details.line[data-kind=recharge] summary");
    let why = "document.querySelector('details.line[data-kind=recharge] .why li')?.innerText";
    let why = browser.until(why);
    assert!(!why.as_str().unwrap().is_empty());
    let tax = "document.querySelector('details.line[data-kind=recharge] .why').innerText.includes('39.13')";
    browser.until(tax);
    fits(browser);
    picture(browser, &format!("why-en-{width}"));

    browser.click(".languages a[lang=ur]");
    browser.until("document.documentElement.dir === 'rtl' && document.documentElement.lang === 'ur'");
    fits(browser);
    assert!(browser.text("#balance-title").contains("بیلنس"));
    let number = browser.run("return document.querySelector('.who .number').textContent");
    assert_eq!(number, "0300 1234567");
    let in_order = browser.run(
        "const n = document.querySelector('.big'); const s = n.querySelector('.symbol').getBoundingClientRect(); \
         const b = n.querySelector('#balance').getBoundingClientRect(); return s.left < b.left",
    );
    assert_eq!(in_order, true, "Rs stands before the number also in Urdu");
    browser.click("details.line[data-kind=recharge] summary");
    browser.until("document.querySelector('details.line[data-kind=recharge] .why li')?.innerText");
    picture(browser, &format!("account-ur-{width}"));

    browser.click(".languages a[lang=zh]");
    browser.until("document.documentElement.dir === 'ltr' && document.documentElement.lang === 'zh'");
    fits(browser);
    assert!(browser.text("#balance-title").contains("余额"));
    picture(browser, &format!("account-zh-{width}"));
    browser.click(".languages a[lang=en]");
    browser.until("document.documentElement.lang === 'en'");
}

#[test]
fn a_shop_sells_and_a_person_buys() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::with_story();
    let browser = Browser::open(&programs, true);
    browser.size(1280, 900);
    browser.go(&format!("{}/demo?number={NUMBER}&lang=en", service.url));
    browser.fill("#amount", "500");
    browser.click(".till button");
    browser.until("document.querySelector('.receipt dd') !== null");
    assert!(browser.text(".receipt").contains("Rs 434.78"));
    picture(&browser, "receipt-dark-1280");
    browser.click("form[action='/code'] button");
    browser.until("document.querySelector('#code') !== null");
    let code = service.eventually(|| service.codes.last(NUMBER));
    browser.fill("#code", &code);
    browser.click(".sign-in button");
    browser.until("document.querySelector('#balance') !== null");
    browser.click("nav.places a[href='/bundles']");
    browser.click("#shop .confirm summary");
    browser.click("#shop .confirm[open] button.primary");
    browser.until("document.querySelector('.banner.good') !== null");
    fits(&browser);
    picture(&browser, "account-dark-1280");
    assert!(
        browser
            .run("return document.querySelectorAll('.owned').length")
            .as_i64()
            .unwrap()
            >= 2
    );
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("page.rs");
}
