//! A disk that is full, read-only or not there: clear behaviour, nothing lost, and it goes on when there is room again.

mod harness;

use harness::{Api, Place};
use serde_json::json;
use std::time::Duration;

const SETTINGS: &str = "[engine]\npartitions = 3\n";

#[test]
fn a_full_journal_refuses_new_charges_keeps_the_old_and_goes_on_when_there_is_room() {
    let place = Place::new(&format!("{SETTINGS}[store]\njournal_mib_max = 1\n"));
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    api.done("/v1/subscribers", "", &json!({"msisdn": "923001234567"}));
    api.done(
        "/v1/partners/1/float",
        "start",
        &json!({"amount": "1000000", "reference": "start"}),
    );
    let sell = |api: &Api, number: u32| {
        let reference = format!("sale-{number}");
        let body =
            json!({"msisdn": "923001234567", "amount": "100", "external_id": reference, "again": true});
        api.post("/v1/topups?wait=2", &reference, &body)
            .expect("the server answers")
    };
    let mut sold = 0;
    let refused = loop {
        let (status, answer) = sell(&api, sold);
        match status {
            200..=299 if answer["state"] == "COMPLETED" => sold += 1,
            429 => std::thread::sleep(Duration::from_millis(100)),
            _ => break (status, answer),
        }
        assert!(sold < 100_000, "the journal is never full");
    };
    println!("{sold} top-ups fit; then {refused:?}");
    assert!(sold > 100, "{sold}");
    assert!(
        matches!(refused.0, 200..=299 | 503),
        "said to be on its way, or to try again: {refused:?}"
    );
    let partner = api.see("/v1/partners/1");
    let units = |name: &str| {
        partner[name]
            .as_str()
            .unwrap()
            .split_once('.')
            .unwrap()
            .0
            .parse::<u32>()
            .unwrap()
    };
    let total = units("float") + units("in_transit");
    assert!(
        (1_000_000 - 100 * (sold + 1)..=1_000_000 - 100 * sold).contains(&total),
        "{partner}"
    );
    server.kill();

    // A small journal is still full after a restart, but everything can be read.
    place.configure(SETTINGS);
    let server = place.serve();
    let api = Api::new(&server.url, &key);
    let (status, answer) = sell(&api, sold);
    assert_eq!(
        (status / 100, &answer["state"]),
        (2, &json!("COMPLETED")),
        "the same request again: {answer}"
    );
    let partner = api.see("/v1/partners/1");
    assert_eq!(
        partner["float"],
        format!("{}.00", 1_000_000 - 100 * (sold + 1)),
        "{partner}"
    );
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let place = Place::new("");
    std::fs::write(place.path("file"), "in the way").unwrap();
    let file = place.path("file").display().to_string();
    place
        .run(&["serve", "--config", "raseed.toml", "--data", &file])
        .fails(1, &["open the data directory", &file, "hint: "]);
    if cfg!(target_os = "linux") {
        // Nobody, not even the administrator, can make files there.
        place
            .run(&["serve", "--config", "raseed.toml", "--data", "/proc/raseed"])
            .fails(
                1,
                &[
                    "open the data directory /proc/raseed",
                    "hint: Look at the permissions",
                ],
            );
    }
}

#[test]
fn a_damaged_journal_is_found_by_the_audit() {
    let place = Place::new(SETTINGS);
    assert_eq!(place.serve().terminate(), 0);
    let make = [
        "subscriber",
        "generate",
        "--operator",
        "jazz",
        "--from",
        "923100000000",
        "--count",
        "3000",
        "--balance",
        "10",
    ];
    assert_eq!(place.run_here(&make).json()["opened"], 3_000);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);

    let journal = place.data().join("journal.sqlite");
    // A bit in the middle of a batch: not all octets of the file are of one.
    let connection = rusqlite::Connection::open(&journal).unwrap();
    let batch: Vec<u8> = connection
        .query_row(
            "select batch from journal order by length(batch) desc limit 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(connection);
    let piece = &batch[batch.len() / 2..][..32];
    let mut bytes = std::fs::read(&journal).unwrap();
    let at = bytes.windows(32).position(|window| window == piece);
    bytes[at.expect("the journal is in its file") + 16] ^= 0x40;
    std::fs::write(&journal, bytes).unwrap();
    let ran = place.run_here(&["audit"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("\"ok\":false") || ran.err.contains("damaged"),
        "{ran:?}"
    );
}

/// One changed amount in the read models of a stopped server: the audit names the table, a rebuild mends it.
#[test]
fn a_changed_read_model_is_found_by_the_audit_and_mended_by_a_rebuild() {
    let place = Place::new(SETTINGS);
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    api.done("/v1/subscribers", "", &json!({"msisdn": "923001234567"}));
    api.done(
        "/v1/partners/1/float",
        "start",
        &json!({"amount": "1000", "reference": "start"}),
    );
    let sale = json!({"msisdn": "923001234567", "amount": "100", "external_id": "s"});
    assert_eq!(api.done("/v1/topups?wait=10", "s", &sale)["state"], "COMPLETED");
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
    for (table, damage) in [
        ("top_up", "update top_up set gross = gross + 1"),
        ("statement_line", "update statement_line set amount = amount + 1"),
        (
            "gl_day_total",
            "update gl_day_total set amount = amount + 1 where ledger_account = (select min(ledger_account) from gl_day_total)",
        ),
        ("partner", "update partner set float = float - 1"),
        ("subscriber", "delete from subscriber"),
    ] {
        let reads = rusqlite::Connection::open(place.data().join("reads.sqlite")).unwrap();
        let changed = reads.execute(damage, []).unwrap();
        assert!(changed > 0, "{damage}");
        drop(reads);
        let ran = place.run_here(&["audit"]);
        assert_eq!(ran.code, 1, "{damage}: {ran:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let problems: Vec<&str> = told["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(serde_json::Value::as_str)
            .collect();
        assert_eq!(
            (&told["ok"], &told["problem_count"]),
            (&json!(false), &json!(1)),
            "{told}"
        );
        assert!(problems[0].starts_with(&format!("{table}: ")), "{problems:?}");
        assert_eq!(ran.error(1)["kind"], "failed", "{ran:?}");
        assert_eq!(place.run_here(&["rebuild"]).json()["ok"], true);
        assert_eq!(place.run_here(&["audit"]).json()["ok"], true, "after {damage}");
    }
}
