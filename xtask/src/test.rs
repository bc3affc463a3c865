//! `cargo xtask test`: installs what the tests need, runs every check, and sums up.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::parts::{self, Component};
use crate::tidy;

/// Every check, in the order in which it runs: quick ones first.
const CHECKS: [Check; 5] = [
    Check {
        name: "formatting",
        run: formatting,
    },
    Check {
        name: "tidy",
        run: tidy_rules,
    },
    Check {
        name: "lints",
        run: lints,
    },
    Check {
        name: "tests",
        run: tests,
    },
    Check {
        name: "story",
        run: story,
    },
];

/// What the person asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    skip_install: bool,
    only: Vec<String>,
}

impl Options {
    /// Reads the words after `test`. Fails on an unknown option or check.
    pub fn parse(words: &[&str]) -> anyhow::Result<Options> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--skip-install" => options.skip_install = true,
                "--only" => {
                    let name = *words.next().context("--only needs the name of a check")?;
                    if !CHECKS.iter().any(|check| check.name == name) {
                        let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
                        bail!("there is no check `{name}`; the checks are {}", names.join(", "));
                    }
                    options.only.push(name.to_owned());
                }
                other => bail!("unknown option `{other}` (see cargo xtask help)"),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Runs the checks and prints the summary. True when nothing failed.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let mut summary = Summary::default();
    let components = if options.wants("tests") {
        heading("outside components");
        parts::prepare(root, options.skip_install)
    } else {
        Vec::new()
    };
    let bench = Bench::new(root, &components)?;
    for check in &CHECKS {
        if !options.wants(check.name) {
            summary.skipped.push(format!(
                "{}: not among --only {}",
                check.name,
                options.only.join(" --only ")
            ));
            continue;
        }
        heading(check.name);
        let start = Instant::now();
        let verdict = (check.run)(&bench);
        if let Err(Failure::Skipped(reason)) = &verdict {
            summary.skipped.push(format!("{}: {reason}", check.name));
            continue;
        }
        summary.checks.push(Line {
            name: check.name,
            verdict,
            time: start.elapsed(),
        });
    }
    if options.wants("tests") {
        let reports = std::fs::read_to_string(&bench.parts).unwrap_or_default();
        components_check(
            &mut summary,
            parts::roll_call(root, &components, &reports, options.skip_install),
        );
    }
    print!("{}", summary.text());
    Ok(summary.failed() == 0)
}

/// The story of the demo is meant to take at most this, on a machine with nothing else to do.
const STORY_TIME: Duration = Duration::from_secs(15);
/// Beyond this it fails: no machine is that busy.
const STORY_TIME_MAX: Duration = Duration::from_secs(60);

struct Check {
    name: &'static str,
    run: fn(&Bench) -> Verdict,
}

/// Passed, perhaps with a remark that the summary repeats; or not.
type Verdict = Result<Option<String>, Failure>;

#[derive(Debug)]
enum Failure {
    Failed(String),
    Skipped(String),
}

/// What every check gets to know.
struct Bench {
    root: PathBuf,
    /// File to which tests append a line for each outside component that took part.
    parts: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Bench {
    fn new(root: &Path, components: &[Component]) -> anyhow::Result<Bench> {
        let target = root.join("target");
        std::fs::create_dir_all(&target).context("make the directory target")?;
        let parts = target.join("raseed-parts.txt");
        std::fs::write(&parts, "").context("empty the list of parts")?;
        let mut environment = parts::environment(components);
        environment.push(("RASEED_PARTS", parts.display().to_string()));
        Ok(Bench {
            root: root.to_path_buf(),
            parts,
            environment,
        })
    }

    /// Runs cargo in the workspace; its output goes straight to the terminal.
    fn cargo(&self, arguments: &[&str]) -> Result<(), Failure> {
        println!("$ cargo {}", arguments.join(" "));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let status = Command::new(cargo)
            .args(arguments)
            .current_dir(&self.root)
            .envs(environment)
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Failed(format!(
                "`cargo {}` ended with {status}",
                arguments.join(" ")
            ))),
            Err(error) => Err(Failure::Failed(format!("`cargo` does not start: {error}"))),
        }
    }
}

fn passed((): ()) -> Option<String> {
    None
}

fn formatting(bench: &Bench) -> Verdict {
    bench.cargo(&["fmt", "--all", "--check"]).map(passed)
}

fn tidy_rules(bench: &Bench) -> Verdict {
    let report = tidy::check(&bench.root).map_err(|error| Failure::Failed(format!("{error:#}")))?;
    print!("{report}");
    match report.findings.len() {
        0 => Ok(None),
        count => Err(Failure::Failed(format!("{count} findings"))),
    }
}

fn lints(bench: &Bench) -> Verdict {
    bench
        .cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .map(passed)
}

fn tests(bench: &Bench) -> Verdict {
    bench
        .cargo(&["test", "--workspace", "--no-fail-fast"])
        .map(passed)
}

/// The story of the demo in the build that people run: every step and the audit must hold.
fn story(bench: &Bench) -> Verdict {
    let known = parts::mentioned(&bench.root, &["server/src"], &["--once", "once: bool"]);
    if !known {
        return Err(Failure::Skipped("`raseed` has no `demo --once` yet".to_owned()));
    }
    // Built first, and run by itself: its length is its own, and its output is read.
    bench.cargo(&["build", "--release"])?;
    let binary = target_directory(&bench.root).join("release/raseed");
    println!("$ raseed demo --once --json");
    let output = Command::new(&binary)
        .args(["demo", "--once", "--json"])
        .current_dir(&bench.root)
        .output()
        .map_err(|error| Failure::Failed(format!("{}: {error}", binary.display())))?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        print!("{told}{}", String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Failed(format!(
            "`raseed demo --once` ended with {}",
            output.status
        )));
    }
    let object: Value = serde_json::from_str(&told).map_err(|error| {
        Failure::Failed(format!("`raseed demo --once --json` is no JSON object: {error}"))
    })?;
    for step in object["steps"].as_array().into_iter().flatten() {
        println!(
            "{:>6} ms  {}",
            step["at_ms"],
            step["title"].as_str().unwrap_or("")
        );
    }
    story_time(&object).and_then(judged)
}

/// A slow story is told; a story that takes for ever fails.
fn judged(elapsed: Duration) -> Verdict {
    let took = format!("the story took {} ms", elapsed.as_millis());
    if elapsed > STORY_TIME_MAX {
        let most = STORY_TIME_MAX.as_millis();
        return Err(Failure::Failed(format!(
            "{took}, at most {most} ms are borne even on a busy machine"
        )));
    }
    let meant = STORY_TIME.as_millis();
    Ok((elapsed > STORY_TIME)
        .then(|| format!("SLOW: {took}, it is meant to take at most {meant} ms; is the machine busy?")))
}

/// `elapsed_ms` of the object that the demo ends with.
fn story_time(object: &Value) -> Result<Duration, Failure> {
    let elapsed = object["elapsed_ms"].as_u64();
    elapsed
        .map(Duration::from_millis)
        .ok_or_else(|| Failure::Failed("`raseed demo --once --json` does not tell elapsed_ms".to_owned()))
}

/// Where cargo builds.
fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |named| root.join(named))
}

/// The tests must have used every outside component that they know how to use.
fn components_check(summary: &mut Summary, roll: parts::RollCall) {
    summary.components = roll.lines;
    summary.skipped.extend(roll.skipped);
    let verdict = if roll.absent.is_empty() {
        Ok(None)
    } else {
        Err(Failure::Failed(roll.absent.join("; ")))
    };
    summary.checks.push(Line {
        name: "components",
        verdict,
        time: Duration::ZERO,
    });
}

struct Line {
    name: &'static str,
    verdict: Verdict,
    time: Duration,
}

#[derive(Default)]
struct Summary {
    checks: Vec<Line>,
    components: Vec<String>,
    skipped: Vec<String>,
}

impl Summary {
    fn failed(&self) -> usize {
        self.checks.iter().filter(|line| line.verdict.is_err()).count()
    }

    fn text(&self) -> String {
        let mut text = String::from("\n==== summary\n");
        if !self.components.is_empty() {
            text.push_str("outside components\n");
            for line in &self.components {
                let _ = writeln!(text, "  {line}");
            }
        }
        text.push_str("checks\n");
        for Line { name, verdict, time } in &self.checks {
            let (mark, why) = match verdict {
                Ok(remark) => (
                    "pass",
                    remark.iter().map(|remark| format!("  {remark}")).collect(),
                ),
                Err(Failure::Failed(why) | Failure::Skipped(why)) => ("FAIL", format!("  {why}")),
            };
            let line = format!(
                "  {mark}  {name:<12} {:>6}.{} s{why}",
                time.as_secs(),
                time.subsec_millis() / 100
            );
            let _ = writeln!(text, "{line}");
        }
        if !self.skipped.is_empty() {
            text.push_str("NOT RUN\n");
            for line in &self.skipped {
                let _ = writeln!(text, "  SKIPPED  {line}");
            }
        }
        let failed = self.failed();
        let _ = writeln!(text, "\n{} passed, {failed} failed", self.checks.len() - failed);
        text
    }
}

fn heading(name: &str) {
    println!("\n==== {name}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let options = Options::parse(&["--skip-install", "--only", "tidy"]).expect("good options");
        assert_eq!(
            options,
            Options {
                skip_install: true,
                only: vec!["tidy".to_owned()]
            }
        );
        assert!(options.wants("tidy") && !options.wants("tests"));
        assert!(Options::parse(&[]).expect("no options").wants("tests"));
        for bad in [&["--only"][..], &["--only", "nonsense"], &["--fast"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_summary_counts_and_shouts() {
        let mut summary = Summary::default();
        summary.checks.push(Line {
            name: "tidy",
            verdict: Ok(None),
            time: Duration::from_millis(1250),
        });
        summary.checks.push(Line {
            name: "story",
            verdict: Ok(Some("SLOW: the story took 16000 ms".to_owned())),
            time: Duration::from_secs(20),
        });
        let failure = Err(Failure::Failed("3 findings".to_owned()));
        summary.checks.push(Line {
            name: "lints",
            verdict: failure,
            time: Duration::ZERO,
        });
        summary.skipped.push("story: not there".to_owned());
        let text = summary.text();
        assert!(text.contains("pass  tidy              1.2 s\n"), "{text}");
        assert!(
            text.contains("FAIL  lints             0.0 s  3 findings\n"),
            "{text}"
        );
        assert!(text.contains("SKIPPED  story: not there\n"), "{text}");
        assert!(
            text.contains("pass  story            20.0 s  SLOW: the story took 16000 ms\n"),
            "{text}"
        );
        assert!(text.ends_with("\n2 passed, 1 failed\n"), "{text}");
    }

    #[test]
    fn the_length_of_the_story_is_looked_at() {
        for (elapsed_ms, expected) in [
            (900, Ok(false)),
            (15_000, Ok(false)),
            (15_001, Ok(true)),
            (60_001, Err(())),
        ] {
            let told = serde_json::json!({"ok": true, "elapsed_ms": elapsed_ms, "steps": []});
            let verdict = story_time(&told).and_then(judged);
            let remarked = verdict.map(|remark| remark.is_some()).map_err(|_| ());
            assert_eq!(remarked, expected, "{elapsed_ms}");
        }
        for bad in [serde_json::json!({"ok": true}), Value::Null] {
            assert!(story_time(&bad).is_err(), "{bad}");
        }
    }
}
