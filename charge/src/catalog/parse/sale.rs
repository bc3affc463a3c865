//! What an operator sells: tariff rows and offers.

use super::country::Country;
use super::limits::BUCKETS_MAX;
use super::operator::dial;
use super::reader::{Fields, Report, read_word, shorten};
use super::value;
use crate::catalog::{
    AfterMaximum, BucketGrant, Classes, DestinationClass, Offer, Period, Place, Prefix, Scope, TariffRow,
    TimeWindow, Validity, Weight,
};
use crate::money::Money;
use crate::tax::TaxMode;
use crate::unit::{Amount, Service, Unit};

/// Steps in which buckets are used where a bucket does not say.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    data: Amount,
    voice: Amount,
}

/// Reads `[steps]`.
pub(super) fn read_steps(mut fields: Fields<'_>, report: &mut Report<'_>) -> Option<Steps> {
    let data = fields.required(report, "data", "512 KB", |text| value::amount(Unit::Octets, text));
    let voice = fields.required(report, "voice", "60 s", |text| value::amount(Unit::Seconds, text));
    fields.finish(report);
    Some(Steps {
        data: data?,
        voice: voice?,
    })
}

/// Reads every `[[tariff]]`, with the place of each.
pub(super) fn read_tariffs(
    file: &mut Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
) -> Option<(Vec<TariffRow>, Vec<usize>)> {
    let tables = file.tables(report, "tariff");
    let count = tables.len();
    let mut rows: Vec<TariffRow> = Vec::new();
    let mut places = Vec::new();
    let mut codes = Codes::default();
    for table in tables {
        let at = table.at;
        codes.see(&table, report, "tariff row");
        if let Some(row) = read_tariff(table, report, country) {
            rows.push(row);
            places.push(at);
        }
    }
    (rows.len() == count).then_some((rows, places))
}

/// Reads every `[[offer]]`.
pub(super) fn read_offers(
    file: &mut Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
    steps: Option<Steps>,
) -> Option<Vec<Offer>> {
    let tables = file.tables(report, "offer");
    let count = tables.len();
    let mut codes = Codes::default();
    let mut offers = Vec::new();
    for table in tables {
        codes.see(&table, report, "offer");
        offers.extend(read_offer(table, report, country, steps));
    }
    (offers.len() == count).then_some(offers)
}

/// Codes seen in one list, to report the second of a pair.
#[derive(Default)]
pub(super) struct Codes<'t>(Vec<&'t str>);

impl<'t> Codes<'t> {
    pub(super) fn see(&mut self, table: &Fields<'t>, report: &mut Report<'_>, what: &str) {
        let Some(code) = table.peek("code") else {
            return;
        };
        if self.0.contains(&code) {
            report.error(
                table.position("code"),
                format!("there is already a {what} with the code \"{}\"", shorten(code)),
            );
        }
        self.0.push(code);
    }
}

fn read_tariff(mut fields: Fields<'_>, report: &mut Report<'_>, country: &Country) -> Option<TariffRow> {
    let code = fields.required(report, "code", "voice-on-net", value::code);
    let name = fields.text(report, "name");
    let service = fields.required(report, "service", "voice", value::service);
    let classes = read_classes(&mut fields, report);
    let prefixes = read_prefixes(&mut fields, report);
    let rating_groups = fields.integers(report, "rating_groups");
    let place = fields.default(report, "place", "home", Some(Place::Home), |text| match text {
        "home" => Ok(Some(Place::Home)),
        "roaming" => Ok(Some(Place::Roaming)),
        "anywhere" => Ok(None),
        _ => Err(format!(
            "\"{}\" is not a place; write \"home\", \"roaming\" or \"anywhere\"",
            shorten(text)
        )),
    });
    let windows = read_windows(&mut fields, report);
    let price_at = fields.position("price");
    let price = fields.required(report, "price", "3.50", value::money);
    let size = |text: &str| service.map_or(Ok(None), |service| value::amount(service.unit(), text).map(Some));
    let example = service.map_or("60 s", example_amount);
    let per = fields.required(report, "per", example, size);
    let pulse = fields.default(report, "pulse", example, per.flatten(), size);
    let setup = fields.default(report, "setup", "0.15", Money::ZERO, value::money);
    let tax = fields.required(report, "tax", "exclusive", value::tax_mode);
    let setup_tax = fields.default(
        report,
        "setup_tax",
        "inclusive",
        tax.unwrap_or(TaxMode::Exclusive),
        value::tax_mode,
    );
    let maximum = read_maximum(&mut fields, report);
    let provenance = country.provenance(&mut fields, report);
    fields.finish(report);
    let (per, pulse) = (per??, pulse??);
    let price = pulse_price(price?, per, pulse).or_else(|| {
        let message = "the price of one pulse is not a whole number of millionths; choose `price`, `per` and `pulse` that divide";
        report.error(price_at, message.to_owned());
        None
    });
    let provenance = provenance?;
    Some(TariffRow {
        code: code?,
        name: name?,
        service: service?,
        classes: classes?,
        prefixes: prefixes?,
        rating_groups,
        place: place?,
        windows: windows?,
        price: price?,
        pulse,
        setup: setup?,
        tax: tax?,
        setup_tax: setup_tax?,
        maximum: maximum?,
        as_of: provenance.as_of,
        synthetic: provenance.synthetic,
    })
}

/// What one pulse costs when `price` buys `per`: exact, or nothing.
fn pulse_price(price: Money, per: Amount, pulse: Amount) -> Option<Money> {
    let product = i128::from(price.micros()) * i128::from(pulse.0);
    let per = i128::from(per.0);
    if product % per != 0 {
        return None;
    }
    i64::try_from(product / per).ok().map(Money)
}

fn example_amount(service: Service) -> &'static str {
    match service {
        Service::Data => "1 MB",
        Service::Voice => "60 s",
        Service::Sms => "1 SMS",
    }
}

fn read_classes(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Classes> {
    let words = fields.words(report, "to", "on-net");
    let classes: Vec<DestinationClass> = words
        .iter()
        .filter_map(|word| read_word(report, *word, value::class))
        .collect();
    (classes.len() == words.len()).then(|| value::classes(&classes))
}

fn read_prefixes(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Vec<Prefix>> {
    let words = fields.words(report, "prefixes", "966");
    let prefixes: Vec<Prefix> = words
        .iter()
        .filter_map(|word| read_word(report, *word, value::prefix))
        .collect();
    (prefixes.len() == words.len()).then_some(prefixes)
}

pub(super) fn read_windows(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Vec<TimeWindow>> {
    let words = fields.words(report, "windows", "08:00-23:00");
    let windows: Vec<TimeWindow> = words
        .iter()
        .filter_map(|word| read_word(report, *word, value::window))
        .collect();
    (windows.len() == words.len()).then_some(windows)
}

/// Unread, absent or present.
fn read_maximum(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Option<(Money, AfterMaximum)>> {
    if !fields.has("maximum") {
        fields.skip(&["maximum"]);
        return Some(None);
    }
    let mut table = fields.optional_table(report, "maximum")?;
    let cost = table.required(report, "cost", "10", value::money);
    let then = table.required(report, "then", "free", |text| match text {
        "free" => Ok(AfterMaximum::Free),
        "cut" => Ok(AfterMaximum::Cut),
        _ => Err(format!(
            "\"{}\" is not what comes after a maximum; write \"free\" or \"cut\"",
            shorten(text)
        )),
    });
    table.finish(report);
    Some(Some((cost?, then?)))
}

fn read_offer(
    mut fields: Fields<'_>,
    report: &mut Report<'_>,
    country: &Country,
    steps: Option<Steps>,
) -> Option<Offer> {
    let code = fields.required(report, "code", "weekly-all-in-one", value::code);
    let name = fields.text(report, "name");
    let period = fields.required(report, "period", "weekly", |text| match text {
        "daily" => Ok(Period::Daily),
        "weekly" => Ok(Period::Weekly),
        "monthly" => Ok(Period::Monthly),
        "one-off" => Ok(Period::OneOff),
        _ => Err(format!(
            "\"{}\" is not a period; write \"daily\", \"weekly\", \"monthly\" or \"one-off\"",
            shorten(text)
        )),
    });
    let weight = fields.required(report, "weight", "light", |text| match text {
        "light" => Ok(Weight::Light),
        "heavy" => Ok(Weight::Heavy),
        _ => Err(format!(
            "\"{}\" is not a weight; write \"light\" or \"heavy\"",
            shorten(text)
        )),
    });
    let price_at = fields.position("price");
    let price = fields.required(report, "price", "320", value::money);
    let tax = fields.required(report, "tax", "inclusive", value::tax_mode);
    let valid_at = fields.position("valid");
    let validity = fields.required(report, "valid", "7 calendar days", value::validity);
    let per_day = fields.integer(report, "per_day", 0..=100, Some(0));
    let renewable = fields.flag(report, "renewable", false);
    let for_sale = fields.flag(report, "for_sale", true);
    let offer_dial = fields.default(report, "dial", "*700#", "", |text| dial(text, "*#"));
    let buckets = read_buckets(&mut fields, report, "offer", steps, base_priority(period));
    let provenance = country.provenance(&mut fields, report);
    fields.finish(report);
    if let (Some(period), Some(validity)) = (period, validity)
        && !period_fits(period, validity)
    {
        let message = "the life time does not fit `period`: daily is up to 3 days, weekly 4 to 10, monthly 28 to 31; else \"one-off\"";
        report.error(valid_at, message.to_owned());
    }
    if price == Some(Money::ZERO) && for_sale == Some(true) {
        let message =
            "the price of an offer for sale is above zero; an offer that is given says `for_sale = false`";
        report.error(price_at, message.to_owned());
    }
    let provenance = provenance?;
    Some(Offer {
        code: code?,
        name: name?,
        period: period?,
        weight: weight?,
        price: price?,
        tax: tax?,
        validity: validity?,
        buckets: buckets?,
        per_day: u8::try_from(per_day?).ok()?,
        renewable: renewable?,
        dial: offer_dial?.to_owned(),
        for_sale: for_sale?,
        as_of: provenance.as_of,
        synthetic: provenance.synthetic,
    })
}

/// Daily before weekly before monthly (main balance: 100).
pub(super) fn base_priority(period: Option<Period>) -> u8 {
    match period {
        Some(Period::Daily) => 20,
        Some(Period::Weekly) => 30,
        Some(Period::Monthly) => 40,
        Some(Period::OneOff) | None => 50,
    }
}

fn period_fits(period: Period, validity: Validity) -> bool {
    let days = match validity {
        Validity::CalendarDays(days) => days,
        Validity::Hours(hours) => hours.div_ceil(24),
    };
    match period {
        Period::Daily => days <= 3,
        Period::Weekly => (4..=10).contains(&days),
        Period::Monthly => (28..=31).contains(&days),
        Period::OneOff => true,
    }
}

pub(super) fn read_buckets(
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
    what: &str,
    steps: Option<Steps>,
    base: u8,
) -> Option<Vec<BucketGrant>> {
    let at = fields.position("bucket");
    let tables = fields.tables(report, "bucket");
    if tables.is_empty() {
        report.error(
            at,
            format!("the {what} has no bucket; write `bucket = [ {{ for = \"data\", amount = \"1 GB\" }} ]`"),
        );
    } else if tables.len() > BUCKETS_MAX {
        report.error(
            at,
            format!("{} buckets; at most {BUCKETS_MAX} are read", tables.len()),
        );
    }
    let count = tables.len();
    let buckets: Vec<BucketGrant> = tables
        .into_iter()
        .filter_map(|table| read_bucket(table, report, steps, base))
        .collect();
    (buckets.len() == count).then_some(buckets)
}

/// What a bucket is for: one service in its own unit, or money for some services.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Service(Service),
    Money,
}

fn read_bucket(
    mut fields: Fields<'_>,
    report: &mut Report<'_>,
    steps: Option<Steps>,
    base: u8,
) -> Option<BucketGrant> {
    let purpose = fields.required(report, "for", "data", |text| match text {
        "money" => Ok(Purpose::Money),
        _ => value::service(text).map(Purpose::Service).map_err(|_| {
            format!(
                "\"{}\" is not what a bucket can be for; write \"data\", \"voice\", \"sms\" or \"money\"",
                shorten(text)
            )
        }),
    });
    let unit = purpose.map(|purpose| match purpose {
        Purpose::Service(service) => service.unit(),
        Purpose::Money => Unit::Money,
    });
    let size = |text: &str| unit.map_or(Ok(None), |unit| value::amount(unit, text).map(Some));
    let amount_example = match unit {
        Some(Unit::Octets) => "1 GB",
        Some(Unit::Messages) => "500 SMS",
        Some(Unit::Money) => "50",
        _ => "100 min",
    };
    let amount = fields.required(report, "amount", amount_example, size);
    let usual_step = match unit {
        Some(Unit::Octets) => steps.map(|steps| steps.data),
        Some(Unit::Seconds) => steps.map(|steps| steps.voice),
        _ => Some(Amount(1)),
    };
    let step = fields.default(report, "step", "60 s", usual_step, size);
    let scope = read_scope(&mut fields, report, purpose);
    let priority = fields.integer(report, "priority", 1..=99, Some(0));
    let waives_setup = fields.flag(report, "waives_setup", false);
    fields.finish(report);
    let (scope, narrowing) = scope?;
    let priority = match priority? {
        0 => base - narrowing,
        given => u8::try_from(given).ok()?,
    };
    Some(BucketGrant {
        unit: unit?,
        amount: amount??,
        scope,
        priority,
        step: step??,
        waives_setup: waives_setup?,
    })
}

/// The scope, and how far it moves the bucket forward: what fits fewer uses is used first.
pub(super) fn read_scope(
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
    purpose: Option<Purpose>,
) -> Option<(Scope, u8)> {
    let has_classes = fields.has("to");
    let classes = read_classes(fields, report);
    let prefix = fields.default(report, "prefix", "966", Prefix::default(), value::prefix);
    let groups_at = fields.position("rating_groups");
    let groups = fields.integers(report, "rating_groups");
    let window = fields.default(report, "window", "01:00-09:00", None, |text| {
        value::window(text).map(Some)
    });
    let roaming = fields.flag(report, "roaming", false);
    let services = fields.words(report, "services", "voice");
    let services_given = fields.has("services");
    let services: Vec<Service> = services
        .into_iter()
        .filter_map(|word| read_word(report, word, value::service))
        .collect();
    let purpose = purpose?;
    if services_given && purpose != Purpose::Money {
        report.error(
            fields.position("services"),
            "`services` is for buckets of money only".to_owned(),
        );
    }
    if matches!(purpose, Purpose::Service(Service::Voice | Service::Sms)) && !has_classes {
        let message = "a bucket of voice or messages says where `to`, like [\"on-net\", \"off-net\"]";
        report.error(fields.at, message.to_owned());
    }
    if groups.len() > 3 {
        report.error(groups_at, "a bucket has at most three rating groups".to_owned());
    }
    let services = match purpose {
        Purpose::Service(service) => 1 << service as u8,
        Purpose::Money if services.is_empty() => Scope::ANY.services,
        Purpose::Money => services.iter().fold(0, |set, service| set | 1 << *service as u8),
    };
    let mut rating_groups = [None; 3];
    for (place, group) in rating_groups.iter_mut().zip(&groups) {
        *place = Some(*group);
    }
    let (classes, prefix, window) = (classes?, prefix?, window?);
    let minutes = |second: u32| u16::try_from(second / 60).unwrap_or(1_440);
    let window = window.map(|window: TimeWindow| (minutes(window.from_s), minutes(window.to_s)));
    let special = !groups.is_empty() || prefix.digits > 0;
    let narrowing = 5 * u8::from(window.is_some()) + 3 * u8::from(special);
    let scope = Scope {
        services,
        classes,
        prefix,
        rating_groups,
        window,
        roaming: roaming?,
    };
    Some((scope, narrowing))
}
