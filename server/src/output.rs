//! What goes to the terminal: one JSON value with `--json`, lines for people without.

use crate::failure::{self, Failure};
use serde_json::{Value, json};
use std::io::Write;

/// How results are shown.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// JSON only.
    pub json: bool,
}

/// Prints lines for people.
pub struct Printer {
    out: std::io::StdoutLock<'static>,
    error: Option<std::io::Error>,
}

impl Printer {
    /// One line.
    pub fn line(&mut self, text: &str) {
        if let Err(error) = writeln!(self.out, "{text}") {
            self.error.get_or_insert(error);
        }
    }

    /// Rows with aligned columns; the columns in `right` are numbers.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>], right: &[usize]) {
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .chain([header[column].chars().count()])
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let print = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for (column, (cell, width)) in cells.zip(&widths).enumerate() {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                let parts = if right.contains(&column) {
                    [pad.as_str(), cell]
                } else {
                    [cell, &pad]
                };
                line.extend(parts);
                line.push_str("  ");
            }
            line.trim_end().to_owned()
        };
        let head = print(&mut header.iter().copied());
        self.line(&head);
        for row in rows {
            let text = print(&mut row.iter().map(String::as_str));
            self.line(&text);
        }
    }
}

impl Output {
    /// Shows a result: `value` as JSON, or what `people` prints.
    pub fn value(&self, value: &Value, people: impl FnOnce(&mut Printer)) -> anyhow::Result<()> {
        let mut printer = Printer {
            out: std::io::stdout().lock(),
            error: None,
        };
        if self.json {
            printer.line(&value.to_string());
        } else {
            people(&mut printer);
        }
        match printer.error {
            // `raseed statement ... | head`: the reader has seen enough.
            Some(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Some(error) => Err(anyhow::Error::new(error).context("write to standard output")),
            None => Ok(()),
        }
    }

    /// Shows why a command failed, on standard error.
    pub fn failure(&self, error: &anyhow::Error) {
        let told = failure::find(error);
        let hint = told.and_then(|failure: &Failure| failure.hint.as_deref());
        let mut stderr = std::io::stderr().lock();
        // When standard error is gone there is nobody to tell.
        let _ = if self.json {
            let code = told.and_then(|failure| failure.code.as_deref());
            let value = json!({"error": {
                "kind": failure::kind(error).name(), "message": failure::chain(error), "hint": hint, "code": code,
            }});
            writeln!(stderr, "{value}")
        } else {
            let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
            writeln!(stderr, "error: {}{hint}", failure::chain(error))
        };
    }
}
