//! The dialler of the demo's handset in a real Chromium, on a phone, in three languages, against WCAG 2.2 AA: what it shows
//! came over the real gateway for USSD.

mod browser;
mod demo;

use browser::{Axe, Browser, Programs};
use demo::Demo;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the handset shows after one more press.
fn press(browser: &Browser, input: &str) -> String {
    browser.run("document.querySelector('.dialler').dataset.before = 'yes'; return true");
    browser.fill("#dialled", input);
    browser.click(".dialler button.primary");
    browser.until(
        "document.querySelector('.dialler') !== null && document.querySelector('.dialler').dataset.before !== 'yes' \
         && document.querySelector('.ussd')?.innerText",
    )
    .as_str()
    .unwrap()
    .to_owned()
}

#[test]
fn a_menu_is_dialled_and_answered_on_a_phone_in_three_languages() {
    let Some(programs) = Programs::find() else { return };
    let demo = Demo::start();
    let axe = Axe::find();
    let browser = Browser::open(&programs, false);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut look = |name: String| {
        for told in axe.iter().flat_map(|axe| axe.wrong(&browser)) {
            wrong.entry(told).or_default().push(name.clone());
        }
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            std::fs::create_dir_all(&directory).unwrap();
            browser.screenshot(&PathBuf::from(directory).join(format!("{name}.png")));
        }
    };
    for language in ["en", "ur", "zh"] {
        browser.size(360, 740);
        browser.go(&format!("{}/demo?lang={language}", demo.url));
        look(format!("dialler-{language}-360"));
        let code = browser.run("return document.querySelector('#dialled').value");
        let code = code.as_str().unwrap().to_owned();
        assert!(code.starts_with('*') && code.ends_with('#'), "{code}");
        let menu = press(&browser, &code);
        assert!(menu.contains('1') && menu.lines().count() > 3, "{menu}");
        look(format!("dialler-menu-{language}-360"));
        let balance = press(&browser, "1");
        assert_ne!(balance, menu);
        assert!(balance.contains("PKR"), "{balance}");
        look(format!("dialler-balance-{language}-360"));
        // What no menu knows is answered in words, and the handset is ready again.
        browser.go(&format!("{}/demo", demo.url));
        press(&browser, &code);
        let lost = press(&browser, "<script>alert(1)</script>");
        assert!(!lost.is_empty());
        assert_eq!(
            browser.run("return document.querySelectorAll('.ussd script').length"),
            0
        );
        look(format!("dialler-lost-{language}-360"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{complaints:?}");
    programs.took_part("dialler.rs");
    if let Some(axe) = axe {
        axe.took_part("dialler.rs");
    }
}
