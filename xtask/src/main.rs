//! Chores of the house: `cargo xtask test` runs everything, `cargo xtask tidy` checks the house rules.
//!
//! # Layout
//! - `test`: the checks, their order and the summary
//! - `parts`: the outside components that tests use: find, install, report
//! - `tidy`: the house rules, one module for each kind of file

mod parts;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Chores of the house.

  cargo xtask test [--skip-install] [--only NAME]...   install what the tests need, then run every check
  cargo xtask tidy                                     check the house rules (CONTRIBUTING.md)
  cargo xtask help                                     this text

  --skip-install   install nothing; what is missing is named in the summary
  --only NAME      run one check: formatting, tidy, lints, tests, story (may be repeated)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.split_first() {
        Some((&"test", rest)) => test::Options::parse(rest).and_then(|options| test::run(&root(), &options)),
        Some((&"tidy", [])) => tidy_command(),
        Some((&("help" | "--help" | "-h"), [])) => {
            print!("{HELP}");
            Ok(true)
        }
        _ => Err(anyhow::anyhow!("unknown command: {}\n\n{HELP}", words.join(" "))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn tidy_command() -> anyhow::Result<bool> {
    let report = tidy::check(&root())?;
    print!("{report}");
    Ok(report.findings.is_empty())
}

/// The directory of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask stands inside the workspace")
        .to_path_buf()
}
