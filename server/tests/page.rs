//! `raseed demo` as a person meets it: the binary runs, a real Chromium opens its page.

mod browser;
mod demo;

use browser::{Browser, Programs};
use demo::Demo;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
        std::fs::create_dir_all(&directory).unwrap();
        browser.screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
    }
}

#[test]
fn the_story_is_on_the_page() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start();
    let browser = Browser::open(&programs, false);
    for (width, height) in [(1280, 900), (360, 740)] {
        browser.size(width, height);
        browser.go(&format!("{}/demo?lang=en", demo.url));
        let messages = browser.until("document.querySelectorAll('.inbox .bubble').length");
        assert!(
            messages.as_i64().unwrap() >= 2,
            "the story's messages are in the handset"
        );
        browser.click("form[action='/code'] button");
        browser.until("document.querySelector('#code') !== null");
        browser.fill("#code", &code(&browser));
        browser.click(".sign-in button");
        browser.until("document.querySelector('#balance') !== null");
        let balance = browser.text("#balance");
        let before = charge::Money::parse(&balance.replace(',', "")).expect("an amount");
        assert!(before >= charge::Money::ZERO);
        browser.click("nav.places a[href='/statement']");
        browser.until("location.pathname === '/statement'");
        for kind in ["recharge", "data", "voice"] {
            let line = format!("details.line[data-kind={kind}]");
            browser.click(&format!("{line} summary"));
            let why = browser.until(&format!("document.querySelector('{line} .why li')?.innerText"));
            assert!(!why.as_str().unwrap().is_empty());
        }
        picture(&browser, &format!("story-account-{width}"));
        browser.click(".languages a[lang=ur]");
        browser.until("document.documentElement.dir === 'rtl'");
        browser.click("details.line[data-kind=recharge] summary");
        browser.until("document.querySelector('details.line[data-kind=recharge] .why li')?.innerText");
        picture(&browser, &format!("story-account-ur-{width}"));
        browser.click(".languages a[lang=zh]");
        browser.until("document.documentElement.lang === 'zh'");
        picture(&browser, &format!("story-account-zh-{width}"));
        browser.click("nav.places a[href='/']");
        browser.until("document.querySelector('#balance') !== null");
        assert_eq!(browser.text("#balance"), balance);

        browser.go(&format!("{}/demo?lang=en", demo.url));
        browser.fill("#amount", "200");
        let bubbles = browser
            .run("return document.querySelectorAll('.inbox .bubble').length")
            .as_i64()
            .unwrap();
        browser.click(".till button");
        browser.until("document.querySelector('.receipt dd') !== null");
        assert!(browser.text(".receipt").contains("Rs 173.91"));
        browser.until(&format!(
            "document.querySelectorAll('.inbox .bubble').length > {bubbles}"
        ));
        picture(&browser, &format!("story-demo-{width}"));
        browser.go(&format!("{}/", demo.url));
        let after = charge::Money::parse(&browser.text("#balance").replace(',', "")).unwrap();
        // Both are rounded to a paisa for the eye, so their difference may be one off.
        let off = after - before - charge::Money::parse("173.91").unwrap();
        assert!(off.0.abs() <= 10_000, "{before} and then {after}");
        browser.go(&format!("{}/more", demo.url));
        browser.click("main .who button");
        browser.until("location.pathname === '/'");
    }
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("page.rs");
}

/// With nothing but what the demo prints, on a phone: into the till of the invented shop, a sale, its message, the outlets.
#[test]
fn the_invented_shop_sells_at_its_till_and_the_message_arrives() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start();
    let told = |before: &str| {
        let rest = demo
            .told
            .split(before)
            .nth(1)
            .unwrap_or_else(|| panic!("no {before}:\n{}", demo.told));
        let word = rest.split_whitespace().next().unwrap();
        word.trim_end_matches(',').to_owned()
    };
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    browser.go(&format!("{}?lang=en", told("The till of the invented shop:")));
    browser.until("location.pathname === '/pos/sign-in'");
    for (field, before) in [("#seller", " outlet "), ("#staff", " login "), ("#pin", " PIN ")] {
        browser.fill(field, &told(before));
    }
    browser.click("form.card button.primary");
    browser.until("location.pathname === '/pos'");
    browser.fill("#number", "0321 9876543");
    browser.fill("#amount", "137");
    browser.click("button[value=amount]");
    browser
        .until("document.querySelector('form[data-sells]') !== null && document.readyState === 'complete'");
    browser.click("form[data-sells] button");
    browser.until("document.querySelector('.slip-qr svg') !== null");
    assert_eq!(browser.text("#state"), "Done");
    picture(&browser, "till-sale");
    // The receipt of the customer is a message.
    browser.go(&format!("{}/demo?number=923219876543", demo.url));
    browser.until("[...document.querySelectorAll('.inbox .bubble')].some(b => b.innerText.includes('137'))");

    browser.go(&format!(
        "{}?near=Karachi%2C+Saddar",
        told("Invented outlets near each other:")
    ));
    let all = "[...document.querySelectorAll('.outlets > li')]";
    let names = browser.run(&format!("return {all}.map(one => one.id)"));
    let names = names.as_array().unwrap();
    assert!(
        names.len() >= 8 && names[..2].contains(&"outlet-demo-corner-shop".into()),
        "{names:?}"
    );
    assert_eq!(
        browser.run(&format!(
            "return {all}.every(one => one.querySelector('.synthetic'))"
        )),
        true
    );
    picture(&browser, "outlets");
    programs.took_part("page.rs");
}

/// The newest code in the handset, waited for.
fn code(browser: &Browser) -> String {
    let fetch = "return fetch('/demo/inbox').then(r => r.text()).then(html => \
        [...new DOMParser().parseFromString(html, 'text/html').querySelectorAll('.bubble p[dir]')] \
        .map(p => p.innerText)[0] ?? '')";
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let newest = browser.run(fetch);
        let newest = newest.as_str().unwrap();
        if newest.contains("is your code") {
            return newest.chars().filter(char::is_ascii_digit).take(6).collect();
        }
        assert!(Instant::now() < deadline, "no code came: {newest}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
