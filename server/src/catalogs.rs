//! Catalogs: the ones inside the binary or a directory of files, and `raseed catalog check`.

use crate::failure::{Failure, Kind};
use crate::output::Output;
use anyhow::Context as _;
use charge::Command;
use charge::catalog::Catalogs;
use charge::catalog::parse::{self, Problem, Severity, SourceFile, limits};
use charge::time::{Timestamp, Zone};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files that ship with the binary.
const EMBEDDED: &[(&str, &str)] = &[
    (
        "catalog/pakistan.toml",
        include_str!("../../catalog/pakistan.toml"),
    ),
    ("catalog/chain.toml", include_str!("../../catalog/chain.toml")),
    ("catalog/jazz.toml", include_str!("../../catalog/jazz.toml")),
    ("catalog/telenor.toml", include_str!("../../catalog/telenor.toml")),
    ("catalog/ufone.toml", include_str!("../../catalog/ufone.toml")),
    ("catalog/zong.toml", include_str!("../../catalog/zong.toml")),
];
/// Problems shown in an error of `serve`; `catalog check` shows all.
const SHOWN_MAX: usize = 10;

/// The catalogs of `dir`, or the embedded ones.
pub fn load(dir: Option<&Path>) -> anyhow::Result<Catalogs> {
    let files = match dir {
        Some(dir) => read(&[dir.to_owned()])?,
        None => embedded(),
    };
    parse::parse_all(&sources(&files), &zone).map_err(|problems| {
        let mut lines: Vec<String> = errors(&problems).map(ToString::to_string).collect();
        let more = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        let rest = if more > 0 {
            format!("\n  and {more} more")
        } else {
            String::new()
        };
        Failure::usage(format!(
            "the catalog cannot be used:\n  {}{rest}",
            lines.join("\n  ")
        ))
        .hint("`raseed catalog check` shows every problem.")
        .into()
    })
}

/// What is journalled when the catalogs come into force: for each operator its own file and the shared ones, as text.
pub fn publications(dir: Option<&Path>, catalogs: &Catalogs) -> anyhow::Result<Vec<Command>> {
    let files = match dir {
        Some(dir) => read(&[dir.to_owned()])?,
        None => embedded(),
    };
    let stem = |name: &str| {
        Path::new(name)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let is_own = |name: &str, code: &str| stem(name).as_deref() == Some(code);
    let is_shared = |name: &str| !catalogs.iter().any(|catalog| is_own(name, catalog.code.as_str()));
    let publish = |catalog: &Arc<charge::Catalog>| {
        let wanted = files
            .iter()
            .filter(|(name, _)| is_shared(name) || is_own(name, catalog.code.as_str()));
        Command::PublishCatalog {
            operator: catalog.operator,
            version: catalog.version,
            text: wanted
                .map(|(name, text)| format!("# file {name}\n{text}\n"))
                .collect(),
        }
    };
    Ok(catalogs.iter().map(publish).collect())
}

/// `raseed catalog check`.
pub fn check(paths: &[PathBuf], strict: bool, output: &Output) -> anyhow::Result<()> {
    let files = if paths.is_empty() {
        embedded()
    } else {
        read(paths)?
    };
    let (catalogs, problems) = parse::check(&sources(&files), &zone);
    let operators: Vec<_> = catalogs
        .iter()
        .flat_map(Catalogs::iter)
        .map(|catalog| {
            json!({
                "operator": catalog.code.as_str(), "version": catalog.version, "as_of": catalog.as_of,
                "tariff_rows": catalog.tariffs.len(), "bundles": catalog.offers.len(), "promotions": catalog.promotions.len(),
            })
        })
        .collect();
    let failed = errors(&problems).count();
    let warnings = problems.len() - failed;
    output.value(
        &json!({
            "ok": failed == 0 && !(strict && warnings > 0),
            "files": files.len(), "errors": failed, "warnings": warnings, "operators": operators,
            "problems": problems.iter().map(|problem| json!({
                "file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message,
                "severity": if problem.severity == Severity::Error { "error" } else { "warning" },
            })).collect::<Vec<_>>(),
        }),
        |print| {
            for problem in &problems {
                print.line(&problem.to_string());
            }
            for operator in &operators {
                print.line(&format!(
                    "{}: {} tariff rows, {} bundles, {} promotions, as of {}",
                    operator["operator"].as_str().unwrap_or(""),
                    operator["tariff_rows"],
                    operator["bundles"],
                    operator["promotions"],
                    operator["as_of"].as_str().unwrap_or(""),
                ));
            }
        },
    )?;
    if failed > 0 || (strict && warnings > 0) {
        return Err(Failure::new(
            Kind::Failed,
            format!("{failed} errors, {warnings} warnings in {} files", files.len()),
        )
        .into());
    }
    Ok(())
}

fn errors(problems: &[Problem]) -> impl Iterator<Item = &Problem> {
    problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
}

fn embedded() -> Vec<(String, String)> {
    EMBEDDED
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn sources(files: &[(String, String)]) -> Vec<SourceFile<'_>> {
    files
        .iter()
        .map(|(name, text)| SourceFile { name, text })
        .collect()
}

/// Reads files, and the `.toml` files of directories in the order of their names.
fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut names = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries =
                std::fs::read_dir(path).with_context(|| format!("read the directory {}", path.display()))?;
            let mut found = Vec::new();
            for entry in entries {
                let path = entry
                    .with_context(|| format!("read the directory {}", path.display()))?
                    .path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    found.push(path);
                }
            }
            if found.is_empty() {
                return Err(Failure::usage(format!("there is no .toml file in {}", path.display())).into());
            }
            found.sort();
            names.extend(found);
        } else {
            names.push(path.clone());
        }
    }
    if names.len() > limits::FILES_MAX {
        return Err(Failure::usage(format!(
            "{} catalog files; at most {} are read",
            names.len(),
            limits::FILES_MAX
        ))
        .into());
    }
    names
        .iter()
        .map(|path| {
            let size = std::fs::metadata(path).map_or(0, |data| data.len());
            if size > limits::FILE_BYTES_MAX as u64 {
                let message = format!(
                    "{} has {size} bytes; at most {} are read",
                    path.display(),
                    limits::FILE_BYTES_MAX
                );
                return Err(Failure::usage(message).into());
            }
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("read the catalog {}: {error}", path.display())))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}

/// A time zone with all its changes of this half century.
pub fn zone(name: &str) -> Option<Zone> {
    let zone = jiff::tz::TimeZone::get(name).ok()?;
    let start = jiff::Timestamp::from_second(0).ok()?;
    let end = jiff::civil::date(2100, 1, 1)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?
        .timestamp();
    let changes = zone
        .following(start)
        .take_while(|change| change.timestamp() < end)
        .map(|change| {
            (
                Timestamp(change.timestamp().as_microsecond()),
                change.offset().seconds(),
            )
        })
        .collect();
    Some(Zone {
        name: name.to_owned(),
        offset_s: zone.to_offset(start).seconds(),
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogs_are_sound() {
        let catalogs = load(None).unwrap();
        for code in ["jazz", "telenor", "zong", "ufone"] {
            assert!(catalogs.by_code(code).is_some(), "{code}");
        }
    }

    #[test]
    fn zones_have_their_changes() {
        let karachi = zone("Asia/Karachi").unwrap();
        assert_eq!(
            karachi.offset_at(Timestamp::from_seconds(1_790_000_000)),
            5 * 3_600
        );
        // 2008-07-01: summer time in Pakistan.
        assert_eq!(
            karachi.offset_at(Timestamp::from_seconds(1_214_900_000)),
            6 * 3_600
        );
        assert!(zone("Asia/Nowhere").is_none());
    }
}
