//! What every page in a browser is checked for: axe-core, and that it fits.

use super::browser::Browser;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The script of axe-core, from RASEED_AXE or where `cargo xtask test` puts it.
pub fn axe() -> Option<String> {
    let usual =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers-node/node_modules/axe-core/axe.min.js");
    let place = std::env::var_os("RASEED_AXE").map_or(usual, PathBuf::from);
    if let Ok(script) = std::fs::read_to_string(place) {
        return Some(script);
    }
    let required = std::env::var("RASEED_PEERS").is_ok_and(|value| value == "required");
    assert!(!required, "RASEED_PEERS=required, but axe-core is missing");
    eprintln!("SKIPPED: axe-core is not here; `cargo xtask test` installs it");
    None
}

/// What axe finds wrong on the present page, in words.
pub fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let script = format!(
        "{axe}; return axe.run(document, {{preload: false, resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', \
         'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}}).then(r => r.violations.map(v => v.id + ': ' + \
         v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary.slice(0, 200)).join(' | ')))"
    );
    let found = browser.run(&script);
    let found = found.as_array().expect("axe answers").iter();
    found.map(|told| told.as_str().unwrap().to_owned()).collect()
}

/// Nothing sticks out of the screen, and nothing that is pressed is smaller than 24 pixels unless it stands in a text.
pub fn misfits(browser: &Browser) -> Value {
    browser.run(
        "const wide = [...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(); \
         return r.width > 0 && (r.right > innerWidth + 1 || r.left < -1) && !e.closest('.skip, .scroll, .unseen'); }); \
         const small = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')].filter(e => { \
         const r = e.getBoundingClientRect(); \
         return r.width > 0 && r.height < 23.5 && !e.closest('p, .skip, .apart, label'); }); \
         return [...wide, ...small].map(e => e.outerHTML.slice(0, 140)).slice(0, 5)",
    )
}
