//! Callbacks of partners by the real binary over real sockets, to receivers that misbehave, and across a crash.

mod harness;
mod receiver;

use harness::{Api, Place, Server};
use receiver::{Mood, Receiver};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const CONFIG: &str = "[callbacks]\nallow_loopback = true\nfirst_wait_ms = 20\n";
const NUMBER: &str = "923001234567";

struct World {
    place: Place,
    server: Option<Server>,
    admin: String,
    partner: u64,
    key: String,
}

impl World {
    fn new() -> World {
        let place = Place::new(CONFIG);
        let server = place.serve();
        let admin = server.key.clone().unwrap();
        let api = Api::new(&server.url, &admin);
        api.done(
            "/v1/subscribers",
            "s",
            &json!({"msisdn": NUMBER, "operator": "jazz"}),
        );
        let (partner, key) = api.partner("wallet", "10000");
        World {
            place,
            server: Some(server),
            admin,
            partner,
            key,
        }
    }

    fn url(&self) -> &str {
        &self.server.as_ref().unwrap().url
    }

    fn api(&self) -> Api {
        Api::new(self.url(), &self.key)
    }

    fn admin(&self) -> Api {
        Api::new(self.url(), &self.admin)
    }

    /// Sets the partner's address; gives the secret that was made.
    fn call_me_at(&self, url: &str) -> String {
        let set = put(
            self.url(),
            &self.key,
            "/v1/partners/me/callback",
            &json!({"url": url}),
        );
        set["new_secret"]["secret"].as_str().unwrap().to_owned()
    }

    fn sell(&self, reference: &str) -> Value {
        let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": reference, "again": true});
        self.api().done("/v1/topups?wait=20", reference, &body)
    }

    #[track_caller]
    fn eventually(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let value = self.api().see(path);
            if good(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{value}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn put(url: &str, key: &str, path: &str, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut answer = agent
        .put(format!("{url}{path}"))
        .header("authorization", format!("Bearer {key}"))
        .send_json(body)
        .unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn delete(url: &str, key: &str, path: &str) -> u16 {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let answer = agent
        .delete(format!("{url}{path}"))
        .header("authorization", format!("Bearer {key}"))
        .call();
    answer.unwrap().status().as_u16()
}

#[test]
fn a_partner_is_told_signed_in_order_and_can_change_its_secret() {
    let world = World::new();
    let receiver = Receiver::start();
    let first = world.call_me_at(&receiver.url("/raseed"));
    let sold = world.sell("one");
    assert_eq!(sold["state"], "COMPLETED");
    let told = receiver.wait(1).remove(0);
    assert_eq!(told.path, "/raseed");
    assert!(
        told.signed_by(&first) && !told.signed_by("whsec_other"),
        "{told:?}"
    );
    assert_eq!(told.json["type"], "topup.completed");
    assert_eq!(
        (&told.json["sequence"], &told.json["test"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(told.json["topup"], sold, "the full object");

    let second = world
        .api()
        .done("/v1/partners/me/callback/secrets", "", &json!({}));
    let refused = world
        .api()
        .post("/v1/partners/me/callback/secrets", "", &json!({}))
        .unwrap();
    assert_eq!(refused.0, 409, "two at most: {refused:?}");
    let (id, secret) = (second["id"].as_str().unwrap(), second["secret"].as_str().unwrap());
    world.sell("two");
    let told = receiver.wait(2).remove(1);
    assert!(
        told.signed_by(&first) && told.signed_by(secret),
        "both sign while the partner changes over"
    );
    let settings = world.api().see("/v1/partners/me/callback");
    assert!(!settings.to_string().contains("whsec_"), "shown once: {settings}");
    let old = settings["secrets"][0]["id"].as_str().unwrap();
    let path = |id: &str| format!("/v1/partners/me/callback/secrets/{id}");
    assert_eq!(delete(world.url(), &world.key, &path(old)), 204);
    assert_eq!(
        delete(world.url(), &world.key, &path(id)),
        409,
        "the last one stays"
    );
    world.sell("three");
    let told = receiver.wait(3).remove(2);
    assert!(!told.signed_by(&first) && told.signed_by(secret));
    let sequences: Vec<u64> = receiver
        .arrived()
        .iter()
        .map(receiver::Arrived::sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 3]);

    let other = Receiver::start();
    let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": "own", "again": true,
        "callback_url": other.url("/own")});
    world.api().done("/v1/topups", "own", &body);
    assert_eq!(other.wait(1)[0].path, "/own", "an address of its own wins");
    let other_address = json!({"msisdn": NUMBER, "amount": "100", "external_id": "own", "again": true,
        "callback_url": other.url("/elsewhere")});
    assert_eq!(
        world.api().post("/v1/topups", "own", &other_address).unwrap().0,
        422,
        "same key, other body"
    );
}

#[test]
fn receivers_that_misbehave_get_it_again_until_they_acknowledge() {
    let world = World::new();
    let receiver = Receiver::start();
    let secret = world.call_me_at(&receiver.url("/"));
    receiver.moods(&[
        Mood::Answer(500),
        Mood::Redirect,
        Mood::Close,
        Mood::Flood,
        Mood::Answer(404),
        Mood::Answer(100),
    ]);
    world.sell("one");
    let arrived = receiver.wait(6);
    assert!(
        arrived
            .iter()
            .all(|told| told.body == arrived[0].body && told.signed_by(&secret))
    );
    assert!(
        arrived.iter().all(|told| told.path == "/"),
        "redirects are not followed"
    );
    let done = world.eventually("/v1/callbacks", |list| {
        list["callbacks"][0]["state"] == "delivered"
    });
    assert_eq!(done["callbacks"][0]["status"], 204, "{done}");
    let count = receiver.arrived().len();

    let again = world
        .api()
        .post("/v1/callbacks/1/replay", "", &json!({}))
        .unwrap();
    assert_eq!((again.0, &again.1["state"]), (202, &json!("pending")));
    let arrived = receiver.wait(count + 1);
    assert_eq!(arrived[count].body, arrived[0].body, "a replay says the same");
    assert_eq!(
        world
            .api()
            .post("/v1/callbacks/99/replay", "", &json!({}))
            .unwrap()
            .0,
        404
    );
    let foreign = Api::new(world.url(), &world.admin().partner("other", "1").1);
    assert_eq!(
        foreign.see("/v1/callbacks")["callbacks"],
        json!([]),
        "partners see only their own"
    );
    assert_eq!(
        foreign
            .get(&format!("/v1/callbacks?partner={}", world.partner))
            .unwrap()
            .0,
        403
    );
}

#[test]
fn a_silent_receiver_holds_up_nobody_else() {
    let world = World::new();
    let (silent, quick) = (Receiver::start(), Receiver::start());
    world.call_me_at(&quick.url("/"));
    silent.moods(&[Mood::Silent; 8]);
    for count in 0..3 {
        let reference = format!("silent-{count}");
        let body = json!({"msisdn": NUMBER, "amount": "100", "external_id": reference, "again": true,
            "callback_url": silent.url("/")});
        world.api().done("/v1/topups", &reference, &body);
    }
    silent.wait(3);
    let began = Instant::now();
    world.sell("quick");
    quick.wait(1);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let failed = world.eventually("/v1/callbacks?state=pending", |list| {
        list["callbacks"][0]["attempts"] == 1
    });
    assert_eq!(failed["callbacks"][0]["reason"], "no answer within 15 s");
}

#[test]
fn what_was_committed_is_told_after_a_crash() {
    let mut world = World::new();
    // Nobody listens there yet.
    let address = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let secret = world.call_me_at(&format!("http://{address}/"));
    for count in 0..5 {
        world.sell(&format!("sale-{count}"));
    }
    world.server.take().unwrap().kill();
    let receiver = Receiver::at(TcpListener::bind(address).unwrap());
    world.server = Some(world.place.serve());
    let mut arrived = receiver.wait(5);
    arrived.sort_by_key(receiver::Arrived::sequence);
    arrived.dedup_by_key(|told| told.sequence());
    let sequences: Vec<u64> = arrived.iter().map(receiver::Arrived::sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    assert!(
        arrived.iter().all(|told| told.signed_by(&secret)),
        "secrets outlive a crash, too"
    );
    world.eventually("/v1/callbacks?state=pending", |list| {
        list["callbacks"] == json!([])
    });

    // The queue is lost altogether: it is made again from the journal.
    world.server.take().unwrap().kill();
    for name in ["callbacks.sqlite", "callbacks.sqlite-wal", "callbacks.sqlite-shm"] {
        let _ = std::fs::remove_file(world.place.data().join(name));
    }
    let before = receiver.arrived().len();
    world.server = Some(world.place.serve());
    let sequences: Vec<u64> = receiver.wait(before + 5)[before..]
        .iter()
        .map(receiver::Arrived::sequence)
        .collect();
    let mut sorted = sequences.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4, 5]);
    let journal = std::fs::read(world.place.data().join("journal.sqlite-wal")).unwrap_or_default();
    let whole = [
        journal,
        std::fs::read(world.place.data().join("journal.sqlite")).unwrap(),
    ]
    .concat();
    let needle = secret.as_bytes();
    assert!(
        !whole.windows(needle.len()).any(|window| window == needle),
        "secrets are stored sealed"
    );
}

#[test]
fn only_public_addresses_are_called() {
    let place = Place::new("");
    let server = place.serve();
    let admin = server.key.clone().unwrap();
    let (_, key) = Api::new(&server.url, &admin).partner("wallet", "1");
    for bad in [
        "http://partner.example/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://user@partner.example/",
        "file:///etc/passwd",
    ] {
        let refused = put(
            &server.url,
            &key,
            "/v1/partners/me/callback",
            &json!({"url": bad}),
        );
        assert_eq!(
            (&refused["status"], &refused["field"]),
            (&json!(422), &json!("url")),
            "{bad}: {refused}"
        );
    }
    // A name that means this machine passes the text check and is refused at the call.
    let set = put(
        &server.url,
        &key,
        "/v1/partners/me/callback",
        &json!({"url": "https://localhost/"}),
    );
    assert!(set["new_secret"]["secret"].is_string(), "{set}");
}

#[test]
fn a_test_key_rehearses_everything_and_moves_nothing() {
    let world = World::new();
    let made = world.admin().done(
        &format!("/v1/partners/{}/keys", world.partner),
        "k",
        &json!({"scopes": ["topup"], "test": true}),
    );
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("rst_"), "{key}");
    let test = Api::new(world.url(), key);
    let receiver = Receiver::start();
    let set = put(
        world.url(),
        key,
        "/v1/partners/me/callback",
        &json!({"url": receiver.url("/test")}),
    );
    let secret = set["new_secret"]["secret"].as_str().unwrap();
    let before = world.api().see("/v1/partners/me")["float"].clone();
    for (number, reference, state) in [
        ("03001234000", "good", "COMPLETED"),
        ("03001234102", "later", "DECLINED"),
        ("03001234004", "down", "DECLINED"),
    ] {
        let quote = test.done("/v1/quotes", "", &json!({"msisdn": number, "amount": "100"}));
        assert_eq!(quote["gross"], "100.00", "{quote}");
        let body = json!({"msisdn": number, "amount": "100", "external_id": reference, "quote": quote["id"]});
        let sold = test.done("/v1/topups?wait=20", reference, &body);
        assert_eq!(
            (&sold["state"], &sold["test"]),
            (&json!(state), &json!(true)),
            "{sold}"
        );
        assert_eq!(
            test.see(&format!("/v1/topups?external_id={reference}")),
            sold,
            "the way back"
        );
    }
    let told = receiver.wait(3);
    assert!(
        told.iter()
            .all(|told| told.signed_by(secret) && told.json["test"] == true)
    );
    let down = world.api().get("/v1/topups?external_id=good").unwrap();
    assert_eq!(down.0, 404, "real and rehearsed top-ups do not meet");
    assert_eq!(
        world.api().see("/v1/partners/me")["float"],
        before,
        "no float has moved"
    );
    assert_eq!(
        test.get(&format!("/v1/subscribers/{NUMBER}/balance")).unwrap().0,
        403
    );
    assert_eq!(
        world.api().see("/v1/partners/me/callback")["url"],
        Value::Null,
        "the real settings are others"
    );
}
