//! The app in a real Chromium: every page in three languages, light and dark, against WCAG 2.2 AA; what goes over the
//! wire; without a network; with a keyboard alone; and the golden images.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Axe, Browser, Programs};
use common::client::Client;
use common::{NUMBER, Service};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Pages of anybody, then pages of a member. A new page gets a line.
const OPEN_PAGES: [(&str, &str); 12] = [
    ("welcome", "/"),
    ("more", "/more"),
    ("offline", "/offline"),
    ("help", "/help"),
    ("outlets", "/outlets?near=Karachi"),
    ("verify", "/verify"),
    ("offers", "/offers"),
    ("recharge", "/recharge"),
    ("card", "/recharge/card"),
    ("sign-in", "/sign-in"),
    ("sign-up", "/sign-up"),
    ("complaint-guest", "/complaints/guest"),
];
const MEMBER_PAGES: [(&str, &str); 16] = [
    ("home", "/"),
    ("bundles", "/bundles"),
    (
        "compare",
        "/bundles/compare?offer=daily-extreme&offer=weekly-all-in-one",
    ),
    ("statement", "/statement"),
    ("receipts", "/receipts"),
    ("budget", "/budget"),
    ("auto", "/auto"),
    ("complaints", "/complaints"),
    ("complaint-new", "/complaints/new"),
    ("complaint", "/complaints/C-2026-000001"),
    ("recharge-review", "/recharge?number=03001234567&amount=500"),
    ("profile", "/profile"),
    ("security", "/security"),
    ("privacy", "/privacy"),
    ("not-me", "/not-me"),
    ("demo", "/demo"),
];
const LANGUAGES: [&str; 3] = ["en", "ur", "zh"];
/// What the first page may weigh with everything that comes along, in bytes.
const FIRST_PAGE_BYTES_MAX: u64 = 100 * 1024;

/// A wire between browser and service that counts and can be cut.
struct Wire {
    url: String,
    to_browser: Arc<AtomicU64>,
    is_cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    fn to(service: &Service) -> Wire {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wire = Wire {
            url: format!("http://{}", listener.local_addr().unwrap()),
            to_browser: Arc::default(),
            is_cut: Arc::default(),
            streams: Arc::default(),
        };
        let target = service.url.trim_start_matches("http://").to_owned();
        let (count, is_cut) = (Arc::clone(&wire.to_browser), Arc::clone(&wire.is_cut));
        let streams = Arc::clone(&wire.streams);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&target) else {
                    return;
                };
                let mut kept = streams.lock().unwrap();
                kept.push(near.try_clone().unwrap());
                kept.push(far.try_clone().unwrap());
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let count = Arc::clone(&count);
                std::thread::spawn(move || carry(near, far, None));
                std::thread::spawn(move || carry(far_too, near_too, Some(&count)));
            }
        });
        wire
    }

    fn cut(&self, cut: bool) {
        self.is_cut.store(cut, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, count: Option<&AtomicU64>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        if let Some(count) = count {
            count.fetch_add(read as u64, Ordering::SeqCst);
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn sign_in(browser: &Browser, service: &Service, url: &str) {
    browser.go(&format!("{url}/?lang=en"));
    let sent = service.codes.count();
    browser.fill("#number", "0300 1234567");
    browser.click(".sign-in button");
    browser.until("document.querySelector('#code') !== null");
    service.eventually(|| (service.codes.count() > sent).then_some(()));
    browser.fill("#code", &service.codes.last(NUMBER).unwrap());
    browser.click(".sign-in button");
    browser.until("document.querySelector('#balance') !== null");
}

/// A member with bundles, a complaint, an address and a standing order, so that there is something to draw.
fn member() -> Service {
    let service = Service::with_story_and_wallet();
    let mut owner = Client::signed_in(&service);
    owner.get("/complaints/new");
    let body = "about=&category=billing&body=A+call+of+one+minute+was+charged+as+three.";
    let made = owner.post("/complaints", body);
    assert_eq!(made.header("location"), "/complaints/C-2026-000001");
    owner.get("/profile");
    assert_eq!(
        owner.post("/profile/email", "email=sana%40example.org").status,
        200
    );
    let code = service.eventually(|| {
        let mails = service.codes.1.lock().unwrap();
        let (_, text) = mails.last()?;
        let mut words = text.split(|c: char| !c.is_ascii_digit());
        words.find(|word| word.len() == 6).map(str::to_owned)
    });
    let told = service.codes.0.lock().unwrap().len();
    let proved = owner.post("/profile/email/prove", &format!("code={code}"));
    assert_eq!(proved.status, 303);
    service.eventually(|| (service.codes.0.lock().unwrap().len() > told).then_some(()));
    // Codes may be asked for again.
    service.pass(Duration::from_secs(3_600));
    service.buys("daily-extreme", 71);
    service.orders_auto();
    service.has_outlets();
    service
}

/// The page of a payment that this browser has begun.
fn begins_payment(browser: &Browser, service: &Service) -> String {
    browser.go(&format!("{}/sign-in", service.url));
    let token = browser.run("return document.querySelector('input[name=form]').value");
    format!("/pay/{}", service.begins_payment(token.as_str().unwrap()))
}

#[test]
fn every_page_meets_wcag_22_aa() {
    let (Some(programs), Some(axe)) = (Programs::find(), Axe::find()) else {
        return;
    };
    let service = member();
    let browser = Browser::open(&programs, false);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut look = |pages: &[(&str, &str)]| {
        for language in LANGUAGES {
            for (theme, width) in [("light", 360), ("dark", 768), ("light", 1280)] {
                browser.size(width, 800);
                browser.go(&format!("{}/more?lang={language}", service.url));
                browser.go(&format!("{}/more?theme={theme}", service.url));
                for (name, path) in pages {
                    browser.go(&format!("{}{path}", service.url));
                    let where_ = format!("{name} {language} {theme} {width}");
                    let direction = if language == "ur" { "rtl" } else { "ltr" };
                    let said =
                        browser.run("return [document.documentElement.lang, document.documentElement.dir]");
                    assert_eq!(said, json!([language, direction]), "{where_}");
                    let mut found = axe.wrong(&browser);
                    let wide = browser.run("return document.documentElement.scrollWidth");
                    if wide.as_u64().unwrap_or(u64::MAX) > u64::from(width) {
                        found.push(format!("wider than the screen: {wide}"));
                    }
                    for told in found {
                        wrong.entry(told).or_default().push(where_.clone());
                    }
                }
            }
        }
    };
    look(&OPEN_PAGES);
    let pay = begins_payment(&browser, &service);
    look(&[("pay", &pay)]);
    sign_in(&browser, &service, &service.url);
    look(&MEMBER_PAGES);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("app_in_browser.rs");
    axe.took_part("app_in_browser.rs");
}

#[test]
fn the_first_page_is_light_and_all_requests_are_ours() {
    let Some(programs) = Programs::find() else { return };
    let service = member();
    let wire = Wire::to(&service);
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    browser.go(&format!("{}/", wire.url));
    browser.until("navigator.serviceWorker.ready.then(() => true)");
    std::thread::sleep(Duration::from_millis(500));
    let welcome = wire.to_browser.load(Ordering::SeqCst);
    println!("the welcome page, service worker and icons included: {welcome} bytes");
    assert!(welcome < FIRST_PAGE_BYTES_MAX, "{welcome} bytes");
    sign_in(&browser, &service, &wire.url);
    for (_, path) in OPEN_PAGES.iter().chain(&MEMBER_PAGES) {
        browser.go(&format!("{}{path}", wire.url));
    }
    let requests = browser.requests();
    assert!(requests.len() > 20, "{requests:?}");
    let strangers: Vec<&String> = requests
        .iter()
        // The browser's own pages (its new tab) are no pages of ours.
        .filter(|url| {
            !url.starts_with(&format!("{}/", wire.url))
                && !url.starts_with("chrome")
                && !url.starts_with("data:")
        })
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    drop(browser);

    // The whole way to home on a new device: welcome, code, home, and every file they need.
    let wire = Wire::to(&service);
    let browser = Browser::open(&programs, false);
    sign_in(&browser, &service, &wire.url);
    std::thread::sleep(Duration::from_millis(500));
    let way = wire.to_browser.load(Ordering::SeqCst);
    println!("from the first address to the balance: {way} bytes");
    assert!(way < FIRST_PAGE_BYTES_MAX, "{way} bytes");
    programs.took_part("app_in_browser.rs");
}

#[test]
fn without_a_network_the_last_balance_is_there_until_sign_out() {
    let Some(programs) = Programs::find() else { return };
    let service = member();
    let wire = Wire::to(&service);
    let browser = Browser::open(&programs, false);
    browser.size(360, 740);
    browser.go(&format!("{}/", wire.url));
    browser.until("navigator.serviceWorker.ready.then(() => true)");
    browser.until("navigator.serviceWorker.controller !== null");
    sign_in(&browser, &service, &wire.url);
    browser.go(&format!("{}/bundles", wire.url));
    browser.go(&format!("{}/receipts", wire.url));
    browser.go(&format!("{}/", wire.url));
    let kept = "caches.open('raseed-kept').then(c => c.keys()).then(keys => keys.map(k => new URL(k.url).pathname).sort().join())";
    browser.until(&format!("{kept}.then(kept => kept === '/,/receipts')"));
    let balance = browser.text("#balance");

    wire.cut(true);
    browser.go(&format!("{}/", wire.url));
    assert_eq!(browser.text("#balance"), balance);
    let told = browser.text("#away");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.starts_with("You are offline. This is as of "), "{told}");
    assert!(told.rsplit(' ').next().unwrap().contains(':'), "{told}");
    browser.go(&format!("{}/receipts", wire.url));
    assert!(browser.text("main").contains("Rs 300.00"));
    browser.go(&format!("{}/bundles", wire.url));
    assert_eq!(browser.text("h1"), "You are offline");

    wire.cut(false);
    browser.go(&format!("{}/more", wire.url));
    browser.click("main .who button");
    browser.until("location.pathname === '/' && document.querySelector('#number') !== null");
    browser.until(&format!("{kept}.then(kept => kept === '')"));
    wire.cut(true);
    browser.go(&format!("{}/", wire.url));
    assert_eq!(browser.text("h1"), "You are offline");
    programs.took_part("app_in_browser.rs");
}

/// Presses Tab until the focus is on a match; every stop on the way can be seen and is not covered.
#[track_caller]
fn tab_to(browser: &Browser, selector: &str) {
    for _ in 0..60 {
        browser.press("Tab");
        let stop = browser.run(&format!(
            "const e = document.activeElement; const r = e.getBoundingClientRect(); const s = getComputedStyle(e); \
             const at = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2); \
             const seen = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; \
             return [e.matches({selector:?}), e === document.body || (seen && !!at && (e.contains(at) || at.contains(e))), \
             e.outerHTML.slice(0, 120)]"
        ));
        assert_eq!(stop[1], true, "the focus can be seen: {stop}");
        if stop[0] == true {
            return;
        }
    }
    panic!("the keyboard does not reach {selector}");
}

#[test]
fn a_keyboard_is_enough() {
    let Some(programs) = Programs::find() else { return };
    let service = member();
    let browser = Browser::open(&programs, false);
    browser.size(1280, 900);
    browser.go(&format!("{}/?lang=en", service.url));
    tab_to(&browser, ".skip");
    browser.press("Enter");
    tab_to(&browser, "#number");
    browser.press("03001234567");
    browser.press("Enter");
    browser.until("document.querySelector('#code') !== null");
    let code = service.eventually(|| service.codes.last(NUMBER));
    if browser.run("return document.activeElement.id") != "code" {
        tab_to(&browser, "#code");
    }
    browser.press(&code);
    browser.press("Enter");
    browser.until("document.querySelector('#balance') !== null");
    tab_to(&browser, "nav.places a[href='/statement']");
    browser.press("Enter");
    browser.until("location.pathname === '/statement'");
    tab_to(&browser, "details.line summary");
    browser.press("Enter");
    browser.until("document.querySelector('details.line[open] .why li')?.innerText");
    tab_to(&browser, "nav.themes a[href*='dark']");
    browser.press("Enter");
    browser.until("document.querySelector('link[media=all]') !== null");
    tab_to(&browser, "nav.places a[href='/bundles']");
    browser.press("Enter");
    browser.until("location.pathname === '/bundles'");
    tab_to(&browser, ".offer .confirm summary");
    browser.press("Enter");
    tab_to(&browser, ".offer .confirm[open] button.primary");
    browser.press("Enter");
    browser.until("document.querySelector('.banner.good, .banner.bad') !== null");
    assert!(browser.run("return document.querySelector('.banner.good') !== null") == true);
    programs.took_part("app_in_browser.rs");
}

/// Draws the golden images anew: `cargo test -p web --test app_in_browser -- --ignored golden`. People look at them.
#[test]
#[ignore = "writes docs/images/app; run it when a page has changed, and look"]
fn golden_images() {
    let programs = Programs::find().expect("a browser");
    let service = member();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/app");
    std::fs::create_dir_all(&place).unwrap();
    let browser = Browser::open(&programs, false);
    let draw = |pages: &[(&str, &str)]| {
        for language in LANGUAGES {
            browser.go(&format!("{}/more?lang={language}", service.url));
            for (width, hundredths) in [(360, 60), (768, 40), (1280, 36)] {
                for (name, path) in pages {
                    let themes: &[&str] = if *name == "home" {
                        &["light", "dark"]
                    } else {
                        &["light"]
                    };
                    for theme in themes {
                        browser.size(width, 800);
                        browser.go(&format!("{}/more?theme={theme}", service.url));
                        browser.go(&format!("{}{path}", service.url));
                        let dark = if *theme == "dark" { "-dark" } else { "" };
                        let file = place.join(format!("{name}-{language}-{width}{dark}.png"));
                        browser.small_picture(&file, width, hundredths);
                    }
                }
            }
        }
    };
    draw(&OPEN_PAGES);
    let pay = begins_payment(&browser, &service);
    draw(&[("pay", &pay)]);
    sign_in(&browser, &service, &service.url);
    browser.go(&format!("{}/budget", service.url));
    browser.fill("#target", "120");
    browser.click("main button.primary");
    browser.until("document.querySelector('.gauge') !== null");
    draw(&MEMBER_PAGES);
}
