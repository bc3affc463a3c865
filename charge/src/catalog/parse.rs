//! Reads catalog files: one TOML file per country (currency, taxes, numbering) and one per operator (tariffs, bundles, policies).
//!
//! No file is opened here: the caller brings names and texts. Everything that is wrong is reported, not only the first
//! mistake, each with file, line and column and with what would be right.
//!
//! # Layout
//!
//! * `reader`: TOML tables with positions; unknown keys are problems. `value`: `"3.50"`, `"1 GB"`, `"01:00-09:00"`.
//! * `chain`: the file of the selling chain. `country`, `operator`, `keypad`, `sale`, `promotion`: the sections of the two
//!   kinds of file.
//! * `checks`: what only the whole can show: uncovered times, rows that never apply, overlapping numbers.

mod chain;
mod checks;
mod country;
mod keypad;
mod operator;
mod promotion;
mod reader;
mod sale;
#[cfg(test)]
mod tests;
mod value;

use super::chain::Chain;
use super::{Catalog, Catalogs};
use crate::time::Zone;
use country::Country;
use operator::Draft;
use reader::{Fields, Report};
use std::fmt;
use std::sync::Arc;
use toml::de::DeTable;

/// Limits of catalog files. What is larger is a mistake or an attack, not a catalog.
pub mod limits {
    /// Bytes of one file.
    pub const FILE_BYTES_MAX: usize = 1 << 20;
    /// Files of one catalog directory.
    pub const FILES_MAX: usize = 64;
    /// Entries of one list: tariff rows, offers, promotions, regions, prefixes.
    pub const ENTRIES_MAX: usize = 2_000;
    /// Buckets of one offer or promotion.
    pub const BUCKETS_MAX: usize = 8;
    /// Characters of a name, a note or a source.
    pub const TEXT_CHARACTERS_MAX: usize = 200;
    /// Problems reported for one file; the rest would only repeat them.
    pub const PROBLEMS_MAX: usize = 100;
    /// The highest price, limit or fee, in units of currency.
    pub const PRICE_UNITS_MAX: i64 = 1_000_000;
    /// The highest budget of a promotion, in units of currency.
    pub const BUDGET_UNITS_MAX: i64 = 1_000_000_000;
    /// The longest life of a bundle or a recharge, in days.
    pub const DAYS_MAX: u16 = 3_660;
    /// The highest operator id: catalogs are found by index.
    pub const OPERATOR_ID_MAX: u16 = 9_999;
}

/// A catalog file: its name for messages, and its text.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Name shown in problems, for example `catalog/jazz.toml`.
    pub name: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The catalog cannot be used.
    Error,
    /// It can be used, but somebody should look.
    Warning,
}

/// Something wrong in a catalog file, in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
    /// Error or warning.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(
            f,
            "{}:{}:{}: {warning}{}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// Finds a time zone by its IANA name; the caller has the tables.
pub type ZoneFinder<'a> = dyn Fn(&str) -> Option<Zone> + 'a;

/// Reads a whole catalog directory. Warnings do not stop it; [`check`] shows them.
///
/// # Errors
/// Every problem found, by file, line and column, when at least one is an error.
pub fn parse_all(files: &[SourceFile<'_>], zones: &ZoneFinder<'_>) -> Result<Catalogs, Vec<Problem>> {
    let (catalogs, problems) = check(files, zones);
    catalogs.ok_or(problems)
}

/// Reads the catalog of one operator from its file and its country's.
///
/// # Errors
/// As [`parse_all`]; also when the files hold no operator or several.
pub fn parse_catalog(files: &[SourceFile<'_>], zones: &ZoneFinder<'_>) -> Result<Catalog, Vec<Problem>> {
    let catalogs = parse_all(files, zones)?;
    let mut found = catalogs.iter();
    match (found.next(), found.next()) {
        (Some(catalog), None) => Ok(Catalog::clone(catalog)),
        _ => Err(vec![Problem {
            file: files.first().map_or("", |file| file.name).to_owned(),
            line: 1,
            column: 1,
            message: "expected the file of exactly one operator beside the file of its country".to_owned(),
            severity: Severity::Error,
        }]),
    }
}

/// Reads a whole catalog directory and tells everything, warnings too. There are catalogs when no problem is an error.
pub fn check(files: &[SourceFile<'_>], zones: &ZoneFinder<'_>) -> (Option<Catalogs>, Vec<Problem>) {
    let mut reports: Vec<Report<'_>> = files
        .iter()
        .map(|file| Report::new(file.name, file.text))
        .collect();
    let documents: Vec<Option<Document<'_>>> = files
        .iter()
        .zip(&mut reports)
        .map(|(file, report)| Document::read(file, report))
        .collect();
    if files.len() > limits::FILES_MAX {
        let message = format!(
            "{} catalog files; at most {} are read",
            files.len(),
            limits::FILES_MAX
        );
        reports[0].error(0, message);
    }
    let countries: Vec<Country> = each(&documents, Kind::Country, &mut reports)
        .map(|(document, report)| country::read(document.fields(), report, zones))
        .collect();
    let mut drafts: Vec<(usize, Draft<'_>)> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        if let Some(document) = document.as_ref().filter(|d| d.kind == Kind::Operator) {
            let draft = operator::read(document.fields(), &mut reports[index], &countries);
            drafts.extend(draft.map(|draft| (index, draft)));
        }
    }
    let chains: Vec<Option<Chain>> = each(&documents, Kind::Chain, &mut reports)
        .map(|(document, report)| chain::read(document.fields(), report, zones))
        .collect();
    if let Some((_, report)) = each(&documents, Kind::Chain, &mut reports).nth(1) {
        report.error(
            0,
            "there are two files of the selling chain; one is for all operators".to_owned(),
        );
    }
    operator::resolve_groups(&mut drafts, &mut reports);
    checks::run(&drafts, &mut reports);

    let mut problems: Vec<Problem> = reports.into_iter().flat_map(Report::into_problems).collect();
    if drafts.is_empty() && problems.is_empty() {
        problems.push(Problem {
            file: files.first().map_or("catalog", |file| file.name).to_owned(),
            line: 1,
            column: 1,
            message: "there is no operator file; one begins with `kind = \"operator\"`".to_owned(),
            severity: Severity::Error,
        });
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return (None, problems);
    }
    let mut catalogs = Catalogs::default();
    for (_, draft) in drafts {
        catalogs.insert(Arc::new(draft.catalog));
    }
    if let Some(chain) = chains.into_iter().flatten().next() {
        catalogs.set_chain(Arc::new(chain));
    }
    (Some(catalogs), problems)
}

/// The selling chain of a file that was checked when Raseed was built.
pub(super) fn shipped_chain(text: &str) -> Option<Chain> {
    let (name, zones) = ("catalog/chain.toml", |name: &str| {
        (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3_600))
    });
    let mut report = Report::new(name, text);
    let document = Document::read(&SourceFile { name, text }, &mut report)?;
    chain::read(document.fields(), &mut report, &zones)
}

fn each<'d, 'r, 't>(
    documents: &'d [Option<Document<'t>>],
    kind: Kind,
    reports: &'r mut [Report<'t>],
) -> impl Iterator<Item = (&'d Document<'t>, &'r mut Report<'t>)> + use<'d, 'r, 't> {
    documents
        .iter()
        .zip(reports)
        .filter_map(|(document, report)| Some((document.as_ref()?, report)))
        .filter(move |(document, _)| document.kind == kind)
}

/// What a file describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Country,
    Operator,
    Chain,
}

/// A file whose TOML is sound.
struct Document<'t> {
    kind: Kind,
    table: DeTable<'t>,
}

impl<'t> Document<'t> {
    fn read(file: &SourceFile<'t>, report: &mut Report<'t>) -> Option<Document<'t>> {
        if file.text.len() > limits::FILE_BYTES_MAX {
            let message = format!(
                "the file has {} bytes; at most {} are read",
                file.text.len(),
                limits::FILE_BYTES_MAX
            );
            report.error(0, message);
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(file.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            report.error(
                at,
                format!("not valid TOML: {}", error.message().replace('\n', "; ")),
            );
        }
        if !errors.is_empty() {
            return None;
        }
        let table = table.into_inner();
        let mut fields = Fields::new(&table, 0, "file");
        let kind = fields.required(report, "kind", "operator", |text| match text {
            "country" => Ok(Kind::Country),
            "operator" => Ok(Kind::Operator),
            "chain" => Ok(Kind::Chain),
            _ => Err(format!(
                "`{text}` is not a kind of file; write \"country\", \"operator\" or \"chain\""
            )),
        })?;
        fields.integer(report, "schema", 1..=1, None)?;
        Some(Document { kind, table })
    }

    fn fields(&self) -> Fields<'_> {
        let mut fields = Fields::new(&self.table, 0, "file");
        fields.skip(&["kind", "schema"]);
        fields
    }
}
