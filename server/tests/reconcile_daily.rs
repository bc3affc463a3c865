//! The daily reconciliation of the real binary: files are found by themselves, each compared once also across kills; a file that
//! does not come is an exception with an age; late files are picked up; figures go out.

mod harness;

use harness::{Api, PATIENCE, Place, Server};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HEAD: &str = "time,reference,type,amount,fee,currency,note\n";

/// The day so many days ago, in Pakistan.
fn day(ago: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let local = i64::try_from(now).unwrap() + 5 * 3600;
    let (year, month, day) = charge::time::civil_from_days(local.div_euclid(86_400) - ago);
    format!("{year:04}-{month:02}-{day:02}")
}

fn line(ago: i64, reference: &str, rupees: u32) -> String {
    format!(
        "{} 12:00:00,{reference},credit,{rupees}.00,1.50,PKR,Eid\n",
        day(ago)
    )
}

struct Scene {
    place: Place,
    server: Option<Server>,
    key: String,
}

impl Scene {
    fn new() -> Scene {
        let place = Place::new(
            "[engine]\npartitions = 3\ncache_mib = 16\n[[payments.rail]]\nkind = 'bank'\ntitle = 'Test'\n\
             iban = 'PK36SCBL0000001123456702'\nbank = 'A bank'\nnotify_secrets = ['secret-of-a-test']\n\
             [reconciliation]\nat = '00:00'\nevery_s = 1\nlate_days = 3\n[[reconciliation.source]]\nrail = 'bank'\n\
             dir = 'files'\nfile = 'bank-{day}.csv'\n",
        );
        std::fs::create_dir(place.path("files")).unwrap();
        let server = place.serve();
        let key = server.key.clone().unwrap();
        Scene {
            place,
            server: Some(server),
            key,
        }
    }

    fn api(&self) -> Api {
        Api::new(&self.server.as_ref().unwrap().url, &self.key)
    }

    fn crash(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(self.place.serve());
    }

    fn put(&self, ago: i64, text: &str) {
        let path = self.place.path(&format!("files/bank-{}.csv", day(ago)));
        std::fs::write(path, text).unwrap();
    }

    fn runs(&self) -> Vec<Value> {
        let found = self.api().see("/v1/reconciliations");
        found["reconciliations"].as_array().unwrap().clone()
    }

    /// Exceptions of a kind, open or not.
    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let found = self.api().see("/v1/exceptions?state=all");
        let all = found["exceptions"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] == kind).cloned().collect()
    }

    #[track_caller]
    fn until(&self, what: impl Fn(&Scene) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !what(self) {
            assert!(
                Instant::now() < deadline,
                "{:#?} {:#?}",
                self.runs(),
                self.api().see("/v1/exceptions?state=all")
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn each_file_is_compared_once_and_a_missing_one_has_an_age() {
    let mut scene = Scene::new();
    scene.until(|scene| scene.of_kind("missing-file").len() == 1);
    let missing = scene.of_kind("missing-file").remove(0);
    assert_eq!(
        (&missing["day"], &missing["rail"]),
        (&day(1).into(), &"bank".into())
    );
    scene.crash();
    std::thread::sleep(Duration::from_secs(3));
    let still = scene.of_kind("missing-file");
    assert_eq!(still.len(), 1, "once, also after a kill");
    assert_eq!(still[0]["found_at"], missing["found_at"]);
    assert!(still[0]["age_s"].as_i64().unwrap() >= 3, "{still:?}");
    assert!(scene.runs().is_empty());

    // It comes late: compared, and the exception closes.
    scene.put(1, &format!("{HEAD}{}", line(1, "R1", 250)));
    scene.until(|scene| scene.runs().len() == 1);
    let run = scene.runs().remove(0);
    let figures = [
        "rail",
        "source",
        "file",
        "ledger",
        "credited",
        "fees",
        "differences",
    ]
    .map(|name| run[name].clone());
    let wanted: Vec<Value> =
        serde_json::from_str(r#"["bank","daily","250.00","0.00","0.00","1.50",1]"#).unwrap();
    assert_eq!(figures.to_vec(), wanted, "{run}");
    let closed = scene.of_kind("missing-file").remove(0);
    assert_eq!(
        (&closed["remedy"], &closed["closed_by"]),
        (&"settled".into(), &"".into())
    );
    assert_eq!(scene.of_kind("extra-in-file").len(), 1);
    for _ in 0..2 {
        scene.crash();
        std::thread::sleep(Duration::from_secs(3));
    }
    assert_eq!(scene.runs(), [run], "once per day and rail");

    // A corrected file, one that comes three days late, and one that nobody can read.
    scene.put(1, &format!("{HEAD}{}{}", line(1, "R1", 250), line(1, "R2", 50)));
    scene.put(3, &format!("{HEAD}{}", line(3, "R3", 10)));
    scene.put(2, "this is\u{0} no file\n");
    scene.put(9, &format!("{HEAD}{}", line(9, "R9", 10)));
    scene.until(|scene| scene.runs().len() == 2 && scene.runs()[0]["times"] == 2);
    scene.until(|scene| scene.of_kind("unreadable-file").len() == 1);
    assert_eq!(scene.of_kind("extra-in-file").len(), 3, "nothing twice");
    assert_eq!(scene.runs()[1]["day"], day(3));
    assert_eq!(
        scene.of_kind("missing-file").len(),
        1,
        "days before the first are not missed"
    );

    let server = scene.server.as_ref().unwrap();
    let csv = server.run(&scene.key, &["reconcile", "--figures", "csv"]);
    assert_eq!(csv.code, 0, "{csv:?}");
    let first = csv.out.lines().nth(1).unwrap_or_default();
    assert!(
        first.starts_with(&format!("{},bank,daily,2,0,300", day(1))),
        "{}",
        csv.out
    );
    let figures = server.run(&scene.key, &["reconcile", "--figures", "json"]).json();
    assert_eq!(figures["reconciliations"].as_array().unwrap().len(), 2);
    server
        .run(&scene.key, &["reconcile", "--rail", "bank"])
        .fails(2, &["--day"]);
    assert_eq!(scene.server.take().unwrap().terminate(), 0);
}
