//! The files of a supermarket chain through the real binary: commission, settlement file, its proof, the chain's own file
//! compared three ways, and a sale taken back, as `docs/how-to/settle-with-a-partner.md` has them.

mod harness;

use harness::{Api, PATIENCE, Place};
use serde_json::{Value, json};

/// Today in Pakistan.
fn today() -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(5));
    jiff::Timestamp::now().to_zoned(zone).date().to_string()
}

#[test]
fn a_chain_settles_by_file_from_the_command_line() {
    let place = Place::new("");
    let server = place.serve();
    let key = server.key.clone().unwrap();
    let api = Api::new(&server.url, &key);
    let subscriber = json!({"operator": "jazz", "msisdn": "923001234567"});
    api.done("/v1/subscribers", "s", &subscriber);
    let (id, shop_key) = api.partner("chain", "1000");
    let (id, shop) = (id.to_string(), Api::new(&server.url, &shop_key));
    let run = |arguments: &[&str]| server.run(&key, &[&["--json", "partner"], arguments].concat());

    let set = run(&["commission", &id, "--percent", "2.75"]).json();
    assert_eq!(
        (&set["now"]["percent"], &set["now"]["kind"]),
        (&json!("2.75"), &json!("upfront"))
    );
    let planned = run(&[
        "commission",
        &id,
        "--percent",
        "3",
        "--from",
        "2099-01-01T00:00:00+05:00",
    ])
    .json();
    assert_eq!(planned["planned"][0]["from"], "2098-12-31T19:00:00Z");
    // Days could change in the middle: the file is asked for of the day of the first sale.
    let day = today();
    let mut sold = Vec::new();
    for (external, amount) in [("till-1", "100"), ("till-2", "90"), ("=till-3", "80")] {
        let sale =
            json!({"msisdn": "923001234567", "amount": amount, "external_id": external, "again": true});
        sold.push(shop.done("/v1/topups?wait=10", external, &sale));
    }
    assert_eq!(
        sold[0]["commission"],
        json!({"amount": "2.75", "kind": "upfront"})
    );
    assert_eq!(run(&["commission", &id, "--end"]).json()["now"], Value::Null);

    // The day is not over: no file, but what there is, and it proves itself.
    let path = place.path("settlement.csv");
    let file = path.to_str().unwrap();
    run(&["report", &id, "--day", &day, "--out", file]).error(3);
    let deadline = std::time::Instant::now() + PATIENCE;
    while run(&["report", &id, "--day", &day, "--partial", "--out", file]).json()["count"] != 4 {
        assert!(std::time::Instant::now() < deadline, "the movements do not come");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let checked = place.run(&["--json", "partner", "check", file]).json();
    let wanted = json!({"whole": false, "count": 4, "balance_before": "0.00", "balance_after": "737.425"});
    assert_eq!(checked, wanted);
    let good = std::fs::read_to_string(&path).unwrap();
    assert!(
        good.contains(",\"'=till-3\",") && good.lines().last().unwrap().starts_with("partial,4,737.425,")
    );
    for (from, to) in [
        ("100.00,", "900.00,"),
        ("till-1", "till-9"),
        ("partial,4", "trailer,4"),
        ("partial,4", "partial,3"),
    ] {
        let bad = place.path("changed.csv");
        std::fs::write(&bad, good.replacen(from, to, 1)).unwrap();
        let told = place.run(&["--json", "partner", "check", bad.to_str().unwrap()]);
        // Only what the trailer says of itself is not in its hash.
        let wanted = if to.starts_with("trailer") { 0 } else { 1 };
        assert_eq!(told.code, wanted, "{to}: {told:?}");
    }

    // Their file: the first one with another amount, the second one missing, one that we never sold, one twice.
    let theirs =
        "trace,gross,state\ntill-1,110,SUCCESS\n\"'=till-3\",80,COMPLETED\ntill-8,50,\n'=till-3,80,\n";
    let their_path = place.path("theirs.csv");
    std::fs::write(&their_path, theirs).unwrap();
    let compare = || {
        run(&[
            "reconcile",
            &id,
            "--day",
            &day,
            "--file",
            their_path.to_str().unwrap(),
        ])
        .json()
    };
    let found = compare();
    let mut kinds: Vec<(&str, &str)> = found["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["reference"].as_str().unwrap()))
        .collect();
    kinds.sort_unstable();
    let wanted = [
        ("amount-differs", "till-1"),
        ("extra-in-file", "till-8"),
        ("missing-in-file", "till-2"),
        ("paid-twice", "=till-3"),
    ];
    assert_eq!(kinds, wanted, "{found}");
    assert_eq!((&found["new"], &found["matched"]), (&json!(4), &json!(1)));
    assert_eq!(compare()["new"], 0, "found once");

    // A sale is taken back; the shop's own key sees its files, another shop's does not.
    let back = run(&["reverse", sold[1]["id"].as_str().unwrap()]).json();
    assert_eq!(
        (&back["state"], &back["reversal"]["amount"]),
        (&json!("REVERSED"), &json!("90.00"))
    );
    assert_eq!(
        run(&["reverse", sold[1]["id"].as_str().unwrap()]).json()["reversal"],
        back["reversal"]
    );
    let (_, other) = api.partner("other", "10");
    let theirs = format!("/v1/reports/partners/{id}/settlement?day={day}&partial=true");
    assert_eq!(Api::new(&server.url, &other).get(&theirs).unwrap().0, 403);
    let saved = server.run(&shop_key, &["partner", "report", &id, "--day", &day, "--partial"]);
    assert!(saved.out.starts_with("seq,time,trace,"), "{saved:?}");
    let sums = run(&["report", &id, "--day", &day, "--to", &day, "--summary"]).json();
    let rows = sums["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["type"] == "sale" && row["operator"] == "jazz"),
        "{sums}"
    );
    assert_eq!(server.terminate(), 0);
    assert_eq!(place.run_here(&["audit"]).json()["ok"], true);
}
