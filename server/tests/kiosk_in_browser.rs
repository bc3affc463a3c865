//! The touch screen in a real Chromium as large as a kiosk and as small as a phone: three languages, by touch and by keyboard,
//! with the rules of WCAG, when nobody touches it any more, and on paper.

mod browser;
mod harness;
mod mall;

use browser::{Axe, Browser, Programs, misfits, paper};
use mall::{Mall, Mode};
use serde_json::json;
use sim::kiosk::acceptor::Trick;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WIDTH: u32 = 1080;
const HEIGHT: u32 = 1920;
/// Somebody helps out with a phone while the screen of the kiosk is broken.
const PHONE: (u32, u32) = (360, 740);
/// The screen waits longer than a busy machine takes to look at it.
const PATIENT: &str = "idle_s = 300\npay_idle_s = 300\nresult_s = 300";

/// Looks at the present page: rules, size, complaints, picture.
fn look(browser: &Browser, axe: Option<&Axe>, name: &str) {
    if let Some(axe) = axe {
        assert_eq!(axe.wrong(browser), Vec::<String>::new(), "{name}");
    }
    assert_eq!(misfits(browser), json!([]), "{name}");
    let is = |script: &str| browser.run(&format!("return {script}"));
    // A phone zooms out until everything fits: its own width does not count.
    let wide = if is("innerHeight") == HEIGHT {
        WIDTH
    } else {
        PHONE.0
    };
    let width = is("document.documentElement.scrollWidth").as_u64().unwrap();
    assert!(width <= u64::from(wide), "{name} is {width} wide");
    // Larger letters may be scrolled, and so may a phone; what is pressed next stays at the lower edge.
    let kiosk = is("innerHeight") == HEIGHT;
    if kiosk && is("document.documentElement.classList.contains('large')") == false {
        let tall = is("document.documentElement.scrollHeight").as_u64().unwrap();
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
    let mall = Mall::open(PATIENT);
    let browser = Browser::open(&programs, false);
    browser.size(WIDTH, HEIGHT);
    let mut see = |name: &str, language: &str| look(&browser, axe.as_ref(), &format!("{language}-{name}"));
    walk(&browser, &mall, &mut see, &mut |name, pdf| {
        if let Some(dir) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::write(PathBuf::from(dir).join(format!("kiosk-{name}.pdf")), pdf).unwrap();
        }
    });
    mall.agree(3, 450, 0);
    let elsewhere: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|url| url.starts_with("http"))
        .filter(|url| !url.starts_with(mall.url()) && !url.starts_with(&mall.server.url))
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new(), "nothing comes from elsewhere");
    if let Some(axe) = &axe {
        axe.took_part("kiosk_in_browser");
    }
    programs.took_part("kiosk_in_browser");
}

#[test]
fn a_phone_is_a_kiosk_too() {
    let Some(programs) = Programs::find() else { return };
    let axe = Axe::find();
    let mall = Mall::open(PATIENT);
    let browser = Browser::open(&programs, false);
    browser.size(PHONE.0, PHONE.1);
    let mut see =
        |name: &str, language: &str| look(&browser, axe.as_ref(), &format!("phone-{language}-{name}"));
    walk(&browser, &mall, &mut see, &mut |_, _| {});
    mall.agree(3, 450, 0);
}

/// A recharge in each language, and every page on the way; ends with the first page.
fn walk(
    browser: &Browser,
    mall: &Mall,
    look: &mut dyn FnMut(&str, &str),
    printed: &mut dyn FnMut(&str, &[u8]),
) {
    for (order, (language, direction, done)) in (1..).zip([
        ("en", "ltr", "The number is recharged"),
        ("ur", "rtl", "نمبر ریچارج ہو گیا"),
        ("zh", "ltr", "充值成功"),
    ]) {
        browser.go(mall.url());
        browser.until("document.querySelector('.tongues')");
        look("1-start", language);
        browser.click(&format!("button[value={language}]"));
        browser.until("document.querySelector('#number')");
        assert_eq!(browser.run("return document.documentElement.dir"), direction);
        // A mistake is told, and the number typed anew.
        type_number(browser, "0300");
        browser.click(".ask .primary");
        browser.until("document.querySelector('[role=alert]')");
        look("2-number", language);
        type_number(browser, "03001234567");
        browser.click(".ask .primary");
        browser.until("document.querySelector('.amounts')");
        look("3-choose", language);
        browser.click(".others a");
        browser.until("document.querySelector('#amount')");
        type_number(browser, "150");
        look("4-amount", language);
        browser.click(".ask .primary");
        browser.until("document.querySelector('.payways')");
        look("5-confirm", language);
        browser.click("button[value=cash]");
        browser.until("document.querySelector('.money')");
        mall.until("the slot opens", |mall| {
            (!mall.acceptor.takes().is_empty()).then_some(())
        });
        mall.note(100);
        browser.until("document.querySelector('.sum').textContent.includes('100')");
        mall.acceptor.insert(500);
        browser.until("document.querySelector('.money .banner')");
        look("6-pay", language);
        mall.note(50);
        browser.until(&format!(
            "document.querySelector('h1').textContent.includes('{done}')"
        ));
        browser.until("document.querySelector('.slip .qr svg')");
        look("7-done", language);
        assert_eq!(
            browser.run("return sessionStorage.getItem('printed')"),
            order.to_string(),
            "the slip prints itself"
        );
        let (pdf, figures) = (browser.pdf(80), figures(browser));
        browser.click(".low .primary");
        browser.until("document.querySelector('.tongues')");
        proves(browser, mall, (language, order), (&pdf, &figures));
        printed(&format!("slip-{language}"), &pdf);
    }
}

/// What the slip says in digits, as the screen shows it.
fn figures(browser: &Browser) -> Vec<String> {
    let told = browser.run("return [...document.querySelectorAll('.slip dd.figures')].map(e => e.innerText)");
    let told = told.as_array().unwrap().iter();
    told.map(|figure| plain(figure.as_str().unwrap())).collect()
}

/// A slip of 80 mm: every figure of the screen is on the paper, and a phone reads the code from it and is told by the server
/// that it is genuine.
fn proves(
    browser: &Browser,
    mall: &Mall,
    (language, order): (&str, u64),
    (pdf, figures): (&[u8], &[String]),
) {
    let told = mall.command(&["order", &order.to_string()]).json();
    let (receipt, reference) = (told["receipt"].as_str().unwrap(), format!("mall-1-{order}"));
    assert!(!receipt.is_empty(), "{told}");
    if let Some(text) = paper::text(pdf) {
        let must = ["0300 1234567", "Rs 150.00", receipt, &reference].map(str::to_owned);
        for part in figures.iter().chain(&must) {
            assert!(plain(&text).contains(part), "{language}: {part}: {text}");
        }
    }
    let place = tempfile::tempdir().unwrap();
    if let Some(code) = paper::code(pdf, place.path()) {
        let verify = format!("{}/verify?", mall.server.url);
        assert!(code.starts_with(&verify), "{language}: {code}");
        browser.go(&format!("{code}&lang={language}"));
        browser.until("document.querySelector('.verdict.genuine') !== null");
        let verdict = browser.text(".verdict");
        assert!(
            verdict.contains("150.00") && verdict.contains(receipt),
            "{verdict}"
        );
    }
}

/// Without marks of direction, and with one kind of blank.
fn plain(text: &str) -> String {
    let marks = [
        '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{200e}', '\u{200f}',
    ];
    text.replace('\u{a0}', " ").replace(marks, "")
}

/// Draws the golden images anew: `cargo test --workspace --test kiosk_in_browser -- --ignored golden`. People look at them.
#[test]
#[ignore = "writes docs/images/kiosk; run it when a page has changed, and look"]
fn golden_images() {
    let programs = Programs::find().expect("a browser");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/kiosk");
    std::fs::create_dir_all(&place).unwrap();
    let browser = Browser::open(&programs, false);
    for (kind, (width, height), hundredths) in [("", (WIDTH, HEIGHT), 30), ("-phone", PHONE, 60)] {
        let mall = Mall::open(PATIENT);
        browser.size(width, height);
        let mut draw = |name: &str, language: &str| {
            let file = place.join(format!("{name}-{language}{kind}.png"));
            browser.small_picture(&file, width, hundredths);
            browser.size(width, height);
        };
        walk(&browser, &mall, &mut draw, &mut |name, pdf| {
            if kind.is_empty() {
                let drawn = paper::picture(pdf, 110).expect("poppler");
                std::fs::write(place.join(format!("{name}.png")), drawn).unwrap();
            }
        });
    }
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
