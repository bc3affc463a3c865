//! Passkeys with the authenticator of a real Chromium: made while signed in, used to sign in.

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

#[test]
fn a_passkey_is_made_and_opens_the_account() {
    let Some(programs) = Programs::find() else { return };
    let service = Service::start();
    let browser = Browser::open(&programs, false);
    browser.plug_in_authenticator();
    // Passkeys belong to names, not to addresses.
    let url = service.url.replace("127.0.0.1", "localhost");
    for (width, language) in [(360, "en"), (768, "ur"), (1280, "zh")] {
        browser.size(width, 900);
        browser.go(&format!("{url}/sign-up?lang={language}"));
        picture(&browser, &format!("sign-up-{language}-{width}"));
        let before = service.codes.count();
        browser.fill("#number", "0300 1234567");
        browser.click(".sign-in button");
        browser.until("document.querySelector('#code') !== null");
        service.eventually(|| (service.codes.count() > before).then_some(()));
        browser.fill("#code", &service.codes.last(NUMBER).unwrap());
        browser.click(".sign-in button");
        browser.until("location.pathname === '/sign-up/secure'");
        picture(&browser, &format!("secure-{language}-{width}"));
        let made = "form[data-passkey=make] button";
        browser.until(&format!(
            "document.querySelector('{made}')?.offsetParent !== null"
        ));
        if language == "en" {
            browser.click(made);
            browser.until(
                "location.pathname === '/security' && document.querySelector('form.passkey') !== null",
            );
        } else {
            browser.click(made);
            browser.until("document.querySelector('form[data-passkey=make] .error:not([hidden])') !== null");
        }
        browser.go(&format!("{url}/security"));
        picture(&browser, &format!("security-{language}-{width}"));
        for page in ["profile", "privacy"] {
            browser.go(&format!("{url}/{page}"));
            picture(&browser, &format!("{page}-{language}-{width}"));
        }
        browser.go(&format!("{url}/more"));
        browser.click("main form.who button");
        browser.until("location.pathname === '/'");
        browser.go(&format!("{url}/sign-in?next=/profile"));
        picture(&browser, &format!("sign-in-{language}-{width}"));
        let used = "form[data-passkey=use] button";
        browser.until(&format!(
            "document.querySelector('{used}')?.offsetParent !== null"
        ));
        browser.click(used);
        browser.until("location.pathname === '/profile' && document.querySelector('.item.number') !== null");
        let wide = browser.run("return document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, false, "wider than the screen");
        browser.go(&format!("{url}/more"));
        browser.click("main form.who button");
        browser.until("location.pathname === '/'");
    }
    let mut complaints = browser.complaints();
    // Chromium would like RS256 offered as well, for devices of 2015; we take ES256 and EdDSA only.
    complaints.retain(|line| !line.contains("pubKeyCredParams"));
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("people.rs");
}
