//! Sentences in English, Urdu and Chinese, from the files in `locales/`.

use charge::catalog::Language;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::fmt;
use std::sync::LazyLock;

/// The files of one language: one for each group of pages.
macro_rules! files {
    ($($language:literal),+) => {
        [$(&[
            include_str!(concat!("../locales/", $language, "/app.ftl")),
            include_str!(concat!("../locales/", $language, "/auto.ftl")),
            include_str!(concat!("../locales/", $language, "/home.ftl")),
            include_str!(concat!("../locales/", $language, "/budget.ftl")),
            include_str!(concat!("../locales/", $language, "/cards.ftl")),
            include_str!(concat!("../locales/", $language, "/complaints.ftl")),
            include_str!(concat!("../locales/", $language, "/help.ftl")),
            include_str!(concat!("../locales/", $language, "/keypad.ftl")),
            include_str!(concat!("../locales/", $language, "/kiosk.ftl")),
            include_str!(concat!("../locales/", $language, "/notify.ftl")),
            include_str!(concat!("../locales/", $language, "/offers.ftl")),
            include_str!(concat!("../locales/", $language, "/pos.ftl")),
            include_str!(concat!("../locales/", $language, "/outlets.ftl")),
            include_str!(concat!("../locales/", $language, "/page.ftl")),
            include_str!(concat!("../locales/", $language, "/pay.ftl")),
            include_str!(concat!("../locales/", $language, "/people.ftl")),
            include_str!(concat!("../locales/", $language, "/problem.ftl")),
            include_str!(concat!("../locales/", $language, "/receipt.ftl")),
            include_str!(concat!("../locales/", $language, "/sms.ftl")),
            include_str!(concat!("../locales/", $language, "/staff.ftl")),
        ]),+]
    };
}

/// The files of each language, in the order of [`Language::ALL`].
const FILES: [&[&str]; 3] = files!("en", "ur", "zh");

/// Isolation marks: left to right, right to left, by the first strong character (what Fluent puts around every value),
/// and the end of each.
pub const ISOLATES: [char; 4] = ['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];

static BUNDLES: LazyLock<Vec<FluentBundle<FluentResource>>> =
    LazyLock::new(|| Language::ALL.into_iter().map(bundle).collect());

/// A value in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, shown as it is.
    Text(String),
    /// A count that may choose between singular and plural.
    Count(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
impl From<i64> for Value {
    fn from(count: i64) -> Value {
        Value::Count(count)
    }
}

/// The sentence of a key (`key` or `key.attribute`) with its values, each isolated so that it keeps its own direction.
/// A key that is missing is shown itself; a test sees to it that none is.
pub fn text(language: Language, key: &str, values: &[(&str, Value)]) -> String {
    let bundle = &BUNDLES[language as usize];
    let (id, attribute) = match key.split_once('.') {
        Some((id, attribute)) => (id, Some(attribute)),
        None => (key, None),
    };
    let pattern = bundle.get_message(id).and_then(|message| match attribute {
        Some(name) => message.get_attribute(name).map(|attribute| attribute.value()),
        None => message.value(),
    });
    let Some(pattern) = pattern else {
        return key.to_owned();
    };
    let mut arguments = FluentArgs::new();
    for (name, value) in values {
        let value = match value {
            Value::Text(text) => FluentValue::from(text.as_str()),
            Value::Count(count) => FluentValue::from(*count),
        };
        arguments.set(*name, value);
    }
    let mut errors = Vec::new();
    let sentence = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
    if !errors.is_empty() {
        tracing::warn!(key, ?errors, "sentence with a missing value");
    }
    sentence.into_owned()
}

/// The sentence without isolation marks: for GSM 7-bit messages and for JSON in left-to-right languages.
pub fn plain(language: Language, key: &str, values: &[(&str, Value)]) -> String {
    let sentence = text(language, key, values);
    if language == Language::Ur {
        sentence
    } else {
        sentence.replace(ISOLATES, "")
    }
}

/// The sentence as HTML: escaped, each value inside `<bdi>`.
pub fn html(language: Language, key: &str, values: &[(&str, Value)]) -> Html {
    Html::isolated(&text(language, key, values))
}

/// HTML that is safe to print as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Escapes text and turns isolation marks into `<bdi>`.
    pub fn isolated(text: &str) -> Html {
        let mut out = String::with_capacity(text.len() + 32);
        for character in text.chars() {
            match character {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\u{2066}' => out.push_str("<bdi dir=\"ltr\">"),
                '\u{2067}' => out.push_str("<bdi dir=\"rtl\">"),
                '\u{2068}' => out.push_str("<bdi>"),
                '\u{2069}' => out.push_str("</bdi>"),
                other => out.push(other),
            }
        }
        Html(out)
    }

    /// A value that keeps its own direction: a number, an amount, a date.
    pub fn bdi(text: &str) -> Html {
        Html::isolated(&format!("\u{2068}{text}\u{2069}"))
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl askama::filters::HtmlSafe for Html {}

/// The best of our languages for an `Accept-Language` header (RFC 9110 section 12.5.4).
pub fn negotiate(header: Option<&str>) -> Language {
    let mut best = (0_u32, Language::En);
    for range in header.unwrap_or("").split(',').take(16) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1000, thousandths);
        if let Some(language) = Language::from_tag(tag.trim())
            && weight > best.0
        {
            best = (weight, language);
        }
    }
    best.1
}

/// `0.8` as 800; nonsense as 0.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let mut digits = format!("{whole}{fraction:0<3}");
    digits.truncate(whole.len() + 3);
    digits.parse::<u32>().map_or(0, |weight| weight.min(1000))
}

fn bundle(language: Language) -> FluentBundle<FluentResource> {
    let tag = language.tag().parse().expect("our own tags are well formed");
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    for file in FILES[language as usize] {
        let resource = match FluentResource::try_new((*file).to_owned()) {
            Ok(resource) => resource,
            Err((resource, errors)) => {
                tracing::error!(
                    ?errors,
                    language = language.tag(),
                    "sentences that cannot be read"
                );
                resource
            }
        };
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(
                ?errors,
                language = language.tag(),
                "sentences that stand there twice"
            );
        }
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Keys with their variables.
    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in FILES[language as usize] {
            assert!(
                FluentResource::try_new((*file).to_owned()).is_ok(),
                "{language:?}"
            );
            let mut message = String::new();
            let mut key = String::new();
            for line in file.lines().filter(|line| !line.starts_with('#')) {
                if let Some((name, _)) = line.split_once('=') {
                    if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                        message = name.trim().to_owned();
                        key.clone_from(&message);
                        assert!(!messages.contains_key(&key), "{language:?} has {key} twice");
                    } else if let Some(attribute) = name.trim().strip_prefix('.') {
                        key = format!("{message}.{attribute}");
                    }
                }
                if !key.is_empty() {
                    let variables = messages.entry(key.clone()).or_default();
                    for rest in line.split('$').skip(1) {
                        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                        variables.insert(rest[..end.unwrap_or(rest.len())].to_owned());
                    }
                }
            }
        }
        messages
    }

    #[test]
    fn every_language_has_every_sentence_with_the_same_variables() {
        let english = messages(Language::En);
        assert!(english.len() > 50);
        for language in [Language::Ur, Language::Zh] {
            let other = messages(language);
            let missing: Vec<_> = english
                .iter()
                .filter(|(key, v)| other.get(*key) != Some(v))
                .collect();
            let extra: Vec<_> = other.keys().filter(|key| !english.contains_key(*key)).collect();
            assert!(
                missing.is_empty() && extra.is_empty(),
                "{language:?}: {missing:?} {extra:?}"
            );
        }
    }

    #[test]
    fn every_key_that_is_used_exists() {
        let english = messages(Language::En);
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut open = vec![root.join("src"), root.join("templates")];
        let mut used = BTreeSet::new();
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    std::fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for call in ["t.h(\"", "t.p(\"", "t.with(\"", "t.p_with(\""] {
                for rest in source.split(call).skip(1) {
                    used.insert(rest.split('"').next().unwrap_or_default().to_owned());
                }
            }
        }

        let missing: Vec<_> = used.iter().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn values_are_escaped_and_isolated() {
        let html = Html::isolated("\u{2068}<b>\u{2069} & co");
        assert_eq!(html.to_string(), "<bdi>&lt;b&gt;</bdi> &amp; co");
        assert_eq!(Html::bdi("86.96").to_string(), "<bdi>86.96</bdi>");
    }

    #[test]
    fn languages_are_negotiated() {
        for (header, language) in [
            (None, Language::En),
            (Some("ur"), Language::Ur),
            (Some("fr, zh-CN;q=0.8, en;q=0.7"), Language::Zh),
            (Some("en;q=0.1, ur-PK;q=0.25"), Language::Ur),
            (Some("zh;q=0"), Language::En),
            (Some(";;;q=,,"), Language::En),
        ] {
            assert_eq!(negotiate(header), language, "{header:?}");
        }
    }
}
