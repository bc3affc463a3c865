//! How the story is told: a picture, numbered steps, facts, and checks with a mark.

use super::shop::PIN;
use crate::output::Output;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Tells the story and remembers what did not hold.
pub struct Stage {
    silent: bool,
    colours: bool,
    started: Instant,
    steps: Vec<Step>,
}

struct Step {
    title: String,
    at_ms: u64,
    facts: Vec<String>,
    checks: Vec<(String, bool)>,
}

impl Stage {
    /// A stage; silent when only the JSON at the end is wanted.
    pub fn new(silent: bool, started: Instant) -> Stage {
        Stage {
            silent,
            colours: !silent && std::io::stdout().is_terminal(),
            started,
            steps: Vec::new(),
        }
    }

    /// The picture of what has been started.
    pub fn opening(&self, http: &str, diameter: &str, smpp: &str, data: &str) {
        let diameter = format!("Diameter {diameter}");
        let smpp = format!("SMPP {smpp}");
        self.print(&format!(
            "\n  {}  synthetic data; tariffs as of the dates in catalog/\n\n\
             \x20 shop, app    ── HTTP ──────►  ┌──────────────────┐  ── SMPP ──►  message centre ──►  handsets\n\
             \x20 gateway      ── Diameter Gy ─►│      Raseed      │\n\
             \x20 call server  ── Diameter Ro ─►└──────────────────┘  journal in SQLite: every answer is durable\n\n\
             \x20 {http}   {diameter}   {smpp}\n  data: {data}",
            self.bold("Raseed demo")
        ));
    }

    /// Begins a step.
    pub fn step(&mut self, title: &str) {
        self.print(&format!(
            "\n {} {}",
            self.bold(&format!("{:>2}", self.steps.len() + 1)),
            self.bold(title)
        ));
        self.steps.push(Step {
            title: title.to_owned(),
            at_ms: self.elapsed_ms(),
            facts: Vec::new(),
            checks: Vec::new(),
        });
    }

    /// Says something that is so.
    pub fn fact(&mut self, text: &str) {
        self.print(&format!("      {text}"));
        if let Some(step) = self.steps.last_mut() {
            step.facts.push(text.trim().to_owned());
        }
    }

    /// A line with a label and a value.
    pub fn item(&mut self, label: &str, value: &str, note: &str) {
        self.fact(format!("{label:<12} {value:>14}   {note}").trim_end());
    }

    /// Something that must hold.
    pub fn check(&mut self, text: &str, holds: bool) {
        let mark = match (holds, self.colours) {
            (true, true) => "\x1b[32m✓\x1b[0m",
            (true, false) => "✓",
            (false, true) => "\x1b[31m✗\x1b[0m",
            (false, false) => "✗",
        };
        self.print(&format!("    {mark} {text}"));
        if let Some(step) = self.steps.last_mut() {
            step.checks.push((text.to_owned(), holds));
        }
    }

    /// A message as the handset shows it.
    pub fn handset(&mut self, to: &str, from: &str, text: &str) {
        self.fact(&format!("┌ {to} · SMS from {from}"));
        for line in wrapped(text, 76) {
            self.fact(&format!("│ {line}"));
        }
    }

    /// The end: a summary, or the JSON. Says how many checks did not hold.
    pub fn end(&self, output: &Output) -> anyhow::Result<usize> {
        let checks = || self.steps.iter().flat_map(|step| &step.checks);
        let failed = checks().filter(|(_, holds)| !holds).count();
        let elapsed_ms = self.elapsed_ms();
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let checks: Vec<Value> = step
                    .checks
                    .iter()
                    .map(|(text, holds)| json!({"text": text, "holds": holds}))
                    .collect();
                json!({"title": step.title, "at_ms": step.at_ms, "facts": step.facts, "checks": checks})
            })
            .collect();
        let value = json!({"ok": failed == 0, "checks": checks().count(), "failed": failed, "elapsed_ms": elapsed_ms, "steps": steps});
        output.value(&value, |print| {
            let seconds = format!("{}.{:03} s", elapsed_ms / 1_000, elapsed_ms % 1_000);
            print.line("");
            print.line(&match failed {
                0 => format!("  {} checks held, in {seconds}", checks().count()),
                failed => format!("  {failed} of {} checks did not hold", checks().count()),
            });
        })?;
        Ok(failed)
    }

    /// What to do in the time that follows; `shop` is the outlet with the till.
    pub fn stay(&self, url: &str, key: &str, shop: u64) {
        self.print(&format!(
            "\n  Open {}\n  Numbers: 0300 1234567 (English), 0321 9876543 (Urdu). The code of the sign-in goes to the handset:\n  {url}/demo\n\
             \x20 The till of the invented shop:  {url}/pos  outlet {shop}, login ali (owner) or sana (cashier), PIN {PIN}\n\
             \x20 Invented outlets near each other:  {url}/outlets\n\
             \x20 For the command line:  export RASEED_SERVER={url} RASEED_KEY={key}\n\
             \x20                        raseed statement 923001234567 --why\n  Ctrl-C ends it.",
            self.bold(url)
        ));
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn bold(&self, text: &str) -> String {
        if self.colours {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn print(&self, text: &str) {
        if !self.silent {
            // When nobody reads any more, the checks still count.
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }
}

/// Breaks text between words into lines of about so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            let _ = write!(line, " {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible", 7), ["incomprehensible"]);
    }
}
