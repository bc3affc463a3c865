//! Static files: style, scripts, icons, the manifest of the app. Each address carries a digest of the content, so that a
//! browser may keep the file for ever and still never uses an old one.

use crate::problem::{Fault, Problem};
use crate::text;
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::catalog::Language;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The style sheet: one file for the browser, one for each group of pages here.
const CSS: &str = concat!(
    include_str!("../../static/css/tokens.css"),
    include_str!("../../static/css/base.css"),
    include_str!("../../static/css/frame.css"),
    include_str!("../../static/css/parts.css"),
    include_str!("../../static/css/pages.css"),
    include_str!("../../static/css/home.css"),
    include_str!("../../static/css/statement.css"),
    include_str!("../../static/css/bundles.css"),
    include_str!("../../static/css/budget.css"),
    include_str!("../../static/css/complaints.css"),
    include_str!("../../static/css/outlets.css"),
    include_str!("../../static/css/staff.css"),
    include_str!("../../static/css/pos.css"),
);

/// A file as it is sent.
struct File {
    kind: &'static str,
    bytes: Vec<u8>,
    digest: String,
}

static FILES: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let svg = "image/svg+xml";
    let fixed: [(&str, &str, &[u8]); 16] = [
        ("app.css", css, CSS.as_bytes()),
        ("dark.css", css, include_bytes!("../../static/css/dark.css")),
        ("htmx.min.js", script, include_bytes!("../../static/htmx.min.js")),
        ("app.js", script, include_bytes!("../../static/app.js")),
        ("receipt.css", css, include_bytes!("../../static/receipt.css")),
        ("receipt.js", script, include_bytes!("../../static/receipt.js")),
        ("passkey.js", script, include_bytes!("../../static/passkey.js")),
        ("pos.js", script, include_bytes!("../../static/pos.js")),
        ("outlets.js", script, include_bytes!("../../static/outlets.js")),
        ("push.js", script, include_bytes!("../../static/push.js")),
        ("icon.svg", svg, include_bytes!("../../static/icon.svg")),
        ("icons.svg", svg, include_bytes!("../../static/icons.svg")),
        (
            "icon-180.png",
            "image/png",
            include_bytes!("../../static/icon-180.png"),
        ),
        (
            "icon-192.png",
            "image/png",
            include_bytes!("../../static/icon-192.png"),
        ),
        (
            "icon-512.png",
            "image/png",
            include_bytes!("../../static/icon-512.png"),
        ),
        (
            "icon-mask.png",
            "image/png",
            include_bytes!("../../static/icon-mask.png"),
        ),
    ];
    let mut files: BTreeMap<String, File> = fixed
        .into_iter()
        .map(|(name, kind, bytes)| (name.to_owned(), File::new(kind, bytes.to_vec())))
        .collect();
    for language in Language::ALL {
        let text = manifest(language).to_string();
        let file = File::new("application/manifest+json", text.into_bytes());
        files.insert(format!("manifest-{}.webmanifest", language.tag()), file);
    }
    files
});

/// One digest over all files: the version of the app's shell, which the service worker's cache is named after.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Sha256::new();
    for (name, file) in FILES.iter() {
        all.update(name.as_bytes());
        all.update(file.digest.as_bytes());
    }
    short(&all.finalize())
});

impl File {
    fn new(kind: &'static str, bytes: Vec<u8>) -> File {
        let digest = short(&Sha256::digest(&bytes));
        File { kind, bytes, digest }
    }
}

fn short(digest: &[u8]) -> String {
    digest.iter().take(6).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The address of a file, with the digest of what is in it.
pub fn address(name: &str) -> String {
    let digest = FILES.get(name).map_or("", |file| file.digest.as_str());
    format!("/static/{name}?v={digest}")
}

/// The version of all static files together.
pub fn version() -> &'static str {
    &VERSION
}

/// Which version is asked for.
#[derive(Deserialize)]
pub struct Asked {
    v: Option<String>,
}

/// Sends a file. Asked for by its digest it may be kept for a year, else for an hour.
pub async fn file(Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Some(file) = FILES.get(&name) else {
        return Problem::from(Fault::NotFound).into_response();
    };
    let keep = if asked.v.as_deref() == Some(file.digest.as_str()) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let headers = [
        (header::CONTENT_TYPE, file.kind),
        (header::CACHE_CONTROL, keep),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, file.bytes.as_slice()).into_response()
}

/// The service worker. It stands at the root, because it serves the whole site.
pub async fn service_worker() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("../../static/sw.js")).into_response()
}

/// The manifest of the app (W3C Web Application Manifest, with its `_localized` members) in one language first.
fn manifest(language: Language) -> Value {
    let say = |key: &str| text::plain(language, key, &[]);
    let localized = |key: &str| -> Value {
        Language::ALL
            .into_iter()
            .map(|other| {
                let direction = if other == Language::Ur { "rtl" } else { "ltr" };
                let value =
                    json!({"value": text::plain(other, key, &[]), "lang": other.tag(), "dir": direction});
                (other.tag().to_owned(), value)
            })
            .collect::<serde_json::Map<String, Value>>()
            .into()
    };
    let shortcut = |key: &str, url: &str| {
        json!({"name": say(key), "name_localized": localized(key), "url": url,
            "icons": [{"src": address_of_fixed("icon-192.png"), "sizes": "192x192", "type": "image/png"}]})
    };
    let icon = |name: &str, sizes: &str, kind: &str, purpose: &str| json!({"src": address_of_fixed(name), "sizes": sizes, "type": kind, "purpose": purpose});
    json!({
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "lang": language.tag(),
        "dir": if language == Language::Ur { "rtl" } else { "ltr" },
        "name": say("app-name"),
        "name_localized": localized("app-name"),
        "short_name": say("app-short"),
        "short_name_localized": localized("app-short"),
        "description": say("app-about"),
        "description_localized": localized("app-about"),
        "categories": ["finance", "utilities"],
        "background_color": "#f6f5f0",
        "theme_color": "#f6f5f0",
        "icons": [
            icon("icon.svg", "any", "image/svg+xml", "any"),
            icon("icon-192.png", "192x192", "image/png", "any"),
            icon("icon-512.png", "512x512", "image/png", "any"),
            icon("icon-mask.png", "512x512", "image/png", "maskable"),
        ],
        "shortcuts": [shortcut("place-recharge", "/recharge"), shortcut("shortcut-balance", "/#balance-title")],
    })
}

/// Icons of the manifest carry no digest: an app that is installed asks for them by the address it was installed with.
fn address_of_fixed(name: &str) -> String {
    format!("/static/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_content() {
        assert!(address("app.css").starts_with("/static/app.css?v="));
        assert_ne!(
            File::new("a", b"1".to_vec()).digest,
            File::new("a", b"2".to_vec()).digest
        );
        assert_eq!(version().len(), 12);
    }

    #[test]
    fn the_dark_gives_every_colour_again() {
        let names = |css: &str| -> Vec<String> {
            let block = css.split("/* space").next().unwrap_or("").to_owned();
            let lines = block.lines().map(str::trim).filter(|line| line.starts_with("--"));
            lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, _)| name.to_owned())
                .collect()
        };
        let light = names(include_str!("../../static/css/tokens.css"));
        assert!(light.len() > 20);
        assert_eq!(light, names(include_str!("../../static/css/dark.css")));
    }

    #[test]
    fn styles_know_no_left_and_right() {
        for side in [
            "margin-left",
            "margin-right",
            "padding-left",
            "padding-right",
            "border-left",
            "border-right",
            "text-align: left",
            "text-align: right",
            "float:",
            " left:",
            " right:",
        ] {
            assert!(!CSS.contains(side), "{side}");
        }
        assert!(!CSS.contains("url(") && !CSS.contains("@import"), "no requests");
    }

    #[test]
    fn the_manifest_speaks_three_languages() {
        for language in Language::ALL {
            let manifest = manifest(language);
            assert_eq!(manifest["id"], "/");
            assert_eq!(manifest["shortcuts"].as_array().unwrap().len(), 2);
            for other in Language::ALL {
                let name = manifest["name_localized"][other.tag()]["value"].as_str().unwrap();
                assert!(!name.contains("app-name"), "{name}");
            }
        }
    }
}
