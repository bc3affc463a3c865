//! `raseed demo` as a person meets it: the binary runs, a real Chromium opens its page.

mod browser;

use browser::{Browser, Programs};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// The story and its audit end within this time, also on a busy machine.
const STORY_TIME_MAX: Duration = Duration::from_secs(120);

struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    /// Starts the demo and waits until the story has been told and the page stays up.
    fn start() -> Demo {
        let process = Command::new(env!("CARGO_BIN_EXE_raseed"))
            .args(["demo", "--port", "0"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("raseed starts");
        let mut demo = Demo {
            process,
            url: String::new(),
        };
        let lines = BufReader::new(demo.process.stdout.take().unwrap()).lines();
        let (sender, receiver) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + STORY_TIME_MAX;
        let mut told = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match receiver.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("the story takes too long:\n{told}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the demo ended:\n{told}"),
            };
            told.push_str(&line);
            told.push('\n');
            if let Some(url) = line.trim().strip_prefix("Open ") {
                url.trim().clone_into(&mut demo.url);
                // Somebody must go on reading what it prints.
                std::thread::spawn(move || receiver.into_iter().for_each(drop));
                return demo;
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

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

/// Nobody is signed in: a number, an amount, a rail, its page, and the money is there.
#[test]
fn a_guest_recharges_and_undoes_it() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start();
    for (index, (language, width)) in [("en", 360), ("ur", 1280), ("zh", 360)].into_iter().enumerate() {
        let browser = Browser::open(&programs, false);
        browser.size(width, 780);
        browser.go(&format!("{}/recharge?lang={language}", demo.url));
        picture(&browser, &format!("recharge-number-{language}"));
        browser.fill("#number", "0300 1234567");
        browser.click("main form button");
        browser.until("document.querySelector('#amount') !== null");
        browser.fill("#amount", "100");
        browser.click("main form[action='/recharge'] button");
        browser.until("document.querySelector('form[action=\"/recharge/pay\"]') !== null");
        let facts = browser.text("main .facts");
        assert!(facts.contains("13.04") && facts.contains("86.96"), "{facts}");
        picture(&browser, &format!("recharge-review-{language}"));
        browser.click("input[name=confirm]");
        browser.click("form[action='/recharge/pay'] button.primary");
        browser.until("location.pathname.startsWith('/CustomerPortal')");
        browser.click("button[value=approve]");
        browser.until(
            "location.pathname.startsWith('/pay/') && document.querySelector('.banner.good') !== null",
        );
        assert!(browser.text(".banner.good").contains("86.96"));
        picture(&browser, &format!("pay-done-{language}"));
        if index == 0 {
            browser.click("form[action^='/pay/'] button.danger");
            browser.until("document.querySelector('.banner.good') !== null && !document.querySelector('.button.primary[href^=\"/recharge\"]')");
        }
    }
}
