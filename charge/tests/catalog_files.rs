//! The shipped catalog: it reads without a remark, it is complete, and it says what its sources say.

use charge::catalog::parse::{SourceFile, check, parse_catalog};
use charge::catalog::{
    Called, Catalog, Catalogs, DestinationClass, Period, Place, TariffQuery, TariffRow, Validity,
    ValidityRule, Weight,
};
use charge::money::{Money, Rounding};
use charge::tax::{Rate, RegionCode, TaxClass};
use charge::time::{MINUTE, Timestamp, Zone};
use charge::unit::{Amount, Service, Unit};
use charge::{Code, Msisdn};
use std::path::Path;

const MB: i64 = 1 << 20;

/// 2026-11-21T00:00:00Z, 05:00 in Karachi.
const DAY: Timestamp = Timestamp::from_seconds(1_795_219_200);

fn zones(name: &str) -> Option<Zone> {
    (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3_600))
}

fn texts() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = format!("catalog/{}", path.file_name().unwrap().to_str().unwrap());
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

fn shipped() -> Catalogs {
    let texts = texts();
    let files: Vec<SourceFile<'_>> = texts
        .iter()
        .map(|(name, text)| SourceFile { name, text })
        .collect();
    let (catalogs, problems) = check(&files, &zones);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    catalogs.unwrap()
}

fn rs(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn number(text: &str) -> Msisdn {
    Msisdn::parse(text).unwrap()
}

fn row(catalog: &Catalog, service: Service, class: DestinationClass, called: Called) -> &TariffRow {
    let query = TariffQuery {
        service,
        rating_group: None,
        class,
        called,
        place: Place::Home,
        at: DAY,
    };
    catalog.tariff(&query).unwrap()
}

#[test]
fn four_operators_sell_every_kind_of_bundle() {
    let catalogs = shipped();
    let codes: Vec<&str> = catalogs.iter().map(|catalog| catalog.code.as_str()).collect();
    assert_eq!(codes, ["jazz", "telenor", "zong", "ufone"]);
    for catalog in catalogs.iter() {
        let sold: Vec<_> = catalog.offers.iter().filter(|offer| offer.for_sale).collect();
        assert!(sold.len() >= 8, "{}", catalog.code);
        for period in [Period::Daily, Period::Weekly, Period::Monthly, Period::OneOff] {
            for weight in [Weight::Light, Weight::Heavy] {
                let there = sold
                    .iter()
                    .any(|offer| offer.period == period && offer.weight == weight);
                assert!(there, "{} has no {weight:?} {period:?} offer", catalog.code);
            }
        }
        for unit in [Unit::Octets, Unit::Seconds, Unit::Messages] {
            assert!(
                sold.iter()
                    .any(|offer| offer.buckets.iter().any(|bucket| bucket.unit == unit))
            );
        }
        for entry in catalog
            .tariffs
            .iter()
            .map(|row| &row.as_of)
            .chain(sold.iter().map(|offer| &offer.as_of))
        {
            assert!(entry.starts_with("20"), "{entry}");
        }
        for bucket in catalog.offers.iter().flat_map(|offer| &offer.buckets) {
            assert!(bucket.priority < 100 && bucket.step.is_positive());
        }
        assert!(
            catalog.promotions.len() >= 4,
            "one for new numbers, and at least three others"
        );
        for promotion in &catalog.promotions {
            assert!(promotion.budget.is_positive() && promotion.from < promotion.until);
            assert!(
                promotion.synthetic && promotion.as_of.starts_with("20"),
                "{}",
                promotion.code
            );
        }
        assert_eq!(catalog.promotions[0].buckets[0].amount, Amount(1024 * MB));
        assert!(catalog.promotions[0].from < DAY && DAY < catalog.promotions[0].until);
        assert_eq!(
            (catalog.currency.as_str(), catalog.zone.name.as_str()),
            ("PKR", "Asia/Karachi")
        );
        assert_eq!(
            (catalog.policy.low_balance, catalog.policy.duplicate_count),
            (rs("15"), 64)
        );
        assert_eq!(catalog.policy.data.default, Amount(10 * MB));
        assert_eq!(
            (catalog.policy.data.validity_s, catalog.policy.data.holding_s),
            (3_600, 300)
        );
    }
}

#[test]
fn prices_are_those_of_the_sources() {
    use DestinationClass::{OffNet, OnNet, Special};
    let catalogs = shipped();
    // operator, service, class, price of a pulse, pulse, set-up fee, what the balance pays for a pulse in Punjab
    for (operator, service, class, price, pulse, setup, gross, setup_gross) in [
        (
            "jazz",
            Service::Voice,
            OnNet,
            "3.50",
            60,
            "0.15",
            "4.1825",
            "0.15",
        ),
        (
            "jazz",
            Service::Voice,
            OffNet,
            "3.50",
            60,
            "0.15",
            "4.1825",
            "0.15",
        ),
        ("jazz", Service::Data, Special, "2.50", MB / 2, "0", "2.50", "0"),
        ("zong", Service::Data, Special, "4", MB, "0", "4.78", "0"),
        (
            "ufone",
            Service::Voice,
            OnNet,
            "1.60",
            30,
            "0.13",
            "1.912",
            "0.15535",
        ),
        ("ufone", Service::Sms, Special, "0.50", 1, "0", "0.5975", "0"),
    ] {
        let catalog = catalogs.by_code(operator).unwrap();
        let row = row(catalog, service, class, Called::Nobody);
        assert_eq!(
            (row.price, row.pulse, row.setup),
            (rs(price), Amount(pulse), rs(setup)),
            "{operator} {service:?}"
        );
        let rate = catalog.tax.region(catalog.tax.default_region).usage;
        assert_eq!(row.pulse_price(rate, Rounding::HalfUp).gross, rs(gross));
        assert_eq!(row.setup_price(rate, Rounding::HalfUp).gross, rs(setup_gross));
    }
    let zong = catalogs.by_code("zong").unwrap();
    let mecca = number("966512345678");
    let class = zong.classify(Called::Number(mecca), None);
    let saudi = row(zong, Service::Voice, class, Called::Number(mecca));
    assert_eq!(
        (saudi.price, saudi.pulse, saudi.synthetic),
        (rs("0.70"), Amount(1), false)
    );
    let emergency = row(zong, Service::Voice, Special, Called::Short(1122));
    assert_eq!(
        (emergency.code.as_str(), emergency.price),
        ("voice-emergency", Money::ZERO)
    );
    let jazz = catalogs.by_code("jazz").unwrap();
    let sms = row(jazz, Service::Sms, OnNet, Called::Nobody);
    assert!(sms.synthetic, "no source knows the price of a message");
}

#[test]
fn bundles_are_those_of_the_sources() {
    let catalogs = shipped();
    let jazz = catalogs.by_code("jazz").unwrap();
    let weekly = jazz.offer("weekly-all-in-one").unwrap();
    assert_eq!(
        (weekly.price, weekly.validity, weekly.dial.as_str()),
        (rs("320"), Validity::CalendarDays(7), "*700#")
    );
    let amounts: Vec<i64> = weekly.buckets.iter().map(|bucket| bucket.amount.0).collect();
    assert_eq!(amounts, [60_000, 5_400, 1_000, 3 * 1024 * MB]);
    assert!(
        !weekly.synthetic
            && weekly
                .as_of
                .starts_with("2024-09-02; price list of a Jazz dealer")
    );
    // Bought at 05:00 on the 21st: the last moment is the midnight after the 27th, local time.
    assert_eq!(
        weekly.validity.end(DAY, &jazz.zone).to_string(),
        "2026-11-27T19:00:00Z"
    );
    assert!(jazz.offer("weekly-x").unwrap().buckets[0].waives_setup);
    let night = jazz.offer("weekly-extreme").unwrap().buckets[0];
    assert_eq!(
        (night.scope.window, night.amount),
        (Some((0, 540)), Amount(50 * 1024 * MB))
    );
    let priority = |code| {
        jazz.offer(code)
            .unwrap()
            .buckets
            .iter()
            .map(|bucket| bucket.priority)
            .max()
            .unwrap()
    };
    assert!(priority("daily-extreme") < priority("weekly-all-in-one"));
    assert!(priority("weekly-all-in-one") < priority("monthly-max"));
    assert!(
        night.priority < priority("weekly-all-in-one"),
        "what fits fewer hours goes first"
    );

    let zong = catalogs.by_code("zong").unwrap();
    let halves = &zong.offer("monthly-20gb").unwrap().buckets;
    assert_eq!(
        (halves[0].scope.window, halves[1].scope.window),
        (Some((60, 540)), None)
    );
    assert_eq!(halves[0].amount, halves[1].amount);
    assert_eq!(zong.offer("daily-voice").unwrap().per_day, 2);
    let ufone = catalogs.by_code("ufone").unwrap();
    assert_eq!(ufone.offer("power-hour").unwrap().validity, Validity::Hours(1));
    for catalog in catalogs.iter() {
        assert!(
            catalog
                .offers
                .iter()
                .filter(|offer| !offer.for_sale)
                .all(|offer| offer.price == Money::ZERO)
        );
    }
}

#[test]
fn taxes_and_recharge() {
    let catalogs = shipped();
    let zong = catalogs.by_code("zong").unwrap();
    let region = |code: &str| -> RegionCode { Code::new(code).unwrap() };
    for (class, code, percent) in [
        (TaxClass::Standard, "PK-PB", "15"),
        (TaxClass::Standard, "PK-IS", "15"),
        (TaxClass::Standard, "PK-GB", "0"),
        (TaxClass::Standard, "PK-TA", "10"),
        (TaxClass::Standard, "XX", "15"),
        (TaxClass::ListedNonFiler, "PK-PB", "75"),
        (TaxClass::Exempt, "PK-PB", "0"),
    ] {
        let rate = zong.tax.recharge_rate(class, region(code));
        assert_eq!(rate.percent(), percent, "{class:?} in {code}");
    }
    let tax = zong.tax.recharge_rate(TaxClass::Standard, region("PK-PB"));
    let tax = tax.inside(rs("100"), zong.tax.recharge_rounding);
    assert_eq!((tax, rs("100") - tax), (rs("13.043478"), rs("86.956522")));
    assert_eq!(zong.tax.region(region("PK-GB")).usage, Rate::ZERO);
    assert_eq!(zong.tax.region(region("PK-SD")).usage.percent(), "19.5");
    for (operator, minimum) in [("jazz", "70"), ("telenor", "60"), ("zong", "70"), ("ufone", "60")] {
        let rules = &catalogs.by_code(operator).unwrap().recharge;
        assert_eq!((rules.minimum, rules.maximum), (rs(minimum), rs("10000")));
        assert_eq!(rules.rule, ValidityRule::Later);
        let days: Vec<u16> = ["70", "99.99", "100", "300", "500", "5000"]
            .map(|amount| rules.days(rs(amount)))
            .into();
        assert_eq!(days, [30, 30, 60, 90, 180, 365]);
    }
}

#[test]
fn numbers_belong_to_their_operators() {
    let catalogs = shipped();
    for (msisdn, operator) in [
        ("923001234567", Some("jazz")),
        ("923211234567", Some("jazz")),
        ("923111234567", Some("zong")),
        ("923701234567", Some("zong")),
        ("923451234567", Some("telenor")),
        ("923331234567", Some("ufone")),
        ("923391234567", Some("ufone")),
        ("923381234567", None),
        ("923551234567", None),
        ("92300123456", None),
        ("9230012345678", None),
        ("966512345678", None),
    ] {
        let found = catalogs
            .operator_by_prefix(number(msisdn))
            .map(|catalog| catalog.code);
        assert_eq!(found.as_ref().map(Code::as_str), operator, "{msisdn}");
    }
}

#[test]
fn called_numbers_fall_into_classes() {
    use DestinationClass::{International, OffNet, OnNet, Special};
    let catalogs = shipped();
    let jazz = catalogs.by_code("jazz").unwrap();
    let zong = catalogs.by_code("zong").unwrap().operator;
    for (called, directory, class) in [
        ("923001234567", None, OnNet),
        ("923211234567", None, OnNet),
        ("923121234567", None, OffNet),
        ("924235761234", None, OffNet),
        ("966512345678", None, International),
        // Ported: the directory knows better than the prefix.
        ("923001234567", Some(zong), OffNet),
        ("923121234567", Some(jazz.operator), OnNet),
    ] {
        assert_eq!(
            jazz.classify(Called::Number(number(called)), directory),
            class,
            "{called}"
        );
    }
    assert_eq!(jazz.classify(Called::Short(111), None), Special);
    assert_eq!(jazz.classify(Called::Nobody, None), Special);
}

const PEAK: &str = r#"
[[tariff]]
code = "data-peak"
name = { en = "Data by day", ur = "دن کا ڈیٹا", zh = "日间流量" }
service = "data"
windows = ["08:00-23:00"]
price = "10"
per = "1 MB"
tax = "inclusive"
as_of = "2026-11-21"
synthetic = true
note = "test"
[[tariff]]
code = "data-off-peak"
name = { en = "Data by night", ur = "رات کا ڈیٹا", zh = "夜间流量" }
service = "data"
price = "5"
per = "1 MB"
tax = "inclusive"
as_of = "2026-11-21"
synthetic = true
note = "test"
"#;

#[test]
fn peak_and_off_peak() {
    let texts = texts();
    let text = |name: &str| &texts.iter().find(|(file, _)| file.ends_with(name)).unwrap().1;
    // The rows for peak and off-peak stand before the operator's own rows for data.
    let jazz = text("jazz.toml").replacen("[[tariff]]", &format!("{PEAK}\n[[tariff]]"), 1);
    let files = [
        SourceFile {
            name: "pakistan.toml",
            text: text("pakistan.toml"),
        },
        SourceFile {
            name: "jazz.toml",
            text: &jazz,
        },
    ];
    let catalog = parse_catalog(&files, &zones).unwrap();
    let at = |clock: &str| {
        let parts: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
        let local = (parts[0] * 60 + parts[1]) * MINUTE + parts[2] * 1_000_000;
        catalog.zone.day_start(catalog.zone.day_number(DAY)).plus(local)
    };
    let query = |at| TariffQuery {
        service: Service::Data,
        rating_group: None,
        class: DestinationClass::Special,
        called: Called::Nobody,
        place: Place::Home,
        at,
    };
    for (clock, price, next) in [
        ("07:59:59", "5", "08:00:00"),
        ("08:00:00", "10", "23:00:00"),
        ("12:13:14", "10", "23:00:00"),
        ("22:59:59", "10", "23:00:00"),
        ("23:00:00", "5", "32:00:00"),
        ("00:00:00", "5", "08:00:00"),
    ] {
        let query = query(at(clock));
        assert_eq!(catalog.tariff(&query).unwrap().price, rs(price), "{clock}");
        assert_eq!(catalog.next_tariff_change(&query), Some(at(next)), "{clock}");
    }
    let voice = TariffQuery {
        service: Service::Voice,
        class: DestinationClass::OnNet,
        ..query(DAY)
    };
    assert_eq!(catalog.next_tariff_change(&voice), None);
}
