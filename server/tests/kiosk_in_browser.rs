//! The touch screen in a real Chromium as large as a kiosk: three languages, by touch and by keyboard, with the rules of
//! WCAG, when nobody touches it any more, and on paper.

mod browser;
mod harness;
mod mall;

use browser::{Axe, Browser, Programs};
use mall::{Mall, Mode};
use sim::kiosk::acceptor::Trick;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const WIDTH: u32 = 1080;
const HEIGHT: u32 = 1920;

/// Looks at the present page: rules, size, complaints, picture.
fn look(browser: &Browser, axe: Option<&Axe>, name: &str) {
    if let Some(axe) = axe {
        assert_eq!(axe.wrong(browser), Vec::<String>::new(), "{name}");
    }
    // Larger letters may be scrolled; what is pressed next stays at the lower edge.
    if browser.run("return document.documentElement.classList.contains('large')") == false {
        let tall = browser
            .run("return document.documentElement.scrollHeight")
            .as_u64()
            .unwrap();
        assert!(tall <= u64::from(HEIGHT), "{name} is {tall} high");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
    if let Some(dir) = std::env::var_os("RASEED_SCREENSHOTS") {
        browser.screenshot(&PathBuf::from(dir).join(format!("kiosk-{name}.png")));
    }
}

fn type_number(browser: &Browser, digits: &str) {
    for digit in digits.chars() {
        browser.click(&format!("[data-key='{digit}']"));
    }
}

#[test]
fn people_recharge_by_touch_in_three_languages() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let mall = Mall::open("");
    let browser = Browser::open(&programs, false);
    browser.size(WIDTH, HEIGHT);
    for (count, (language, direction, done)) in [
        ("en", "ltr", "The number is recharged"),
        ("ur", "rtl", "نمبر ریچارج ہو گیا"),
        ("zh", "ltr", "充值成功"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = |page: &str| format!("{language}-{page}");
        browser.go(mall.url());
        browser.until("document.querySelector('.tongues')");
        look(&browser, axe.as_ref(), &name("1-start"));
        browser.click(&format!("button[value={language}]"));
        browser.until("document.querySelector('#number')");
        assert_eq!(browser.run("return document.documentElement.dir"), direction);
        // A mistake is told, and the number typed anew.
        type_number(&browser, "0300");
        browser.click(".ask .primary");
        browser.until("document.querySelector('[role=alert]')");
        look(&browser, axe.as_ref(), &name("2-number"));
        type_number(&browser, "03001234567");
        browser.click(".ask .primary");
        browser.until("document.querySelector('.amounts')");
        look(&browser, axe.as_ref(), &name("3-choose"));
        browser.click(".others a");
        browser.until("document.querySelector('#amount')");
        type_number(&browser, "150");
        look(&browser, axe.as_ref(), &name("4-amount"));
        browser.click(".ask .primary");
        browser.until("document.querySelector('.payways')");
        look(&browser, axe.as_ref(), &name("5-confirm"));
        browser.click("button[value=cash]");
        browser.until("document.querySelector('.money')");
        mall.until("the slot opens", |mall| {
            (!mall.acceptor.takes().is_empty()).then_some(())
        });
        mall.note(100);
        browser.until("document.querySelector('.sum').textContent.includes('100')");
        mall.acceptor.insert(500);
        browser.until("document.querySelector('.money .banner')");
        look(&browser, axe.as_ref(), &name("6-pay"));
        mall.note(50);
        browser.until(&format!(
            "document.querySelector('h1').textContent.includes('{done}')"
        ));
        browser.until("document.querySelector('.slip')");
        look(&browser, axe.as_ref(), &name("7-done"));
        assert_eq!(
            browser.run("return sessionStorage.getItem('printed')"),
            (count + 1).to_string(),
            "the slip prints itself"
        );
        if let Some(dir) = std::env::var_os("RASEED_SCREENSHOTS") {
            let file = PathBuf::from(dir).join(format!("kiosk-slip-{language}.pdf"));
            std::fs::write(file, browser.pdf(80)).unwrap();
        }
        browser.click(".low .primary");
        browser.until("document.querySelector('.tongues')");
    }
    mall.agree(3, 450, 0);
    let elsewhere: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|url| url.starts_with("http") && !url.starts_with(mall.url()))
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new(), "nothing comes from elsewhere");
    if let Some(axe) = &axe {
        axe.took_part("kiosk_in_browser");
    }
    programs.took_part("kiosk_in_browser");
}

#[test]
fn everything_works_with_a_keyboard_large_letters_and_strong_contrast() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let mall = Mall::open("");
    let browser = Browser::open(&programs, false);
    browser.size(WIDTH, HEIGHT);
    browser.go(mall.url());
    browser.until("document.querySelector('.tongues')");
    let tab_to = |selector: &str| {
        for _ in 0..60 {
            browser.press("Tab");
            if browser.run(&format!("return document.activeElement.matches(\"{selector}\")")) == true {
                let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
                assert_ne!(outline, "none", "{selector} shows that it has the focus");
                return;
            }
        }
        panic!("{selector} cannot be reached with Tab");
    };
    tab_to("button[value=en]");
    browser.press("Enter");
    browser.until("document.querySelector('#number')");
    for what in ["large", "contrast"] {
        tab_to(&format!("button[value={what}]"));
        browser.press("Enter");
        browser.until(&format!("document.documentElement.classList.contains('{what}')"));
    }
    look(&browser, axe.as_ref(), "keys-1-number");
    // A scanner is a keyboard: it types and presses Enter, wherever the focus is.
    browser.run("document.activeElement.blur()");
    browser.press("tel:+923001234567");
    browser.press("Enter");
    browser.until("document.querySelector('.amounts')");
    look(&browser, axe.as_ref(), "keys-2-choose");
    // A bundle, and as much as its price with tax comes to in notes.
    tab_to(".bundles .bundle");
    browser.press("Enter");
    browser.until("document.querySelector('.payways')");
    look(&browser, axe.as_ref(), "keys-3-confirm");
    tab_to("button[value=cash]");
    browser.press("Enter");
    browser.until("document.querySelector('.money')");
    look(&browser, axe.as_ref(), "keys-4-pay");
    let pays = |mall: &Mall| {
        mall.until("it is paid", |mall| {
            if let Some(note) = mall.acceptor.takes().last() {
                mall.acceptor.insert(*note);
            }
            (mall.book()["orders"]["paying"] == serde_json::json!([])).then_some(())
        });
    };
    pays(&mall);
    mall.until_state(1, "credited");
    browser.until("document.querySelector('.slip')");
    look(&browser, axe.as_ref(), "keys-5-done");
    let order = mall.command(&["order", "1"]).json();
    assert_ne!(order["bundle"], "");
    assert!(
        !browser
            .run("return document.body.innerText")
            .as_str()
            .unwrap()
            .contains("was not bought")
    );
    let owned = mall.admin.see("/v1/subscribers/923001234567/bundles");
    assert!(
        owned["bundles"]
            .as_array()
            .unwrap()
            .iter()
            .any(|bundle| bundle["code"] == order["bundle"]),
        "{owned}"
    );

    tab_to(".low .primary");
    browser.press("Enter");
    browser.until("document.querySelector('.tongues')");
    assert_eq!(
        browser.run("return document.documentElement.className"),
        "kiosk",
        "the next one begins anew"
    );

    // Without a line, with a note that is stuck: the slip says so.
    mall.line.set(Mode::Down);
    mall.until("the line is down", |mall| {
        mall.get("/").contains("The line is down").then_some(())
    });
    browser.go(mall.url());
    look(&browser, axe.as_ref(), "offline-1-start");
    mall.pay_cash("200");
    browser.go(mall.url());
    browser.until("document.querySelector('.money')");
    mall.note(100);
    browser.until("document.querySelector('.sum').textContent.includes('100')");
    mall.acceptor.play(Trick::JamInside);
    mall.note(100);
    browser.until("document.querySelector('.slip')");
    look(&browser, axe.as_ref(), "offline-2-stuck");
    browser.click(".low .primary");
    browser.until("document.querySelector('.hello')");
    look(&browser, axe.as_ref(), "offline-3-closed");
}

#[test]
fn a_screen_that_nobody_touches_begins_anew() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let mall = Mall::open("idle_s = 1\npay_idle_s = 4\nresult_s = 2");
    let browser = Browser::open(&programs, false);
    browser.size(WIDTH, HEIGHT);
    browser.go(mall.url());
    browser.click("button[value=en]");
    browser.until("document.querySelector('#there[open]')");
    look(&browser, axe.as_ref(), "idle");
    browser.click("#there button");
    browser.until("!document.querySelector('#there[open]') && document.querySelector('#number')");
    let until = Instant::now() + Duration::from_secs(40);
    while browser.run("return document.querySelector('.tongues') !== null") == false {
        assert!(Instant::now() < until, "the screen does not begin anew");
        std::thread::sleep(Duration::from_millis(200));
    }

    // Somebody puts one note in and walks away: the number gets it, and the screen begins anew.
    mall.pay_cash("300");
    browser.go(mall.url());
    browser.until("document.querySelector('.money')");
    mall.note(100);
    mall.until_state(1, "credited");
    browser.until("document.querySelector('.slip')");
    browser.until("document.querySelector('.tongues')");
    mall.agree(1, 100, 0);
}
