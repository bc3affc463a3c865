//! TOML tables with positions: every key is asked for by name, and what nobody asked for is a problem.

use super::limits::{ENTRIES_MAX, PROBLEMS_MAX, TEXT_CHARACTERS_MAX};
use super::{Problem, Severity};
use crate::catalog::Text;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Collects the problems of one file.
pub(super) struct Report<'t> {
    name: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Report<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Report<'t> {
        Report {
            name,
            text,
            problems: Vec::new(),
        }
    }

    pub(super) fn error(&mut self, at: usize, message: String) {
        self.push(at, message, Severity::Error);
    }

    pub(super) fn warning(&mut self, at: usize, message: String) {
        self.push(at, message, Severity::Warning);
    }

    fn push(&mut self, at: usize, message: String, severity: Severity) {
        if self.is_full() {
            return;
        }
        let (line, column) = self.position(at);
        self.problems.push(Problem {
            file: self.name.to_owned(),
            line,
            column,
            message,
            severity,
        });
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// True when more would not be kept.
    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// The problems by line and column.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}

/// A piece of text of the file and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// The keys of one table.
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    /// Where the table begins, for what is missing in it.
    pub(super) at: usize,
    /// What it is, in messages: `offer`.
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    pub(super) fn new<'s>(table: &'t DeTable<'s>, at: usize, what: &'static str) -> Fields<'t> {
        Fields {
            table,
            at,
            what,
            asked: Vec::new(),
        }
    }

    /// Counts keys as asked for that another reader has taken.
    pub(super) fn skip(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    fn take(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The text of a key, without asking for it.
    pub(super) fn peek(&self, key: &str) -> Option<&'t str> {
        self.table.get(key)?.get_ref().as_str()
    }

    /// Where the value of a key stands; the table where there is none.
    pub(super) fn position(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.at, |value| value.span().start)
    }

    fn missing(&self, report: &mut Report<'_>, key: &str) {
        report.error(self.at, format!("the {} has no `{key}`", self.what));
    }

    /// A text that must be there, read by `read`. `example` shows how to write one.
    pub(super) fn required<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&'t str) -> Result<T, String>,
    ) -> Option<T> {
        match self.word(report, key, example) {
            Some(Some(word)) => read_word(report, word, read),
            Some(None) => {
                self.missing(report, key);
                None
            }
            None => None,
        }
    }

    /// A text that may be left out.
    pub(super) fn default<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        example: &str,
        default: T,
        read: impl FnOnce(&'t str) -> Result<T, String>,
    ) -> Option<T> {
        match self.word(report, key, example)? {
            Some(word) => read_word(report, word, read),
            None => Some(default),
        }
    }

    /// The text of a key: `None` when it is not text, `Some(None)` when the key is not there.
    pub(super) fn word(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<Option<Word<'t>>> {
        match self.take(key) {
            None => Some(None),
            Some(value) => as_word(report, key, example, value).map(Some),
        }
    }

    /// `true` or `false`; false where it is left out.
    pub(super) fn flag(&mut self, report: &mut Report<'_>, key: &'static str, default: bool) -> Option<bool> {
        match self.take(key).map(|value| (value.get_ref(), value.span().start)) {
            None => Some(default),
            Some((DeValue::Boolean(flag), _)) => Some(*flag),
            Some((_, at)) => {
                report.error(at, format!("`{key}` must be true or false, without quotes"));
                None
            }
        }
    }

    /// A whole number in a range. Without a default it must be there.
    pub(super) fn integer(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: Option<u32>,
    ) -> Option<u32> {
        let Some(value) = self.take(key) else {
            if default.is_none() {
                self.missing(report, key);
            }
            return default;
        };
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = if low == high {
                format!("`{key}` must be {low}")
            } else {
                format!("`{key}` must be a whole number from {low} to {high}, without quotes")
            };
            report.error(value.span().start, message);
        }
        number
    }

    /// A list of texts; empty where it is left out.
    pub(super) fn words(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        example: &str,
    ) -> Vec<Word<'t>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("`{key}` must be a list, like [\"{example}\"]");
            report.error(value.span().start, message);
            return Vec::new();
        };
        if array.len() > ENTRIES_MAX {
            let message = format!(
                "`{key}` has {} entries; at most {ENTRIES_MAX} are read",
                array.len()
            );
            report.error(value.span().start, message);
        }
        let entries = array.iter().take(ENTRIES_MAX);
        entries
            .filter_map(|entry| as_word(report, key, example, entry))
            .collect()
    }

    /// A list of whole numbers; empty where it is left out.
    pub(super) fn integers(&mut self, report: &mut Report<'_>, key: &'static str) -> Vec<u32> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let wrong = format!("`{key}` must be a list of whole numbers, like [10, 20]");
        let Some(array) = value.get_ref().as_array() else {
            report.error(value.span().start, wrong);
            return Vec::new();
        };
        let mut numbers = Vec::new();
        for entry in array.iter().take(ENTRIES_MAX) {
            let number = entry.get_ref().as_integer();
            match number.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok()) {
                Some(number) => numbers.push(number),
                None => report.error(entry.span().start, wrong.clone()),
            }
        }
        numbers
    }

    /// A table that may be left out.
    pub(super) fn optional_table(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
    ) -> Option<Fields<'t>> {
        let value = self.take(key)?;
        let fields = as_fields(value, key);
        if fields.is_none() {
            let message = format!("`{key}` must be a table, like [{key}] or {key} = {{ ... }}");
            report.error(value.span().start, message);
        }
        fields
    }

    /// A table whose keys are free and whose values are texts: key, place and text.
    pub(super) fn texts_by_name(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
    ) -> Vec<(&'t str, usize, &'t str)> {
        let Some(fields) = self.optional_table(report, key) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (name, value) in fields.table.iter().take(ENTRIES_MAX) {
            let name = name.get_ref().as_ref();
            if let Some(word) = as_word(report, name, "text", value) {
                texts.push((name, word.at, word.text));
            }
        }
        texts
    }

    /// A table that must be there.
    pub(super) fn table(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<Fields<'t>> {
        if !self.has(key) {
            self.missing(report, key);
        }
        self.optional_table(report, key)
    }

    /// A list of tables (`[[key]]`, or `key = [{ ... }]`); empty where it is left out.
    pub(super) fn tables(&mut self, report: &mut Report<'_>, key: &'static str) -> Vec<Fields<'t>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("`{key}` must be a list of tables: begin each with [[{key}]]");
            report.error(value.span().start, message);
            return Vec::new();
        };
        if array.len() > ENTRIES_MAX {
            let message = format!(
                "{} entries of `{key}`; at most {ENTRIES_MAX} are read",
                array.len()
            );
            report.error(value.span().start, message);
        }
        let mut tables = Vec::new();
        for entry in array.iter().take(ENTRIES_MAX) {
            match as_fields(entry, key) {
                Some(fields) => tables.push(fields),
                None => report.error(entry.span().start, format!("an entry of `{key}` must be a table")),
            }
        }
        tables
    }

    /// A name for people in all three languages.
    pub(super) fn text(&mut self, report: &mut Report<'_>, key: &'static str) -> Option<Text> {
        let mut fields = self.table(report, key)?;
        let mut language = |key| fields.required(report, key, "Weekly", plain_text);
        let (en, ur, zh) = (language("en"), language("ur"), language("zh"));
        fields.finish(report);
        Some(Text {
            en: en?.to_owned(),
            ur: ur?.to_owned(),
            zh: zh?.to_owned(),
        })
    }

    /// Reports every key that nobody asked for. To be called once all have been.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) || report.is_full() {
                continue;
            }
            let unused = self
                .asked
                .iter()
                .filter(|asked| !self.table.contains_key(**asked));
            let likely = unused
                .min_by_key(|asked| distance(name, asked))
                .filter(|asked| distance(name, asked) <= 2);
            let hint = likely.map_or(String::new(), |asked| format!("; did you mean `{asked}`?"));
            report.error(
                key.span().start,
                format!("the {} has no key `{}`{hint}", self.what, shorten(name)),
            );
        }
    }
}

/// Reads a text that has a position; the message of `read` becomes a problem there.
pub(super) fn read_word<'t, T>(
    report: &mut Report<'_>,
    word: Word<'t>,
    read: impl FnOnce(&'t str) -> Result<T, String>,
) -> Option<T> {
    match read(word.text) {
        Ok(value) => Some(value),
        Err(message) => {
            report.error(word.at, message);
            None
        }
    }
}

/// A text for people: not empty, on one line, of bearable length.
pub(super) fn plain_text(text: &str) -> Result<&str, String> {
    if text.trim().is_empty() {
        Err("the text is empty".to_owned())
    } else if text.chars().count() > TEXT_CHARACTERS_MAX {
        Err(format!(
            "the text is longer than {TEXT_CHARACTERS_MAX} characters"
        ))
    } else if text.chars().any(char::is_control) {
        Err("the text holds a control character; keep it on one line".to_owned())
    } else {
        Ok(text)
    }
}

/// Foreign text in a message: bounded.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().count() > 40 {
        short.push_str("...");
    }
    short
}

fn as_word<'t>(
    report: &mut Report<'_>,
    key: &str,
    example: &str,
    value: &'t Spanned<DeValue<'_>>,
) -> Option<Word<'t>> {
    let at = value.span().start;
    if let Some(text) = value.get_ref().as_str() {
        return Some(Word { text, at });
    }
    let kind = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.error(
        at,
        format!("`{key}` must be text in quotes, like \"{example}\"; this is {kind}"),
    );
    None
}

fn as_fields<'t>(value: &'t Spanned<DeValue<'_>>, what: &'static str) -> Option<Fields<'t>> {
    let table = value.get_ref().as_table()?;
    Some(Fields::new(table, value.span().start, what))
}

/// Levenshtein distance of two short names; names too different in length are far.
fn distance(left: &str, right: &str) -> usize {
    if left.len().abs_diff(right.len()) > 2 || left.len() > 40 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
