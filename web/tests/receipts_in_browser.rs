//! Receipts in a real Chromium: the page in three languages, the QR code as a camera sees it, and the page that checks.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use browser::{Browser, Programs};
use charge::reply::Receipt;
use common::{NUMBER, Service};
use std::path::{Path, PathBuf};
use std::process::Command;
use web::receipt::capability;

fn sold(service: &Service) -> serde_json::Value {
    let body = serde_json::json!({"msisdn": NUMBER, "amount": "350", "external_id": "a"});
    let answer = service.once(&service.shop, "/v1/topups?wait=10", "a", &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let path = format!("/v1/receipts/{}", answer.json()["receipt"].as_str().unwrap());
    service.eventually(|| {
        let answer = service.api(&service.shop, "GET", &path, "");
        (answer.status == 200).then(|| answer.json())
    })
}

fn picture(browser: &Browser, name: &str) {
    if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
        std::fs::create_dir_all(&directory).unwrap();
        browser.screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
    }
}

#[track_caller]
fn fits(browser: &Browser) {
    let wide = browser.run(
        "return [...document.querySelectorAll('main *')].filter(e => { const r = e.getBoundingClientRect(); \
         return r.width > 1 && (r.right > innerWidth + 1 || r.left < -1); }).map(e => e.outerHTML.slice(0, 120)).slice(0, 5)",
    );
    assert_eq!(wide, serde_json::json!([]), "wider than the screen");
}

/// What a scanner reads in a picture; `None` when zbar is not installed.
fn scanned(picture: &Path) -> Option<String> {
    let Ok(output) = Command::new("zbarimg")
        .args(["--raw", "-q"])
        .arg(picture)
        .output()
    else {
        eprintln!("SKIPPED: zbarimg is not here");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_receipt_is_read_scanned_and_checked() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::start();
    let receipt = sold(&service);
    let text = |field: &str| receipt[field].as_str().unwrap();
    let number = Receipt::parse(text("number")).unwrap();
    let path = format!("/receipts/{number}?t={}", capability::token(&[7; 32], number));
    let browser = Browser::open(&programs, false);
    let shots = tempfile::tempdir().unwrap();
    for (width, height) in [(360, 740), (1280, 900)] {
        browser.size(width, height);
        browser.go(&format!("{}{path}&lang=en", service.url));
        for (language, word) in [("en", "Receipt"), ("ur", "رسید"), ("zh", "收据")] {
            browser.click(&format!(".languages a[lang={language}]"));
            browser.until(&format!("document.documentElement.lang === '{language}'"));
            assert!(
                browser.text("#slip-title").contains(word),
                "the link still opens it"
            );
            assert!(browser.text(".slip-amount").contains("350.00"));
            fits(&browser);
            picture(&browser, &format!("receipt-{language}-{width}"));
            // The bar of a phone floats over a picture of the whole page.
            browser.run("document.querySelector('.places').remove()");
            let shot = shots.path().join("receipt.png");
            browser.screenshot(&shot);
            if let Some(read) = scanned(&shot) {
                assert_eq!(read, text("verify_url"), "{language} at {width}");
            }
        }
        assert_eq!(
            browser.run("return document.querySelector('[data-print]').hidden"),
            false
        );
        // On paper there is the receipt, and nothing else.
        browser.on_paper(true);
        assert_eq!(
            browser.run(
                "const high = s => document.querySelector(s)?.getBoundingClientRect().height ?? 0; \
                 return ['.slip', '.slip-qr svg', '.bar', '.foot', '.slip-actions'].map(s => high(s) > 0)"
            ),
            serde_json::json!([true, true, false, false, false])
        );
        browser.on_paper(false);
        browser.click(".languages a[lang=en]");
        browser.until("document.documentElement.lang === 'en'");
        browser.click(".slip-actions a[href^='/verify']");
        browser.until("document.querySelector('.verdict.genuine') !== null");
        check(&browser, &service, text("signed"), width);
    }
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("receipts");
}

fn check(browser: &Browser, service: &Service, signed: &str, width: u32) {
    browser.go(&format!("{}/verify", service.url));
    fits(browser);
    browser.fill("#r", &format!("They sent me {signed}"));
    browser.click("#verify-form button.primary");
    browser.until("document.querySelector('.verdict.genuine') !== null");
    assert!(browser.text(".verdict").contains("350.00"));
    assert!(browser.text(".verdict").contains("+923*******67"));
    for language in ["ur", "zh", "en"] {
        browser.click(&format!(".languages a[lang={language}]"));
        browser.until(&format!(
            "document.documentElement.lang === '{language}' && document.querySelector('.verdict.genuine') !== null"
        ));
        fits(browser);
        picture(browser, &format!("verify-{language}-{width}"));
    }
    browser.fill("#r", &signed.replace("~350.00~", "~950.00~"));
    browser.click("#verify-form button.primary");
    browser.until("document.querySelector('.verdict.false') !== null");
    assert!(browser.text("#verdict-title").contains("Not genuine"));
    assert!(!browser.text(".verdict").contains("950"));
    fits(browser);
    picture(browser, &format!("verify-false-{width}"));
}
