//! The file of a country: what its operators share.

use super::limits::TEXT_CHARACTERS_MAX;
use super::reader::{Fields, Report, plain_text, read_word, shorten};
use super::{ZoneFinder, value};
use crate::catalog::{Prefix, Region, TaxRules};
use crate::ids::Code;
use crate::time::Zone;

/// What operators take from their country. A part that could not be read is missing and has been reported.
pub(super) struct Country {
    /// ISO 3166-1 code, `PK`.
    pub(super) code: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) zone: Option<Zone>,
    pub(super) prefix: Option<Prefix>,
    pub(super) trunk: Option<String>,
    pub(super) national_digits: Option<u8>,
    pub(super) tax: Option<TaxRules>,
    sources: Sources,
}

impl Country {
    /// Where an entry's values come from; see [`Sources::provenance`].
    pub(super) fn provenance(&self, fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Provenance> {
        self.sources.provenance(fields, report)
    }
}

/// Source ids of the files and what they stand for.
struct Sources(Vec<(String, String)>);

/// Where an entry's values come from.
pub(super) struct Provenance {
    /// Date and source in words.
    pub(super) as_of: String,
    /// Something in the entry is invented for the demonstration.
    pub(super) synthetic: bool,
}

impl Sources {
    /// Reads `as_of`, `source`, `synthetic` and `note`. An entry without a source must say that it is synthetic, and a
    /// synthetic one must say in a note what is invented.
    fn provenance(&self, fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Provenance> {
        let as_of = fields.required(report, "as_of", "2024-09-02", value::as_of);
        let words = fields.words(report, "source", "S58");
        let synthetic = fields.flag(report, "synthetic", false);
        let has_note = fields.has("note");
        let note = fields.default(report, "note", "price invented", "", plain_text);
        let mut sources = Vec::new();
        for word in &words {
            let id = word.text;
            let known = self.0.iter().find(|(known, _)| known == id);
            let found = read_word(report, *word, |_| {
                known.ok_or_else(|| {
                    format!(
                        "source \"{}\" is not in [sources] of the country's file",
                        shorten(id)
                    )
                })
            });
            sources.extend(found.map(|(_, words)| format!("{words} ({id})")));
        }
        if words.is_empty() && !fields.has("source") && synthetic == Some(false) {
            let message = "no `source`: name one from [sources], or say `synthetic = true` and what is invented in `note`";
            report.error(fields.at, message.to_owned());
        }
        if synthetic == Some(true) && !has_note {
            report.error(
                fields.position("synthetic"),
                "`synthetic = true` needs a `note` that says what is invented".to_owned(),
            );
        }
        let (as_of, note) = (as_of?, note?);
        let mut text = as_of.to_owned();
        for part in sources
            .iter()
            .map(String::as_str)
            .chain([note])
            .filter(|part| !part.is_empty())
        {
            text.push_str("; ");
            text.push_str(part);
        }
        Some(Provenance {
            as_of: text,
            synthetic: synthetic?,
        })
    }
}

pub(super) fn read(mut file: Fields<'_>, report: &mut Report<'_>, zones: &ZoneFinder<'_>) -> Country {
    let code = file.required(report, "code", "PK", |text| capitals(text, 2));
    file.text(report, "name");
    file.required(report, "as_of", "2026-11-21", value::as_of);
    let currency = file.required(report, "currency", "PKR", |text| capitals(text, 3));
    let zone = file.required(report, "zone", "Asia/Karachi", |text| {
        zones(text).ok_or_else(|| {
            format!(
                "\"{}\" is not a known time zone; write one like \"Asia/Karachi\"",
                shorten(text)
            )
        })
    });
    let sources = read_sources(&mut file, report);
    let numbering = file.table(report, "numbering");
    let (mut prefix, mut trunk, mut national_digits) = (None, None, None);
    if let Some(mut fields) = numbering {
        prefix = fields.required(report, "country", "92", value::prefix);
        trunk = fields.required(report, "trunk", "0", |text| {
            let valid = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            if valid {
                Ok(text.to_owned())
            } else {
                Err("the trunk prefix is at most 3 digits, like \"0\"".to_owned())
            }
        });
        national_digits = fields.integer(report, "national_digits", 4..=12, None);
        sources.provenance(&mut fields, report);
        fields.finish(report);
    }
    let tax = file
        .table(report, "tax")
        .and_then(|fields| read_tax(fields, report, &sources));
    file.finish(report);
    Country {
        code: code.map(str::to_owned),
        currency: currency.map(str::to_owned),
        zone,
        prefix,
        trunk,
        national_digits: national_digits.and_then(|digits| u8::try_from(digits).ok()),
        tax,
        sources,
    }
}

/// `[sources]`: any id, with a text.
fn read_sources(file: &mut Fields<'_>, report: &mut Report<'_>) -> Sources {
    let mut sources = Vec::new();
    for (id, at, text) in file.texts_by_name(report, "sources") {
        if text.chars().count() > TEXT_CHARACTERS_MAX {
            report.error(
                at,
                format!(
                    "the text of source {} is longer than {TEXT_CHARACTERS_MAX} characters",
                    shorten(id)
                ),
            );
        }
        sources.push((id.to_owned(), text.to_owned()));
    }
    Sources(sources)
}

fn read_tax(mut fields: Fields<'_>, report: &mut Report<'_>, sources: &Sources) -> Option<TaxRules> {
    let recharge_name = fields.text(report, "recharge_name");
    let usage_name = fields.text(report, "usage_name");
    let listed_non_filer = fields.required(report, "listed_non_filer", "75", value::percent);
    let recharge_rounding = fields.required(report, "recharge_rounding", "half-up", value::rounding);
    let usage_rounding = fields.required(report, "usage_rounding", "half-up", value::rounding);
    let default_at = fields.position("default_region");
    let default_region = fields.required(report, "default_region", "PK-PB", value::region_code);
    sources.provenance(&mut fields, report);
    let tables = fields.tables(report, "region");
    if tables.is_empty() {
        report.error(
            fields.at,
            "the tax table has no region; begin each with [[tax.region]]".to_owned(),
        );
    }
    let mut regions: Vec<Region> = Vec::new();
    let mut unread = false;
    for table in tables {
        let at = table.at;
        let Some(region) = read_region(table, report, sources) else {
            unread = true;
            continue;
        };
        if regions.iter().any(|other| other.code == region.code) {
            report.error(at, format!("the region {} stands here twice", region.code));
        }
        let overlap = |other: &&Region| {
            let meets = |a: &(u32, u32)| region.areas.iter().any(|b| a.0 <= b.1 && b.0 <= a.1);
            other.areas.iter().any(meets)
        };
        if let Some(other) = regions.iter().find(overlap) {
            report.error(
                at,
                format!("cell areas of {} are also areas of {}", region.code, other.code),
            );
        }
        regions.push(region);
    }
    fields.finish(report);
    let default_region = default_region?;
    if !unread && !regions.is_empty() && !regions.iter().any(|region| region.code == default_region) {
        let codes: Vec<&str> = regions.iter().map(|region| region.code.as_str()).collect();
        let message = format!(
            "the default region {default_region} is unknown; the regions are {}",
            codes.join(", ")
        );
        report.error(default_at, message);
    }
    if regions.is_empty() {
        return None;
    }
    Some(TaxRules {
        recharge_name: recharge_name?,
        usage_name: usage_name?,
        regions,
        default_region,
        listed_non_filer: listed_non_filer?,
        recharge_rounding: recharge_rounding?,
        usage_rounding: usage_rounding?,
    })
}

fn read_region(mut fields: Fields<'_>, report: &mut Report<'_>, sources: &Sources) -> Option<Region> {
    let code: Option<Code> = fields.required(report, "code", "PK-PB", value::region_code);
    let name = fields.text(report, "name");
    let recharge = fields.required(report, "recharge", "15", value::percent);
    let usage = fields.required(report, "usage", "19.5", value::percent);
    let words = fields.words(report, "areas", "1000-1999");
    let areas: Vec<(u32, u32)> = words
        .into_iter()
        .filter_map(|word| read_word(report, word, value::area_range))
        .collect();
    sources.provenance(&mut fields, report);
    fields.finish(report);
    Some(Region {
        code: code?,
        name: name?,
        recharge: recharge?,
        usage: usage?,
        areas,
    })
}

fn capitals(text: &str, length: usize) -> Result<&str, String> {
    if text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text)
    } else {
        Err(format!(
            "\"{}\" is not a code of {length} capital letters",
            shorten(text)
        ))
    }
}
