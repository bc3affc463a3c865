//! `cargo xtask tidy`: the house rules that a program can check. CONTRIBUTING.md gives good, bad and reason for each.
//!
//! # Layout
//! - `source`: Rust text with comments and strings blanked out, test regions, function bodies
//! - `rust`: rules for `.rs` files
//! - `text`: rules for every text file, and for Markdown
//! - `locales`: every language has every sentence
//! - `manifests`: dependencies, and what each crate must not know
//! - `sql`: statements that every engine reads, and the fuzz targets

mod locales;
mod manifests;
mod rust;
mod source;
mod sql;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// Files longer than this are not read as text (fonts, pictures, golden journals).
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Checks the whole workspace at `root`.
pub fn check(root: &Path) -> anyhow::Result<Report> {
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    rust::check(&tree, &mut findings);
    text::check(&tree, &mut findings);
    locales::check(&tree, &mut findings);
    manifests::check(&tree, &mut findings);
    sql::check(&tree, &mut findings);
    manifests::check_boundaries(&manifests::metadata(root)?, &mut findings);
    findings.sort();
    Ok(Report {
        findings,
        files: tree.files.len(),
    })
}

/// A broken rule at a place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    /// From 1; 0 when the whole file is meant.
    line: usize,
    rule: &'static str,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

/// What tidy found in how many files.
pub struct Report {
    /// Sorted by path and line.
    pub findings: Vec<Finding>,
    files: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        writeln!(f, "tidy: {} files, {} findings", self.files, self.findings.len())
    }
}

/// The files of the project: what git tracks or would track. Binary files have no text.
struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    fn read(root: &Path) -> anyhow::Result<Tree> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("tidy asks git for the list of files")?;
        if !listing.status.success() {
            bail!(
                "git ls-files: {}",
                String::from_utf8_lossy(&listing.stderr).trim()
            );
        }
        let names = String::from_utf8(listing.stdout).context("a file name is not UTF-8")?;
        let mut files = BTreeMap::new();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            let path = root.join(name);
            // git still lists a file that was deleted and not yet committed.
            let Ok(metadata) = path.metadata() else { continue };
            let text = if metadata.is_file() && metadata.len() <= TEXT_BYTES_MAX {
                String::from_utf8(std::fs::read(&path).with_context(|| format!("read {name}"))?).ok()
            } else {
                None
            };
            files.insert(name.to_owned(), text.filter(|text| !text.contains('\0')));
        }
        Ok(Tree { files })
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Tree {
        let entry = |(name, text): &(&str, &str)| ((*name).to_owned(), Some((*text).to_owned()));
        Tree {
            files: files.iter().map(entry).collect(),
        }
    }

    /// The text files whose name ends with `ending`.
    fn texts<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = self.files.iter().filter(move |(name, _)| name.ends_with(ending));
        named.filter_map(|(name, text)| Some((name.as_str(), text.as_deref()?)))
    }

    /// Whether a file or a directory has this name.
    fn has(&self, name: &str) -> bool {
        let below = format!("{name}/");
        let first_below = self.files.range(below.clone()..).next();
        name.is_empty()
            || self.files.contains_key(name)
            || first_below.is_some_and(|(next, _)| next.starts_with(&below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let report = check(&crate::root()).expect("tidy runs");
        assert!(report.findings.is_empty(), "\n{report}");
    }

    #[test]
    fn a_tree_knows_files_and_directories() {
        let tree = Tree::of(&[("docs/a.md", ""), ("docs-old/b.md", "")]);
        for (name, there) in [
            ("docs", true),
            ("docs/a.md", true),
            ("docs/b.md", false),
            ("doc", false),
        ] {
            assert_eq!(tree.has(name), there, "{name}");
        }
    }
}
