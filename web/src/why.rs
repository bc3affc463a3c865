//! The reason behind a statement line, in sentences: of a session first the sum of its reports, then each of them.

use crate::api::bundles::name_of;
use crate::bind::Reader;
use crate::page::format::Speech;
use crate::text;
use charge::catalog::{Catalog, Language};
use charge::event::{Charged, ChargedBy, Priced};
use charge::explain::explain;
use charge::time::Zone;
use charge::unit::{Amount, Service};
use charge::{Code, Event, EventBody, Money, Timestamp};
use store::StoreError;
use store::reads::{StatementEntry, UsageRecord};

/// Reports of one session that are told one by one; the last ones are taken.
const REPORTS_MAX: usize = 24;

/// Why a line is what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// The short answer.
    pub sentences: Vec<String>,
    /// Of a session: its reports, one by one.
    pub reports: Vec<Report>,
}

/// What one report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When it was decided.
    pub at: Timestamp,
    /// The sentences.
    pub sentences: Vec<String>,
}

/// Sentences for an event. `catalog` knows the operator's time zone.
pub fn event(event: &Event, catalog: Option<&Catalog>, language: Language) -> Vec<String> {
    let utc = Zone::UTC;
    let zone = catalog.map_or(&utc, |catalog| &catalog.zone);
    let lines = explain(event, language, zone).lines;
    lines.into_iter().map(|line| line.text).collect()
}

/// The reasons of a statement entry.
///
/// # Errors
/// [`StoreError`] when the journal cannot be read.
pub fn entry(
    reader: &mut Reader,
    entry: &StatementEntry,
    catalog: &Catalog,
    language: Language,
) -> Result<Reasons, StoreError> {
    match entry {
        StatementEntry::Line(line) => Ok(Reasons {
            sentences: match reader.event(line.place)? {
                Some(found) => event(&found, Some(catalog), language),
                None => Vec::new(),
            },
            reports: Vec::new(),
        }),
        StatementEntry::Usage(usage) => session(reader, usage, catalog, language),
    }
}

/// Sentences for programs: without isolation marks where the language does not need them.
pub fn plain(sentences: Vec<String>, language: Language) -> Vec<String> {
    match language {
        Language::Ur => sentences,
        Language::En | Language::Zh => sentences
            .into_iter()
            .map(|sentence| sentence.replace(text::ISOLATES, ""))
            .collect(),
    }
}

fn session(
    reader: &mut Reader,
    usage: &UsageRecord,
    catalog: &Catalog,
    language: Language,
) -> Result<Reasons, StoreError> {
    let mut sum = Sum::default();
    let mut reports = Vec::new();
    let told_from = usage.events.len().saturating_sub(REPORTS_MAX);
    for (index, place) in usage.events.iter().enumerate() {
        let Some(found) = reader.event(*place)? else {
            continue;
        };
        if let EventBody::Charged(charged) = &found.body {
            sum.add(charged);
        }
        if index >= told_from {
            reports.push(Report {
                at: found.at,
                sentences: event(&found, Some(catalog), language),
            });
        }
    }
    let speech = Speech { language };
    Ok(Reasons {
        sentences: sum.sentences(usage, catalog, speech),
        reports,
    })
}

/// What a session was charged, by the way it was paid.
#[derive(Default)]
struct Sum {
    buckets: Vec<(Code, Amount, i64)>,
    tariffs: Vec<(Priced, i64)>,
    setup: Money,
    free: Amount,
}

impl Sum {
    fn add(&mut self, charged: &Charged) {
        if let Some(setup) = &charged.setup {
            self.setup += setup.gross;
        }
        for charge in charged.parts.iter().flat_map(|part| &part.charges) {
            match &charge.by {
                ChargedBy::Bucket { source, step } => {
                    let same = |known: &&mut (Code, Amount, i64)| known.0 == *source && known.1 == *step;
                    match self.buckets.iter_mut().find(same) {
                        Some((_, _, steps)) => *steps += charge.pulses,
                        None => self.buckets.push((*source, *step, charge.pulses)),
                    }
                }
                ChargedBy::Tariff(priced) | ChargedBy::Uncovered(priced) => {
                    match self.tariffs.iter_mut().find(|(known, _)| known == priced) {
                        Some((_, pulses)) => *pulses += charge.pulses,
                        None => self.tariffs.push((*priced, charge.pulses)),
                    }
                }
                ChargedBy::Free(_) => self.free += charge.units,
                ChargedBy::PaidAhead => {}
            }
        }
    }

    fn sentences(&self, usage: &UsageRecord, catalog: &Catalog, t: Speech) -> Vec<String> {
        let unit = usage.service.unit();
        let amount = |amount: Amount| t.amount(unit, amount, &catalog.currency);
        let money = |money: Money| t.money(money, &catalog.currency);
        let mut out = vec![t.with("why-used", &[("used", amount(usage.used).into())])];
        for (source, step, steps) in &self.buckets {
            let values = [
                ("name", name_of(*source, catalog, t.language).into()),
                ("count", (*steps).into()),
                ("step", amount(*step).into()),
            ];
            out.push(t.with("why-bucket", &values));
        }
        for (priced, pulses) in &self.tariffs {
            let row = catalog.tariffs.iter().find(|row| row.code == priced.tariff);
            let name = row.map_or(priced.tariff.as_str(), |row| row.name.get(t.language));
            let each = match usage.service {
                Service::Sms => t.with("why-each-sms", &[("count", priced.pulse.0.into())]),
                Service::Data | Service::Voice => amount(priced.pulse),
            };
            let values = [
                ("name", name.into()),
                ("count", (*pulses).into()),
                ("price", money(priced.gross).into()),
                ("each", each.into()),
                (
                    "total",
                    money(Money(priced.gross.0.saturating_mul(*pulses))).into(),
                ),
            ];
            out.push(t.with("why-tariff", &values));
        }
        if self.setup.is_positive() {
            out.push(t.with("why-setup", &[("amount", money(self.setup).into())]));
        }
        if self.free.is_positive() {
            out.push(t.with("why-free", &[("amount", amount(self.free).into())]));
        }
        if usage.money.is_positive() {
            let values = [
                ("cost", money(usage.money).into()),
                ("tax", money(usage.tax).into()),
            ];
            out.push(t.with("why-total", &values));
        } else {
            out.push(t.with("why-nothing", &[]));
        }
        if usage.uncovered.is_positive() {
            out.push(t.with("why-uncovered", &[("amount", money(usage.uncovered).into())]));
        }
        if !usage.complete() {
            out.push(t.with(
                "why-partial",
                &[(
                    "count",
                    i64::try_from(usage.events.len()).unwrap_or(i64::MAX).into(),
                )],
            ));
        }
        if !usage.closed {
            out.push(t.with("why-open", &[]));
        }
        out
    }
}
