//! Hours, places, files and the directory, at the crate's outermost boundary.

use charge::Timestamp;
use charge::time::Zone;
use outlets::crowd::{self, Crowd};
use outlets::hours::{self, Hours, State};
use outlets::{Card, Mistake, Outlet, Outlets, Service, Spot, csv, limits, place};

fn karachi() -> Zone {
    Zone::fixed("Asia/Karachi", 5 * 3600)
}

/// A local time in Karachi: `2026-11-27 13:10`.
fn at(text: &str) -> Timestamp {
    let day = i64::from(hours::day_of(&text[..10]).unwrap());
    let (hour, minute): (i64, i64) = (text[11..13].parse().unwrap(), text[14..].parse().unwrap());
    Timestamp::from_seconds(day * 86_400 + hour * 3600 + minute * 60 - 5 * 3600)
}

/// What a state says: `open 21:00`, `break 14:30`, `closed 2026-11-28 09:00`.
fn told(state: State) -> String {
    let moment = |minute: i64| {
        let (year, month, day) = charge::time::civil_from_days(minute.div_euclid(1440));
        let minute = minute.rem_euclid(1440);
        format!("{year}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
    };
    match state {
        State::Open { until } => format!("open {}", until.map_or("always".to_owned(), moment)),
        State::Break { until } => format!("break {}", moment(until)),
        State::Closed { opens } => format!("closed {}", opens.map_or("never".to_owned(), moment)),
    }
}

#[test]
fn open_or_not_at_given_times() {
    let shop = Hours::parse(
        "mon-thu 09:00-21:00; fri 09:00-22:00; sat 18:00-02:00; sun closed",
        "mon-thu 13:15-13:45; fri 13:00-14:30",
        "2026-12-25 closed; 2026-12-26 10:00-14:00",
    )
    .unwrap();
    // 2026-11-27 is a Friday; 25 December 2026 is one too.
    for (when, expected) in [
        ("2026-11-26 08:59", "closed 2026-11-26 09:00"),
        ("2026-11-26 09:00", "open 2026-11-26 13:15"),
        ("2026-11-26 13:20", "break 2026-11-26 13:45"),
        ("2026-11-26 20:59", "open 2026-11-26 21:00"),
        ("2026-11-26 21:00", "closed 2026-11-27 09:00"),
        ("2026-11-27 12:59", "open 2026-11-27 13:00"),
        ("2026-11-27 13:00", "break 2026-11-27 14:30"),
        ("2026-11-27 14:29", "break 2026-11-27 14:30"),
        ("2026-11-27 14:30", "open 2026-11-27 22:00"),
        // Saturday's night belongs to Saturday, also on Sunday.
        ("2026-11-28 23:59", "open 2026-11-29 02:00"),
        ("2026-11-29 00:00", "open 2026-11-29 02:00"),
        ("2026-11-29 01:59", "open 2026-11-29 02:00"),
        ("2026-11-29 02:00", "closed 2026-11-30 09:00"),
        // A Saturday that follows no Saturday night.
        ("2026-11-28 01:00", "closed 2026-11-28 18:00"),
        ("2026-12-24 21:30", "closed 2026-12-26 10:00"),
        ("2026-12-25 13:10", "closed 2026-12-26 10:00"),
        ("2026-12-26 13:59", "open 2026-12-26 14:00"),
        ("2026-12-26 19:00", "closed 2026-12-28 09:00"),
    ] {
        assert_eq!(told(shop.at(&karachi(), at(when))), expected, "{when}");
    }
}

#[test]
fn the_clock_is_that_of_the_zone() {
    let shop = Hours::parse("mon-sun 09:00-17:00", "", "").unwrap();
    let moment = at("2026-11-27 10:00");
    assert!(shop.at(&karachi(), moment).is_open());
    // 05:00 in UTC, 06:00 in a zone that has just changed its clock, 09:00 in another.
    assert!(!shop.at(&Zone::UTC, moment).is_open());
    assert!(shop.at(&Zone::fixed("east", 4 * 3600), moment).is_open());
    let mut changing = Zone::fixed("changing", 3 * 3600);
    assert!(!shop.at(&changing, moment).is_open());
    changing.changes.push((moment, 4 * 3600));
    assert!(shop.at(&changing, moment).is_open());
}

#[test]
fn around_the_clock_and_never() {
    let always = Hours::parse("mon-sun 00:00-24:00", "", "").unwrap();
    assert_eq!(told(always.at(&karachi(), at("2026-11-27 03:00"))), "open always");
    let never = Hours::parse("mon-sun closed", "", "").unwrap();
    assert_eq!(told(never.at(&karachi(), at("2026-11-27 03:00"))), "closed never");
}

#[test]
fn hours_that_cannot_be_read_name_their_field() {
    for (week, breaks, holidays, field) in [
        ("mon", "", "", "hours"),
        ("mon 9-17", "", "", "hours"),
        ("mon 09:00-25:00", "", "", "hours"),
        ("mon 09:60-10:00", "", "", "hours"),
        ("fri-mon 09:00-17:00", "", "", "hours"),
        ("funday 09:00-17:00", "", "", "hours"),
        ("mon 09:00-12:00 11:00-13:00", "", "", "hours"),
        ("mon 09:00-17:00; mon 10:00-11:00", "", "", "hours"),
        ("mon 09:00-17:00", "fri noon", "", "breaks"),
        ("mon 09:00-17:00", "", "2026-02-29 closed", "holidays"),
        ("mon 09:00-17:00", "", "25.12.2026", "holidays"),
        ("mon 09:00-17:00", "", "2026-12-25; 2026-12-25", "holidays"),
    ] {
        assert_eq!(
            Hours::parse(week, breaks, holidays).unwrap_err().field,
            field,
            "{week}"
        );
    }
    assert!(Hours::parse(&"x".repeat(5_000), "", "").is_err());
    assert!(hours::day_of("2028-02-29").is_some() && hours::day_of("2026-1२-25").is_none());
}

#[test]
fn distances_are_right_within_a_percent() {
    let spot = |lat, lon| Spot::new(lat, lon).unwrap();
    let saddar = spot(24_860_735, 67_001_137);
    // Great-circle distances (haversine, 6,371.0 km) worked out elsewhere.
    for (there, metres, direction) in [
        (spot(24_860_735, 67_001_137), 0, "ne"),
        (spot(24_870_735, 67_001_137), 1_112, "n"),
        (spot(24_860_735, 67_011_137), 1_009, "e"),
        (spot(31_549_722, 74_343_611), 1_034_000, "ne"),
        (spot(24_850_735, 66_991_137), 1_501, "sw"),
    ] {
        let found = saddar.distance_m(there);
        assert!(found.abs_diff(metres) * 100 <= metres + 100, "{there:?}: {found}");
        assert_eq!(saddar.direction(there), direction, "{there:?}");
    }
    // The short way over the date line.
    assert!(spot(0, 179_999_000).distance_m(spot(0, -179_999_000)) < 300);
    assert!(Spot::new(90_000_001, 0).is_none() && Spot::new(0, -180_000_001).is_none());
    for (text, micro) in [
        ("24.860735", Some(24_860_735)),
        ("-0.5", Some(-500_000)),
        ("67", Some(67_000_000)),
        ("24.8607351", None),
        ("1e3", None),
        ("", None),
        ("+1.0", None),
        ("181.0", None),
        ("٢٤.٨", None),
    ] {
        assert_eq!(place::micro_degrees(text), micro, "{text}");
    }
}

#[test]
fn crowds_are_guessed_from_enough_sales_only() {
    let mut sales = vec![0; crowd::WEEK_HOURS];
    sales[10] = 4;
    sales[11] = 40;
    sales[12] = 11;
    assert_eq!(crowd::guess(&sales, 11), None, "55 sales are too few");
    sales[13] = 21;
    // 76 sales in four hours: 19 in an average one.
    assert_eq!(crowd::guess(&sales, 10), Some(Crowd::Quiet));
    assert_eq!(crowd::guess(&sales, 11), Some(Crowd::Busy));
    assert_eq!(crowd::guess(&sales, 12), Some(Crowd::Usual));
    assert_eq!(crowd::guess(&sales, 100), Some(Crowd::Quiet));
    assert_eq!(crowd::guess(&sales, 168), None);
    assert_eq!(
        crowd::hour_of_week(&karachi(), at("2026-11-27 13:10")),
        4 * 24 + 13
    );
}

const HEAD: &str = "id,name,address,city,lat,lon,hours,services,operators";

fn line(id: &str) -> String {
    format!("{id},Shop,Street 1,Karachi,24.86,67.00,mon-sun 09:00-21:00,recharge sim,jazz")
}

/// Lines that are not good, and their fields.
type Bad = Vec<(usize, &'static str)>;

fn read(text: &str) -> Result<Vec<(usize, Outlet)>, Bad> {
    let known = |outlet: &Outlet| match outlet.card.operators.iter().all(|code| code == "jazz") {
        true => Ok(()),
        false => Err(Mistake::new("operators", "unknown".to_owned())),
    };
    csv::read(text, known).map_err(|bad| bad.into_iter().map(|bad| (bad.line, bad.mistake.field)).collect())
}

#[test]
fn files_are_read_and_hostile_ones_are_told_by_line() {
    let good = read(&format!("\u{feff}{HEAD}\r\n{}\r\n\r\n{}\n", line("a"), line("b"))).unwrap();
    assert_eq!(
        good.iter()
            .map(|(line, o)| (*line, o.card.id.as_str()))
            .collect::<Vec<_>>(),
        [(2, "a"), (4, "b")]
    );
    assert_eq!(good[0].1.card.services, [Service::Recharge, Service::Sim]);
    let quoted =
        format!("{HEAD}\na,\"<script>alert(1)</script>, \"\"Shop\"\"\",x,y,0,0,mon 09:00-10:00,sim,jazz");
    assert_eq!(
        read(&quoted).unwrap()[0].1.card.name,
        "<script>alert(1)</script>, \"Shop\""
    );
    for (text, expected) in [
        (String::new(), vec![(1, "columns")]),
        ("id,name".to_owned(), vec![(1, "columns")]),
        (format!("{HEAD},id\n"), vec![(1, "columns")]),
        (format!("{HEAD},evil\n"), vec![(1, "columns")]),
        ("\"".to_owned(), vec![(1, "columns")]),
        (format!("{HEAD}\n{},x", line("a")), vec![(2, "line")]),
        (format!("{HEAD}\n\"{}", line("a")), vec![(2, "line")]),
        (format!("{HEAD}\n{}", "x".repeat(9_000)), vec![(2, "line")]),
        (format!("{HEAD}\n{}", line("../etc")), vec![(2, "id")]),
        (format!("{HEAD}\n{}\n{}", line("a"), line("a")), vec![(3, "id")]),
        (
            format!("{HEAD}\n{}", line("a").replace("24.86", "1e9")),
            vec![(2, "lat")],
        ),
        (
            format!("{HEAD}\n{}", line("a").replace("24.86", "91.0")),
            vec![(2, "lat")],
        ),
        (
            format!("{HEAD}\n{}", line("a").replace("Shop", "\u{202e}pohS")),
            vec![(2, "name")],
        ),
        (
            format!("{HEAD}\n{}", line("a").replace("Shop", &"n".repeat(200))),
            vec![(2, "name")],
        ),
        (
            format!("{HEAD}\n{}", line("a").replace("recharge", "magic")),
            vec![(2, "services")],
        ),
        (
            format!("{HEAD}\n{}", line("a").replace("jazz", "nobody")),
            vec![(2, "operators")],
        ),
        (
            format!(
                "{HEAD}\n{}\n{}\n{}",
                line("a").replace("09:00", "9"),
                line("b"),
                line("C")
            ),
            vec![(2, "hours"), (4, "id")],
        ),
    ] {
        assert_eq!(
            read(&text).unwrap_err(),
            expected,
            "{}",
            &text[..text.len().min(200)]
        );
    }
    let many = format!("{HEAD}\n{}", "bad\n".repeat(100_000));
    assert_eq!(read(&many).unwrap_err().len(), limits::MISTAKES_MAX);
}

#[test]
fn outlets_survive_a_restart_and_a_refused_change_moves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let outlets = Outlets::open(dir.path()).unwrap();
    let all = |text: String| {
        read(&text)
            .unwrap()
            .into_iter()
            .map(|(_, outlet)| outlet)
            .collect::<Vec<_>>()
    };
    let two = || all(format!("{HEAD}\n{}\n{}", line("a"), line("b")));
    assert_eq!(outlets.put(two(), Timestamp(1)).unwrap(), (2, 0));
    assert_eq!(outlets.put(two(), Timestamp(2)).unwrap(), (0, 0), "again is safe");
    let changed = all(format!("{HEAD}\n{}", line("a").replace("Shop", "Kiosk")));
    assert_eq!(outlets.put(changed, Timestamp(3)).unwrap(), (0, 1));
    assert!(outlets.remove("b").unwrap() && !outlets.remove("b").unwrap());
    drop(outlets);
    let outlets = Outlets::open(dir.path()).unwrap();
    let known = outlets.all();
    assert_eq!(known.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(known["a"].card.name, "Kiosk");
    assert!(Outlet::new(Card::default()).is_err());
}
