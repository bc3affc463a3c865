//! A small Eid eve with the real binary: every channel at once, a fifth asked twice, a tenth of the answers lost, then
//! `kill -9`. Nothing is lost, nothing comes twice, all messages leave. No figure of time is looked at.

mod harness;

use harness::Ran;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn every_channel_at_once_nothing_is_lost_and_nothing_comes_twice() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = "bench eid --json --rate 30 --seconds 8 --subscribers 400 --duplicates 20 --lost 10";
    let ran = Ran::of(
        harness::raseed()
            .args(arguments.split(' '))
            .current_dir(dir.path()),
    );
    let report = ran.json();
    let eid = &report["eid"];
    let none = |value: &Value| assert_eq!(*value, 0, "{report:#}\n{}", ran.err);
    for name in ["lost", "credited_twice", "errors"] {
        none(&report[name]);
    }
    for name in ["floats_wrong", "charged_wrong"] {
        none(&eid[name]);
    }
    assert_eq!(eid["audit_ok"], true, "{}", ran.err);
    // 10 s of 30 a second, and each of them asked for once only in the books.
    assert_eq!(eid["intended"], 300);
    assert!(eid["duplicates"].as_u64().unwrap() >= 30, "{eid}");
    assert!(eid["lost_answers"].as_u64().unwrap() >= 15, "{eid}");
    let channels = eid["channels"].as_array().unwrap();
    let names: BTreeSet<&str> = channels
        .iter()
        .map(|one| one["channel"].as_str().unwrap())
        .collect();
    let all = "atm bill card card-page guest ivr partner shop sms-card sms-shop till ussd-card ussd-shop";
    assert_eq!(names, all.split(' ').collect());
    for channel in channels {
        assert!(channel["operations"].as_u64().unwrap() > 0, "{channel}");
    }
    // Everybody who was credited got a message, and whoever asked by message an answer.
    assert!(eid["sms"]["received"].as_u64().unwrap() >= 300, "{eid}");
    assert!(
        std::fs::read_dir(dir.path()).unwrap().next().is_none(),
        "something is left behind"
    );
}
