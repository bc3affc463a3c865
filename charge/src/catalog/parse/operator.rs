//! The file of an operator: who it is, its numbers, recharge, policy and contact. What it sells is read in [`super::sale`].

use super::country::Country;
use super::limits::{DAYS_MAX, OPERATOR_ID_MAX};
use super::reader::{Fields, Report, Word, plain_text, read_word, shorten};
use super::{keypad, promotion, sale, value};
use crate::catalog::{
    CardRules, Catalog, Contact, FinalAction, GrantPolicy, Numbering, Policy, Prefix, RechargeRules,
    ValidityBand, ValidityRule,
};
use crate::ids::OperatorId;
use crate::left::SessionNotice;
use crate::money::Money;
use crate::unit::{Amount, Service, Unit};

/// An operator that has been read, with the places that later checks need.
pub(super) struct Draft<'t> {
    pub(super) catalog: Catalog,
    /// Where the operator's code and id stand.
    pub(super) code_at: usize,
    pub(super) id_at: usize,
    /// Where each prefix and network stands.
    pub(super) prefixes_at: Vec<usize>,
    pub(super) plmns_at: Vec<usize>,
    /// Where each tariff row begins.
    pub(super) tariffs_at: Vec<usize>,
    /// Codes of the operators of its network group.
    group: Vec<Word<'t>>,
}

/// Reads the file; `None` when a part of it could not be read, which has been reported.
pub(super) fn read<'t>(
    mut file: Fields<'t>,
    report: &mut Report<'_>,
    countries: &[Country],
) -> Option<Draft<'t>> {
    let code_at = file.position("code");
    let code = file.required(report, "code", "jazz", value::code);
    let id_at = file.position("id");
    let id = file.integer(report, "id", 1..=u32::from(OPERATOR_ID_MAX), None);
    let name = file.text(report, "name");
    let version = file.integer(report, "version", 1..=u32::MAX, None);
    let country = file.required(report, "country", "PK", |text| {
        let found = countries
            .iter()
            .find(|country| country.code.as_deref() == Some(text));
        found.ok_or_else(|| format!("there is no file of the country \"{}\"", shorten(text)))
    });
    // Without its country nothing else in the file can be judged.
    let country = country?;
    let provenance = country.provenance(&mut file, report);
    let numbering = file
        .table(report, "numbering")
        .and_then(|fields| read_numbering(fields, report, country));
    let recharge = file
        .table(report, "recharge")
        .and_then(|fields| read_recharge(fields, report, country));
    let cards = match file.optional_table(report, "cards") {
        Some(fields) => read_cards(fields, report, country),
        None => Some(CardRules::default()),
    };
    let policy = file
        .table(report, "policy")
        .and_then(|fields| read_policy(fields, report, country));
    let contact = file
        .table(report, "contact")
        .and_then(|fields| read_contact(fields, report, country));
    let steps = file
        .table(report, "steps")
        .and_then(|fields| sale::read_steps(fields, report));
    let tariffs = sale::read_tariffs(&mut file, report, country);
    let offers = sale::read_offers(&mut file, report, country, steps);
    let keypad = file.optional_table(report, "keypad");
    let keypad = keypad::read_keypad(keypad, report, country, (contact.as_ref(), offers.as_deref()));
    let promotions = promotion::read_promotions(&mut file, report, country, (steps, offers.as_deref()));
    file.finish(report);

    let operator = OperatorId(u16::try_from(id?).ok()?);
    let (mut numbering, group, prefixes_at, plmns_at) = numbering?;
    numbering.operator = operator;
    let (tariffs, tariffs_at) = tariffs?;
    Some(Draft {
        catalog: Catalog {
            operator,
            code: code?,
            name: name?,
            version: version?,
            as_of: provenance?.as_of,
            currency: country.currency.clone()?,
            zone: country.zone.clone()?,
            numbering,
            tax: country.tax.clone()?,
            recharge: recharge?,
            cards: cards?,
            tariffs,
            offers: offers?,
            promotions: promotions?,
            policy: policy?,
            contact: contact?,
            keypad: keypad?,
        },
        code_at,
        id_at,
        prefixes_at,
        plmns_at,
        tariffs_at,
        group,
    })
}

/// Turns the codes of network groups into operators and their number ranges.
pub(super) fn resolve_groups(drafts: &mut [(usize, Draft<'_>)], reports: &mut [Report<'_>]) {
    let known: Vec<(String, OperatorId, Vec<Prefix>)> = drafts
        .iter()
        .map(|(_, d)| {
            (
                d.catalog.code.to_string(),
                d.catalog.operator,
                d.catalog.numbering.prefixes.clone(),
            )
        })
        .collect();
    for (file, draft) in drafts {
        for word in std::mem::take(&mut draft.group) {
            let found = known.iter().find(|(code, ..)| code == word.text);
            let found = read_word(&mut reports[*file], word, |text| {
                found.ok_or_else(|| format!("there is no file of the operator \"{}\"", shorten(text)))
            });
            if let Some((_, operator, prefixes)) = found {
                draft.catalog.numbering.group.push(*operator);
                draft.catalog.numbering.group_prefixes.extend(prefixes);
            }
        }
    }
}

type NumberingParts<'t> = (Numbering, Vec<Word<'t>>, Vec<usize>, Vec<usize>);

fn read_numbering<'t>(
    mut fields: Fields<'t>,
    report: &mut Report<'_>,
    country: &Country,
) -> Option<NumberingParts<'t>> {
    let words = fields.words(report, "prefixes", "30");
    if words.is_empty() {
        report.error(
            fields.at,
            "the operator has no number range; write `prefixes = [\"30\"]`".to_owned(),
        );
    }
    let (country_prefix, national_digits) = (country.prefix?, country.national_digits?);
    let full = |text: &str| {
        let national = value::prefix(text)?;
        if national.digits >= national_digits {
            return Err(format!(
                "the prefix {text} is as long as a whole number; write its first digits"
            ));
        }
        let whole = format!("{}{text}", country_prefix.value);
        Prefix::parse(&whole).ok_or_else(|| format!("the prefix {text} is too long"))
    };
    let mut prefixes = Vec::new();
    let mut prefixes_at = Vec::new();
    for word in words {
        if let Some(prefix) = read_word(report, word, full) {
            prefixes.push(prefix);
            prefixes_at.push(word.at);
        }
    }
    let group_prefixes = fields.words(report, "group_prefixes", "51");
    let group_prefixes: Vec<Prefix> = group_prefixes
        .into_iter()
        .filter_map(|word| read_word(report, word, full))
        .collect();
    let group = fields.words(report, "group", "telenor");
    let mut plmns = Vec::new();
    let mut plmns_at = Vec::new();
    for word in fields.words(report, "plmns", "41001") {
        if let Some(plmn) = read_word(report, word, plmn) {
            plmns.push(plmn);
            plmns_at.push(word.at);
        }
    }
    country.provenance(&mut fields, report);
    fields.finish(report);
    let numbering = Numbering {
        country: country_prefix,
        trunk: country.trunk.clone()?,
        national_digits,
        prefixes,
        group_prefixes,
        group: Vec::new(),
        plmns,
        operator: OperatorId::default(),
    };
    Some((numbering, group, prefixes_at, plmns_at))
}

fn plmn(text: &str) -> Result<u32, String> {
    let valid = (5..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| valid);
    number.ok_or_else(|| {
        format!(
            "\"{}\" is not a network; write MCC and MNC as 5 or 6 digits, like \"41001\"",
            shorten(text)
        )
    })
}

/// Scratch cards: fewer digits than 12 can be guessed, more than 18 are not typed.
fn read_cards(mut fields: Fields<'_>, report: &mut Report<'_>, country: &Country) -> Option<CardRules> {
    let at = fields.position("denominations");
    let words = fields.words(report, "denominations", "100");
    let mut denominations: Vec<Money> = Vec::new();
    for word in words {
        denominations.extend(read_word(report, word, value::money));
    }
    let rising = denominations.windows(2).all(|two| two[0] < two[1]);
    if denominations.is_empty() || !rising || denominations.iter().any(|face| !face.is_positive()) {
        let message = "`denominations` must be amounts above zero that rise, like [\"100\", \"300\"]";
        report.error(at, message.to_owned());
    }
    let pin_digits = fields.integer(report, "pin_digits", 12..=18, Some(14));
    country.provenance(&mut fields, report);
    fields.finish(report);
    Some(CardRules {
        denominations,
        pin_digits: u8::try_from(pin_digits?).ok()?,
    })
}

fn read_recharge(
    mut fields: Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
) -> Option<RechargeRules> {
    let minimum_at = fields.position("minimum");
    let minimum = fields.required(report, "minimum", "70", value::money);
    let maximum = fields.required(report, "maximum", "10000", value::money);
    let rule = fields.required(report, "rule", "later", |text| match text {
        "later" => Ok(ValidityRule::Later),
        "add" => Ok(ValidityRule::Add),
        _ => Err(format!(
            "\"{}\" is not a rule; write \"later\" or \"add\"",
            shorten(text)
        )),
    });
    let days = 1..=u32::from(DAYS_MAX);
    let maximum_days = fields.integer(report, "maximum_days", days.clone(), None);
    let tables = fields.tables(report, "band");
    if tables.is_empty() {
        report.error(
            fields.at,
            "no validity bands; write at least one [[recharge.band]]".to_owned(),
        );
    }
    let mut bands: Vec<ValidityBand> = Vec::new();
    for (index, mut table) in tables.into_iter().enumerate() {
        let from_at = table.position("from");
        let days_at = table.position("days");
        let from = table.required(report, "from", "100", value::money);
        let band_days = table.integer(report, "days", days.clone(), None);
        table.finish(report);
        let (Some(from), Some(band_days)) = (from, band_days) else {
            continue;
        };
        if let Some(last) = bands.last().filter(|last| last.from >= from) {
            let message = format!(
                "the bands are out of order: {} does not come after {}",
                from, last.from
            );
            report.error(from_at, message);
        }
        if index == 0 && minimum.is_some_and(|minimum| from > minimum) {
            report.error(
                from_at,
                "the first band must begin at or below the smallest recharge".to_owned(),
            );
        }
        if maximum_days.is_some_and(|maximum| band_days > maximum) {
            report.error(days_at, format!("{band_days} days are more than `maximum_days`"));
        }
        let days = u16::try_from(band_days).unwrap_or(DAYS_MAX);
        bands.push(ValidityBand { from, days });
    }
    country.provenance(&mut fields, report);
    fields.finish(report);
    let (minimum, maximum) = (minimum?, maximum?);
    if minimum <= Money::ZERO || minimum > maximum {
        let message = "the smallest recharge must be above zero and not above `maximum`";
        report.error(minimum_at, message.to_owned());
    }
    Some(RechargeRules {
        minimum,
        maximum,
        bands,
        rule: rule?,
        maximum_days: u16::try_from(maximum_days?).ok()?,
    })
}

fn read_policy(mut fields: Fields<'_>, report: &mut Report<'_>, country: &Country) -> Option<Policy> {
    let mut grant = |service: Service| {
        let table = fields.table(report, service.name())?;
        read_grant(table, report, service.unit())
    };
    let (data, voice, sms) = (grant(Service::Data), grant(Service::Voice), grant(Service::Sms));
    let final_action = read_final_action(&mut fields, report);
    let low_balance = fields.required(report, "low_balance", "15", value::money);
    let session_notice = read_session_notice(&mut fields, report);
    let supervision_s = fields.required(report, "supervision", "1 h", |text| value::seconds(text, false));
    let duplicate_s = fields.required(report, "duplicates_for", "1 h", |text| {
        value::seconds(text, false)
    });
    let duplicate_count = fields.integer(report, "duplicates_count", 1..=10_000, None);
    country.provenance(&mut fields, report);
    fields.finish(report);
    Some(Policy {
        data: data?,
        voice: voice?,
        sms: sms?,
        final_action: final_action?,
        low_balance: low_balance?,
        session_notice,
        supervision_s: supervision_s?,
        duplicate_s: duplicate_s?,
        duplicate_count: u16::try_from(duplicate_count?).ok()?,
    })
}

fn read_session_notice(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<SessionNotice> {
    let at = fields.position("session_notice");
    let mut table = fields.optional_table(report, "session_notice")?;
    let is_empty = !["cost", "data", "voice"].iter().any(|key| table.has(key));
    let cost = match table.has("cost") {
        true => table.required(report, "cost", "5", value::money),
        false => None,
    };
    let mut amount = |key, example, unit| match table.has(key) {
        true => table.required(report, key, example, |text| value::amount(unit, text)),
        false => None,
    };
    let data = amount("data", "50 MB", Unit::Octets);
    let voice = amount("voice", "10 min", Unit::Seconds);
    table.finish(report);
    if is_empty {
        let message = "`session_notice` needs one of `cost`, `data` and `voice`; without it nobody is told";
        report.error(at, message.to_owned());
    }
    Some(SessionNotice { cost, data, voice })
}

fn read_grant(mut fields: Fields<'_>, report: &mut Report<'_>, unit: Unit) -> Option<GrantPolicy> {
    let example = if unit == Unit::Octets {
        "10 MB"
    } else if unit == Unit::Seconds {
        "60 s"
    } else {
        "1 SMS"
    };
    let mut amount = |key| fields.required(report, key, example, |text| value::amount(unit, text));
    let (default, minimum, maximum): (Option<Amount>, _, _) =
        (amount("default"), amount("minimum"), amount("maximum"));
    let validity_s = fields.required(report, "validity", "1 h", |text| value::seconds(text, false));
    let threshold = fields.integer(report, "threshold_percent", 0..=99, None);
    let holding_s = fields.required(report, "holding", "300 s", |text| value::seconds(text, true));
    let at = fields.position("minimum");
    fields.finish(report);
    let (default, minimum, maximum) = (default?, minimum?, maximum?);
    if minimum > default || default > maximum {
        report.error(at, "a grant needs minimum <= default <= maximum".to_owned());
    }
    Some(GrantPolicy {
        default,
        minimum,
        maximum,
        validity_s: validity_s?,
        threshold_percent: u8::try_from(threshold?).ok()?,
        holding_s: holding_s?,
    })
}

/// `final_action = "terminate"`, with `redirect_to` or `filter_id` for the other two.
fn read_final_action(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<FinalAction> {
    let at = fields.position("final_action");
    let kind = fields.required(report, "final_action", "terminate", |text| match text {
        "terminate" | "redirect" | "restrict" => Ok(text),
        _ => Err(format!(
            "\"{}\" is not a final action; write \"terminate\", \"redirect\" or \"restrict\"",
            shorten(text)
        )),
    });
    let redirect = fields.default(report, "redirect_to", "http://example.org/topup", "", plain_text);
    let filter = fields.default(report, "filter_id", "topup-only", "", plain_text);
    let (kind, redirect, filter) = (kind?, redirect?, filter?);
    match kind {
        "redirect" if !redirect.is_empty() => Some(FinalAction::Redirect(redirect.into())),
        "restrict" if !filter.is_empty() => Some(FinalAction::Restrict(filter.into())),
        "terminate" => Some(FinalAction::Terminate),
        "redirect" => {
            report.error(
                at,
                "\"redirect\" needs `redirect_to`, the page to send people to".to_owned(),
            );
            None
        }
        _ => {
            report.error(
                at,
                "\"restrict\" needs `filter_id`, a filter that the network knows".to_owned(),
            );
            None
        }
    }
}

fn read_contact(mut fields: Fields<'_>, report: &mut Report<'_>, country: &Country) -> Option<Contact> {
    let sms_sender = fields.required(report, "sms_sender", "Jazz", |text| {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
        if plain && (1..=11).contains(&text.len()) {
            Ok(text)
        } else {
            Err(format!(
                "\"{}\" is not a sender name: 1 to 11 letters, digits or spaces",
                shorten(text)
            ))
        }
    });
    let helpline = fields.required(report, "helpline", "111", |text| dial(text, ""));
    let balance_dial = fields.required(report, "balance_dial", "*111#", |text| dial(text, "*#"));
    country.provenance(&mut fields, report);
    fields.finish(report);
    Some(Contact {
        sms_sender: sms_sender?.to_owned(),
        helpline: helpline?.to_owned(),
        balance_dial: balance_dial?.to_owned(),
    })
}

/// What people type on a phone: digits and the given signs, at most 24.
pub(super) fn dial<'t>(text: &'t str, signs: &str) -> Result<&'t str, String> {
    let valid = text.chars().all(|c| c.is_ascii_digit() || signs.contains(c));
    if valid && (1..=24).contains(&text.len()) {
        Ok(text)
    } else {
        Err(format!(
            "\"{}\" cannot be dialled; write at most 24 digits{}",
            shorten(text),
            if signs.is_empty() { "" } else { ", * or #" }
        ))
    }
}
