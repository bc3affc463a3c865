//! One run of everything that is secret, with a log that says everything: sign-up, passwords, passkeys, second factors, staff,
//! keys and secrets of partners, wallets. Afterwards no log and no table has any of it in clear.

mod harness;
mod leaks;
mod shop;
mod world;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leaks::Hidden;
use people::totp;
use serde_json::json;
use shop::Rail;
use sim::now;
use world::{Person, World, api_of, wait_for};

const NUMBER: &str = "923001234567";
const PASSWORD: &str = "eleven-purple-tractors";
const STAFF_PASSWORD: &str = "seven-orange-harvesters";
/// Looks like a card, and has its check digit.
const CARD: &str = "4556737586899855";

/// What stands between two marks.
#[track_caller]
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let rest = page
        .split(from)
        .nth(1)
        .unwrap_or_else(|| panic!("{from} is not in {page}"));
    rest.split(to).next().unwrap()
}

/// Turns the second factor on; its secret in both spellings and the codes for its loss are hidden.
fn second_factor(person: &mut Person<'_>, hidden: &mut Hidden) {
    person.get("/security");
    let (status, page) = person.post("/security/totp/begin", &[]);
    assert_eq!(status, 200, "{page}");
    let shown = between(&page, "id=\"totp-key\" dir=\"ltr\"><bdi>", "<").to_owned();
    let secret = shown.replace(' ', "");
    let code = totp::code_at(&secret, now()).unwrap();
    hidden.add("a second factor's secret", &secret);
    hidden.add("a second factor's secret in groups", &shown);
    hidden.add("a second factor's code", &code);
    let (status, page) = person.post("/security/totp", &[("code", &code)]);
    assert_eq!(status, 200, "{page}");
    let list = between(&page, "id=\"codes\">", "</ul>");
    let codes: Vec<&str> = list.split("<bdi>").skip(1).map(first_text).collect();
    assert!(codes.len() >= 8, "{list}");
    for code in codes {
        hidden.add("a recovery code", code);
    }
}

/// What stands before the next mark.
fn first_text(rest: &str) -> &str {
    rest.split('<').next().unwrap()
}

/// A device that makes a passkey and signs with it (Web Authentication Level 3, sections 6.1 and 6.5).
struct Device {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Device {
    const SITE: &str = "raseed.example";
    const ID: &[u8] = b"the-id-of-a-passkey";

    fn new() -> Device {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).unwrap();
        Device { pair, random }
    }

    /// Site, flags (present, verified, and these), counter.
    fn head(more: u8, counter: u32) -> Vec<u8> {
        let site = digest(&SHA256, Device::SITE.as_bytes());
        [site.as_ref(), &[0x05 | more], &counter.to_be_bytes()].concat()
    }

    fn attestation(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..]);
        let cose = [
            &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..],
            x,
            &[0x22, 0x58, 32],
            y,
        ]
        .concat();
        let length = u16::try_from(Device::ID.len()).unwrap().to_be_bytes();
        let data = [&Device::head(0x40, 0)[..], &[0; 16], &length, Device::ID, &cose].concat();
        let size = u8::try_from(data.len()).unwrap();
        [
            &b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"[..],
            &[size],
            &data,
        ]
        .concat()
    }

    fn signs(&self, client: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let data = Device::head(0, 1);
        let client = digest(&SHA256, client);
        let signature = self
            .pair
            .sign(&self.random, &[&data[..], client.as_ref()].concat());
        (data, signature.unwrap().as_ref().to_vec())
    }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(kind: &str, challenge: &str) -> Vec<u8> {
    let origin = format!("https://{}", Device::SITE);
    format!(
        r#"{{"type":"webauthn.{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
    )
    .into_bytes()
}

/// Makes a passkey, and signs in with it in another browser. What was signed and the signatures are hidden.
fn passkey(world: &World, server: &harness::Server, person: &mut Person<'_>, hidden: &mut Hidden) {
    let device = Device::new();
    let mut challenge = |person: &mut Person<'_>, path: &str| {
        let (status, asked) = person.say(path, json!({}));
        assert_eq!((status, &asked["site"]), (200, &json!(Device::SITE)), "{asked}");
        let challenge = asked["challenge"].as_str().unwrap().to_owned();
        hidden.add("a challenge of a passkey", &challenge);
        (challenge, asked)
    };
    person.get("/security");
    let (first, asked) = challenge(person, "/security/passkey/begin");
    let made = json!({
        "client_data": base64(&client_data("create", &first)), "attestation": base64(&device.attestation()),
    });
    let (status, done) = person.say("/security/passkey", made);
    assert_eq!(
        (status, &done["to"]),
        (200, &json!("/security?done=passkey")),
        "{done}"
    );

    let mut elsewhere = Person::nobody(world, server);
    elsewhere.get("/sign-in");
    let (second, _) = challenge(&mut elsewhere, "/sign-in/passkey/begin");
    let client = client_data("get", &second);
    let (data, signature) = device.signs(&client);
    hidden.add("a signature of a passkey", &base64(&signature));
    hidden.add("what a passkey signed", &base64(&client));
    let used = json!({
        "next": "/profile", "id": base64(Device::ID), "client_data": base64(&client), "user": asked["user"],
        "authenticator_data": base64(&data), "signature": base64(&signature),
    });
    let (status, done) = elsewhere.say("/sign-in/passkey", used.clone());
    assert_eq!((status, &done["to"]), (200, &json!("/profile")), "{done}");
    assert!(elsewhere.get("/profile").contains("0300 1234567"));
    hide_cookies(&elsewhere, hidden);
    let mut thief = Person::nobody(world, server);
    thief.get("/sign-in");
    let (status, asked) = thief.say("/sign-in/passkey/begin", json!({}));
    assert_eq!(status, 200, "{asked}");
    let (status, answer) = thief.say("/sign-in/passkey", used);
    assert!(
        (400..500).contains(&status),
        "the same again is worth nothing: {answer}"
    );
    assert!(!thief.get("/profile").contains("0300 1234567"));
}

/// Somebody of staff: invited, set up, signed in.
fn staff(world: &World, server: &harness::Server, key: &str, hidden: &mut Hidden) {
    let api = api_of(server, key);
    let made = api.done("/v1/staff", "", &json!({"name": "root", "role": "admin"}));
    let link = made["link"].as_str().unwrap();
    let path = format!("/{}", link.splitn(4, '/').nth(3).unwrap());
    hidden.add("the secret of an invitation", path.rsplit('/').next().unwrap());
    let mut person = Person::nobody(world, server);
    let page = person.get(&path);
    let secret = between(&page, "id=\"totp-key\" dir=\"ltr\"><bdi>", "<").replace(' ', "");
    hidden.add("a second factor of staff", &secret);
    hidden.add("a password of staff", STAFF_PASSWORD);
    let code = totp::code_at(&secret, now()).unwrap();
    let fields = [("password", STAFF_PASSWORD), ("code", code.as_str())];
    assert_eq!(person.post(&path, &fields).0, 303);
    // A code counts once: the next one is half a minute away at most.
    let next = wait_for("the next code", || {
        let next = totp::code_at(&secret, now()).unwrap();
        (next != code).then_some(next)
    });
    person.get("/staff/sign-in");
    let fields = [
        ("name", "root"),
        ("password", STAFF_PASSWORD),
        ("code", next.as_str()),
    ];
    assert_eq!(person.post("/staff/sign-in", &fields).0, 303);
    assert!(person.get("/staff").contains("/staff/out"));
    hide_cookies(&person, hidden);
}

/// Of a browser: who has them is signed in.
fn hide_cookies(person: &Person<'_>, hidden: &mut Hidden) {
    let long = person.cookies.iter().filter(|(_, value)| value.len() > 20);
    let before = long.clone().count();
    assert!(before > 0, "{:?}", person.cookies);
    for (name, value) in long {
        hidden.add(&format!("the cookie {name}"), value);
    }
}

/// A partner with a key and a secret for its callbacks.
fn partner(server: &harness::Server, key: &str, hidden: &mut Hidden) {
    let (_, shop) = api_of(server, key).partner("corner", "10000");
    hidden.add("a partner's key", &shop);
    let address = format!("{}/v1/partners/me/callback", server.url);
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let put = ureq::Agent::from(config)
        .put(address)
        .header("authorization", format!("Bearer {shop}"))
        .send_json(json!({"url": "http://127.0.0.1:9/hook"}))
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    let put: serde_json::Value = serde_json::from_str(&put).unwrap();
    let secret = put["new_secret"]["secret"]
        .as_str()
        .unwrap_or_else(|| panic!("{put}"));
    hidden.add("a secret of callbacks", secret);
    hidden.add(
        "a secret of callbacks without its mark",
        secret.rsplit('_').next().unwrap(),
    );
    let second = api_of(server, &shop).done("/v1/partners/me/callback/secrets", "", &json!({}));
    hidden.add("a second secret of callbacks", second["secret"].as_str().unwrap());
    let sale = json!({"msisdn": NUMBER, "amount": "100", "external_id": "s"});
    api_of(server, &shop).done("/v1/topups?wait=10", "s", &sale);
}

#[test]
fn no_log_and_no_table_has_a_secret_a_pin_a_code_or_a_card_number() {
    let rail = Rail::start();
    let extra = format!("[callbacks]\nallow_loopback = true\n{}", rail.config());
    let world = World::logged(("00:00", "00:00"), "trace", &extra);
    let log = world.place.path("log.txt");
    let server = world.place.serve_logged(&log);
    rail.send_to(&server);
    let key = server.key.clone().unwrap();
    let mut hidden = Hidden::default();
    hidden.add("the administrator's key", &key);
    let account = &rail.account;
    for (what, secret) in [
        ("the rail's password", &account.password),
        ("the rail's salt", &account.salt),
        ("the merchant's PIN", &account.mpin),
    ] {
        hidden.add(what, secret);
    }
    let api = api_of(&server, &key);
    let mut sana = Person::sign_up(&world, &server, &api, NUMBER);
    sana.prove("sana@example.org");
    let browser = sana.subscribe();
    hidden.add("a browser's push secret", &browser.auth);
    sana.get("/security");
    let before = world.mail.mails().len();
    let changed = sana.post("/security/password", &[("password", PASSWORD)]);
    assert_eq!(changed.0, 303, "{}", changed.1);
    hidden.add("a password", PASSWORD);
    // Whoever can read the mail, or holds the browser, hears of it too.
    wait_for("the notice by e-mail", || {
        let all = world.mail.mails();
        let told = |mail: &sim::post::smtp::Mail| mail.text().contains("the security of your account was");
        all[before..].iter().any(told).then_some(())
    });
    wait_for("the notice by push", || {
        let got = world.push.messages(&browser.endpoint);
        got.iter()
            .any(|message| message.body["path"] == "/security")
            .then_some(())
    });
    passkey(&world, &server, &mut sana, &mut hidden);
    second_factor(&mut sana, &mut hidden);
    staff(&world, &server, &key, &mut hidden);
    partner(&server, &key, &mut hidden);

    // A wallet that is kept for a standing order.
    sana.get("/auto");
    let fields = [
        ("number", NUMBER),
        ("below", "50"),
        ("amount", "100"),
        ("per_month", "500"),
        ("rail", shop::WALLET),
        ("wallet", "0341 1728699"),
        ("cnic", "345678"),
        ("agree", "yes"),
    ];
    let (status, page) = sana.post("/auto", &fields);
    assert_eq!(status, 303, "{page}");
    for wallet in ["03411728699", "923411728699", "0341 1728699"] {
        hidden.add("the number of a wallet", wallet);
    }
    hidden.add("digits of an identity card", "345678");

    // A card number where none belongs is refused, and is nowhere afterwards.
    let spaced = "4556 7375 8689 9855";
    sana.get("/complaints/new");
    let body = format!("my card is {spaced}");
    let (status, _) = sana.post(
        "/complaints",
        &[("about", ""), ("category", "billing"), ("body", &body)],
    );
    assert_eq!(status, 422, "a card number in a complaint");
    let topup = json!({"msisdn": NUMBER, "amount": "100", "external_id": CARD});
    let (status, _) = api.post("/v1/topups", "c", &topup).unwrap();
    assert!(
        (400..500).contains(&status),
        "a card number as a reference: {status}"
    );
    hidden.add("a card number", CARD);
    hidden.add("a card number in groups", spaced);

    // Codes, by SMS and by e-mail: as they were sent, and as they were said.
    let texts = world.texts(NUMBER);
    let mails: Vec<String> = world
        .mail
        .mails()
        .iter()
        .map(sim::post::smtp::Mail::text)
        .collect();
    let mut codes = 0;
    for text in texts.iter().chain(&mails) {
        let words = text.split(|c: char| !c.is_ascii_digit());
        for code in words
            .filter(|word| word.len() == 6)
            .filter(|_| text.contains("code"))
        {
            hidden.add("a one-time code", code);
            codes += 1;
        }
    }
    assert!(codes >= 2, "{texts:?} {mails:?}");
    hide_cookies(&sana, &mut hidden);
    assert_eq!(server.terminate(), 0);
    assert_eq!(world.place.run_here(&["audit"]).json()["ok"], json!(true));
    hidden.are_in_none_of(&log, &world.place.data());
}
