//! Receipts in a real Chromium: the page in three languages, the QR code as a camera sees it, and the page that checks.

#[path = "../../server/tests/browser/mod.rs"]
mod browser;
mod common;

use base64::Engine as _;
use browser::paper::scanned;
use browser::{Browser, Programs};
use charge::reply::Receipt;
use common::{NUMBER, Service};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use web::receipt::capability;
use web::receipt::qr::{BORDER, Qr};

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

/// Pixels of the picture that the camera sees, and of one square of the code in it.
const FILM: (usize, usize, usize) = (640, 480, 4);

/// A film (YUV4MPEG2) of a code on a table, as a camera delivers it.
fn film(text: &str, path: &Path) {
    let (width, height, square) = FILM;
    let qr = Qr::of(text).unwrap();
    let side = (qr.size() + 2 * BORDER) * square;
    assert!(side < height, "the code fits into the picture");
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let mut light = vec![90_u8; width * height];
    for y in top..top + side {
        light[y * width + left..y * width + left + side].fill(235);
    }
    for (x, y, length) in qr.runs() {
        for row in 0..square {
            let from = (top + (y + BORDER) * square + row) * width + left + (x + BORDER) * square;
            light[from..from + length * square].fill(16);
        }
    }
    let mut film = format!("YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420mpeg2\n").into_bytes();
    for _ in 0..10 {
        film.extend(b"FRAME\n");
        film.extend(&light);
        film.extend(vec![128_u8; width * height / 2]);
    }
    std::fs::write(path, film).unwrap();
}

/// Stands for the browser's own reader of codes, which Chromium has on phones alone: hands every picture out to the test,
/// and says what the test read in it.
const READER: &str = "window.BarcodeDetector = class { \
    static async getSupportedFormats() { return ['qr_code']; } \
    async detect(source) { \
        const canvas = document.createElement('canvas'); \
        canvas.width = source.videoWidth || source.width; canvas.height = source.videoHeight || source.height; \
        canvas.getContext('2d').drawImage(source, 0, 0); \
        window.seen = canvas.toDataURL('image/png'); \
        while (window.answer === undefined) await new Promise(done => setTimeout(done, 20)); \
        const text = window.answer; window.answer = undefined; \
        return text === '' ? [] : [{rawValue: text}]; \
    } };";

/// What a scanner reads in what the page sees now.
fn read(browser: &Browser, place: &Path) -> Option<String> {
    browser.run("window.seen = undefined; window.answer = ''; return true");
    let seen = browser.until("window.seen");
    let data = seen.as_str().unwrap().split_once(',').unwrap().1.to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    let file = place.join("seen.png");
    std::fs::write(&file, bytes).unwrap();
    scanned(&file)
}

#[test]
fn the_camera_and_a_picture_are_read_and_a_camera_that_is_refused_is_told() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::start();
    let receipt = sold(&service);
    let text = |field: &str| receipt[field].as_str().unwrap();
    let place = tempfile::tempdir().unwrap();
    let reel = place.path().join("receipt.y4m");
    film(text("verify_url"), &reel);
    let browser = Browser::open_with(
        &programs,
        vec![
            "--use-fake-device-for-media-stream".to_owned(),
            "--use-fake-ui-for-media-stream".to_owned(),
            format!("--use-file-for-fake-video-capture={}", reel.display()),
        ],
    );
    browser.before_every_page(READER);
    let mut looked = String::new();
    for (width, language) in [(360, "en"), (360, "ur"), (1280, "zh")] {
        browser.size(width, 740);
        browser.go(&format!("{}/verify?lang={language}", service.url));
        browser.until("document.querySelector('#scan').hidden === false");
        browser.click("#scan-camera");
        browser.until("document.querySelector('#scan-video').videoWidth > 0");
        fits(&browser);
        picture(&browser, &format!("camera-{language}-{width}"));
        let _ = write!(looked, "{language} ");
        if let Some(code) = read(&browser, place.path()) {
            assert_eq!(code, text("verify_url"), "{looked}");
        }
        // Nothing in a picture: it goes on looking. Then it reads.
        browser.run("window.answer = ''; return true");
        let url = text("verify_url");
        browser.until("window.answer === undefined");
        browser.run(&format!("window.answer = {url:?}; return true"));
        browser.until("document.querySelector('.verdict.genuine') !== null");
        assert!(browser.text(".verdict").contains("350.00"));
        fits(&browser);
    }

    // A picture from the gallery, and one without a code.
    let shot = place.path().join("table.png");
    browser.go(&format!("{}/verify?lang=en", service.url));
    browser.screenshot(&shot);
    browser.until("document.querySelector('#scan').hidden === false");
    browser.attach("#scan-picture", &shot);
    browser.until("window.seen");
    browser.run("window.answer = ''; return true");
    browser.until("document.querySelector('#scan-nothing').hidden === false");
    let second = place.path().join("another.png");
    std::fs::copy(&shot, &second).unwrap();
    browser.attach("#scan-picture", &second);
    browser.until("document.querySelector('#scan-nothing').hidden === true");
    browser.run(&format!("window.answer = {:?}; return true", text("signed")));
    browser.until("document.querySelector('.verdict.genuine') !== null");

    // A camera that its owner does not give.
    browser.go(&format!("{}/verify", service.url));
    browser.until("document.querySelector('#scan').hidden === false");
    browser.run(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')); \
         return true",
    );
    browser.click("#scan-camera");
    browser.until("document.querySelector('#scan-nothing').hidden === false");
    assert_eq!(
        browser.run("return document.querySelector('#scan-camera').disabled"),
        false
    );
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("receipts");
}
