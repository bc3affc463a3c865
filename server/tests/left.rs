//! Nobody has to ask for the balance: the message after a recharge, after a session where the operator says so, and when the
//! balance is low tell what is left and until when, each in one part, with the catalogs of the house. Real sockets on every
//! side.

mod harness;

use charge::Money;
use harness::{Api, PATIENCE, Place, Server};
use serde_json::json;
use sim::gateway::{Attach, Gateway, GatewaySettings, Profile};
use sim::smsc::Smsc;
use std::time::{Duration, Instant};
use wire::smpp::CentreConfig;
use wire::sms::{TextSettings, prepare, strip_isolates};

/// English, Urdu and Chinese at an operator that tells; English at one that does not.
const PEOPLE: [(&str, &str, &str, &str); 4] = [
    ("923001234567", "jazz", "en", "410010000000001"),
    ("923001234568", "jazz", "ur", "410010000000002"),
    ("923001234569", "jazz", "zh", "410010000000003"),
    ("923451234567", "telenor", "en", "410060000000004"),
];

struct Scene {
    runtime: tokio::runtime::Runtime,
    smsc: Smsc,
    _place: Place,
    server: Server,
    api: Api,
}

impl Scene {
    fn new() -> Scene {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let smsc = runtime
            .block_on(Smsc::start(any, CentreConfig::default()))
            .unwrap();
        let place = Place::new(&format!(
            "[sms.default]\naddress = '{}'\noutbox_interval_ms = 50\n",
            smsc.address()
        ));
        let server = place.serve();
        let api = Api::new(&server.url, server.key.as_deref().unwrap());
        for (number, operator, language, imsi) in PEOPLE {
            let person = json!({"operator": operator, "msisdn": number, "language": language, "imsi": imsi});
            api.done("/v1/subscribers", number, &person);
        }
        Scene {
            runtime,
            smsc,
            _place: place,
            server,
            api,
        }
    }

    /// Texts to a number, without isolates; each came in one part.
    fn texts(&self, number: &str) -> Vec<String> {
        let messages = self.smsc.inbox().messages(number);
        messages
            .into_iter()
            .map(|message| strip_isolates(&message.text))
            .collect()
    }

    #[track_caller]
    fn until_text(&self, number: &str, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let texts = self.texts(number);
            if let Some(found) = texts.iter().find(|text| text.contains(part)) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "{part}: {texts:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One data session, from its opening to its end.
    fn uses(&self, (number, operator, _, imsi): (&str, &str, &str, &str), octets: u64) {
        let network = if operator == "jazz" { "41001" } else { "41006" };
        self.runtime.block_on(async {
            let mut settings = GatewaySettings::new(Profile::Standard, "raseed.example");
            settings.request_octets = 50_000_000;
            let gateway = Gateway::connect(self.server.diameter, settings).await.unwrap();
            let mut session = gateway
                .open(Attach::new(imsi, Some(number), network))
                .await
                .unwrap();
            session.use_data(octets).await.unwrap();
            if session.is_open() {
                session.close().await.unwrap();
            }
            gateway.disconnect().await;
        });
    }
}

#[track_caller]
fn is_one_part(text: &str) {
    let parts = prepare(text, &TextSettings::default(), 1).unwrap().parts.len();
    assert_eq!(parts, 1, "{text}");
}

#[test]
fn what_is_left_and_until_when_comes_by_itself() {
    let scene = Scene::new();
    let (_, shop) = scene.api.partner("corner", "10000");
    let shop = scene.api.with_key(&shop);
    for (number, ..) in PEOPLE {
        let sale = json!({"msisdn": number, "amount": "100", "external_id": number});
        shop.done("/v1/topups?wait=10", number, &sale);
    }
    // After a recharge.
    for (index, said) in [
        "Balance Rs 86.96 until 20",
        "بیلنس 86.96 روپے، 20",
        "余额86.96卢比，有效期至20",
    ]
    .into_iter()
    .enumerate()
    {
        scene.until_text(PEOPLE[index].0, said);
    }

    // Below the marks of the operator nobody is told, and without any nobody ever is.
    for person in PEOPLE {
        scene.uses(person, 400_000);
    }
    scene.uses(PEOPLE[3], 40_000_000);
    // Much data from what the first recharge brought, with its own end.
    for person in &PEOPLE[..3] {
        scene.uses(*person, 60_000_000);
    }
    for (index, left) in ["Bundle data left: 96", "ڈیٹا 96", "流量剩余96"]
        .into_iter()
        .enumerate()
    {
        let text = scene.until_text(PEOPLE[index].0, left);
        assert!(text.contains(" MB") && text.contains("86.96"), "{text}");
        is_one_part(&text);
    }
    // Beyond it, for money: what is left of the balance, and until when.
    for person in &PEOPLE[..3] {
        scene.uses(*person, 1_020_000_000);
    }
    let told = [
        ("Jazz: this one cost Rs ", "."),
        ("بیلنس ", "تک۔"),
        ("本次", "日。"),
    ];
    for (index, (begins, ends)) in told.into_iter().enumerate() {
        let balance = scene
            .api
            .see(&format!("/v1/subscribers/{}/balance", PEOPLE[index].0));
        let balance = Money::parse(balance["main"].as_str().unwrap()).unwrap();
        assert!(balance < Money::from_units(80), "{balance:?}");
        let text = scene.until_text(PEOPLE[index].0, &balance.shown());
        assert!(text.starts_with(begins) && text.ends_with(ends), "{text}");
        assert!(!text.contains("GB") && !text.contains("MB"), "{text}");
        is_one_part(&text);
    }

    // What a bundle gave is told with its own end.
    for (number, ..) in &PEOPLE[..3] {
        let bundle = json!({"bundle": "daily-extreme"});
        scene
            .api
            .done(&format!("/v1/subscribers/{number}/bundles"), number, &bundle);
    }
    for person in &PEOPLE[..3] {
        scene.uses(*person, 60_000_000);
    }
    for (index, left) in ["Bundle data left: 1.9", "ڈیٹا 1.9", "流量剩余1.9"]
        .into_iter()
        .enumerate()
    {
        let text = scene.until_text(PEOPLE[index].0, left);
        assert!(text.contains("GB"), "{text}");
        is_one_part(&text);
    }

    // A low balance says until when, in one part, once.
    for person in &PEOPLE[..3] {
        scene.uses(*person, 2_200_000_000);
    }
    for (index, low) in ["your balance is low, Rs ", "بیلنس کم ہے، ", "余额不足，仅剩"]
        .into_iter()
        .enumerate()
    {
        let text = scene.until_text(PEOPLE[index].0, low);
        let until = ["until", "تک", "有效期至"][index];
        assert!(text.contains(until), "{text}");
        is_one_part(&text);
    }
    let silent = scene.texts(PEOPLE[3].0);
    assert_eq!(
        silent.len(),
        1,
        "this operator tells nobody, but of the recharge: {silent:?}"
    );
    let texts = scene.texts(PEOPLE[0].0);
    let ended = texts
        .iter()
        .filter(|text| text.starts_with("Jazz: this one cost"))
        .count();
    assert_eq!(ended, 4, "one for each session above a mark: {texts:?}");
    assert_eq!(scene.server.terminate(), 0);
}
