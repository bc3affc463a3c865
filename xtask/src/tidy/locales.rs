//! Every language has every sentence, with the same variables.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Tree};

/// The languages that people see. Another one is a directory more and a word here.
const LANGUAGES: [&str; 3] = ["en", "ur", "zh"];

/// Message (or `message.attribute`) to the variables in it.
type Messages = BTreeMap<String, BTreeSet<String>>;

pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    // `web/locales/en/page.ftl` is file `page.ftl` of the set `web/locales`.
    let mut files: BTreeMap<(&str, &str), BTreeMap<&str, Messages>> = BTreeMap::new();
    for (path, text) in tree.texts(".ftl") {
        let mut parts = path.rsplitn(3, '/');
        if let (Some(name), Some(language), Some(set)) = (parts.next(), parts.next(), parts.next()) {
            files
                .entry((set, name))
                .or_default()
                .insert(language, messages(text));
        }
    }
    for ((set, name), languages) in &files {
        check_file(set, name, languages, findings);
    }
}

fn check_file(set: &str, name: &str, languages: &BTreeMap<&str, Messages>, findings: &mut Vec<Finding>) {
    let mut find = |language: &str, message| {
        findings.push(Finding {
            path: format!("{set}/{language}/{name}"),
            line: 0,
            rule: "locale",
            message,
        });
    };
    for language in languages.keys().filter(|language| !LANGUAGES.contains(language)) {
        find(language, "this language is not in the list of tidy".to_owned());
    }
    let keys: BTreeSet<&String> = languages.values().flat_map(BTreeMap::keys).collect();
    for language in LANGUAGES {
        let Some(messages) = languages.get(language) else {
            find(language, "the file is missing in this language".to_owned());
            continue;
        };
        for key in &keys {
            let first = LANGUAGES
                .iter()
                .find_map(|language| languages.get(language)?.get(*key));
            match (messages.get(*key), first) {
                (None, _) => find(language, format!("`{key}` is missing")),
                (Some(variables), Some(expected)) if variables != expected => {
                    find(
                        language,
                        format!("`{key}` has the variables {variables:?}, elsewhere {expected:?}"),
                    );
                }
                _ => {}
            }
        }
    }
}

/// Reads a Fluent file: enough of it to know the keys and the variables.
fn messages(text: &str) -> Messages {
    let mut messages = Messages::new();
    let mut message = String::new();
    let mut key = String::new();
    for line in text.lines() {
        let named = line.split_once('=').map(|(name, _)| name.trim());
        if line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '-') {
            message = named.unwrap_or(line).to_owned();
            key.clone_from(&message);
        } else if let Some(attribute) = named.filter(|name| name.starts_with('.')) {
            key = format!("{message}{attribute}");
        } else if line.starts_with('#') {
            continue;
        }
        if key.is_empty() {
            continue;
        }
        let variables = messages.entry(key.clone()).or_default();
        for rest in line.split('$').skip(1) {
            let end = rest.find(|next: char| !(next.is_ascii_alphanumeric() || next == '_' || next == '-'));
            variables.insert(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_three(en: &str, ur: &str, zh: &str) -> Vec<String> {
        let tree = Tree::of(&[("w/en/a.ftl", en), ("w/ur/a.ftl", ur), ("w/zh/a.ftl", zh)]);
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn messages_are_read_with_their_variables() {
        let text = "# note $x\na = one { $b } two\nc =\n    { $n ->\n        [one] { $n } day\n       *[other] { $m-x } days\n    }\n    .title = { $t }\n";
        let names: Vec<(String, Vec<String>)> = messages(text)
            .into_iter()
            .map(|(key, variables)| (key, variables.into_iter().collect()))
            .collect();
        let expect = [("a", vec!["b"]), ("c", vec!["m-x", "n"]), ("c.title", vec!["t"])];
        let expect: Vec<(String, Vec<String>)> = expect
            .map(|(key, variables)| (key.to_owned(), variables.into_iter().map(str::to_owned).collect()))
            .into();
        assert_eq!(names, expect);
    }

    #[test]
    fn languages_agree_or_tidy_says_where_not() {
        assert_eq!(
            check_three("a = { $x }", "a = { $x } ہے", "a = 有 { $x }"),
            Vec::<String>::new()
        );
        assert_eq!(
            check_three("a = 1\nb = 2", "a = 1\nb = 2", "a = 1"),
            ["w/zh/a.ftl:0: locale: `b` is missing"]
        );
        assert_eq!(
            check_three("a = 1", "a = 1\nb = 2", "a = 1").len(),
            2,
            "en and zh lack b"
        );
        let other = check_three("a = { $x }", "a = { $y }", "a = { $x }");
        assert_eq!(
            other,
            ["w/ur/a.ftl:0: locale: `a` has the variables {\"y\"}, elsewhere {\"x\"}"]
        );
    }

    #[test]
    fn a_whole_file_may_be_missing() {
        let tree = Tree::of(&[("w/en/a.ftl", "a = 1"), ("w/fr/a.ftl", "a = 1")]);
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        assert_eq!(
            findings.len(),
            3,
            "fr is unknown, ur and zh are missing: {findings:?}"
        );
    }
}
