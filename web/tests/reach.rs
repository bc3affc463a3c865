//! E-mail and push on the profile, and links that stop without sign-in: what they do, and what strangers try.

mod common;

use common::client::Client;
use common::{NUMBER, SECOND_NUMBER, Service};
use people::PersonId;
use people::consents::{Channel, Notice};
use people::sessions::Place;

fn person(service: &Service, number: &str) -> PersonId {
    let number = charge::Msisdn::parse(number).unwrap();
    service.people.owner_of(number).unwrap().unwrap().person
}

fn mail_code(service: &Service) -> String {
    service.eventually(|| {
        let mails = service.codes.1.lock().unwrap();
        let (_, text) = mails.last()?;
        let code = text
            .split(|c: char| !c.is_ascii_digit())
            .find(|word| word.len() == 6);
        code.map(str::to_owned)
    })
}

#[test]
fn an_address_is_added_by_its_code_and_taken_off_and_its_owner_is_told() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    owner.get("/profile");
    assert_eq!(owner.post("/profile/email", "email=no-address").status, 422);
    assert!(service.codes.1.lock().unwrap().is_empty());
    owner.get("/profile");
    assert_eq!(
        owner.post("/profile/email", "email=sana%40example.org").status,
        200
    );
    let code = mail_code(&service);
    // Somebody else's sign-in cannot use it.
    service.subscriber(SECOND_NUMBER);
    let mut other = Client::new(&service);
    other.enter(SECOND_NUMBER);
    other.get("/profile");
    assert_eq!(
        other.post("/profile/email/prove", &format!("code={code}")).status,
        422
    );
    let told = service.codes.0.lock().unwrap().len();
    assert_eq!(
        owner.post("/profile/email/prove", &format!("code={code}")).status,
        303
    );
    service.eventually(|| (service.codes.0.lock().unwrap().len() > told).then_some(()));
    assert!(owner.get("/profile").body.contains("sana@example.org"));
    let person = person(&service, NUMBER);
    assert!(service.people.email_of(person).unwrap().is_some());
    // A change of the name leaves it; an address in that form proves nothing.
    owner.post("/profile", "name=Sana&email=evil%40example.org&language=en");
    assert_eq!(
        service.people.email_of(person).unwrap().unwrap().address,
        "sana@example.org"
    );
    owner.get("/profile");
    assert_eq!(owner.post("/profile/email/remove", "a=b").status, 303);
    assert_eq!(service.people.email_of(person).unwrap(), None);
}

#[test]
fn a_strangers_mailbox_cannot_be_flooded_from_the_page() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    let mut sent = 0;
    for _ in 0..12 {
        owner.get("/profile");
        match owner.post("/profile/email", "email=victim%40example.org").status {
            200 => sent += 1,
            429 => {}
            status => panic!("{status}"),
        }
    }
    assert_eq!(sent, people::limits::MAILS_PER_ADDRESS);
}

#[test]
fn push_subscriptions_lead_to_public_places_only() {
    let service = Service::start();
    let mut owner = Client::signed_in(&service);
    owner.get("/profile");
    let form = owner.form_token();
    let (key, auth) = (format!("B{}", "A".repeat(86)), "A".repeat(22));
    let say = |owner: &mut Client, endpoint: &str, key: &str, auth: &str, form: &str| {
        let body = format!(r#"{{"form":"{form}","endpoint":"{endpoint}","p256dh":"{key}","auth":"{auth}"}}"#);
        let json = [("content-type", "application/json")];
        owner.send("POST", "/profile/push", &json, &body).status
    };
    for endpoint in [
        "http://push.example/x",
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://[::1]/x",
        "https://[::ffff:192.168.0.1]/x",
        "https://user@push.example/x",
        "file:///etc/passwd",
        "",
    ] {
        assert_eq!(say(&mut owner, endpoint, &key, &auth, &form), 422, "{endpoint}");
    }
    let good = "https://push.example/abc";
    assert_eq!(say(&mut owner, good, "short", &auth, &form), 400);
    assert_eq!(say(&mut owner, good, &key, "short", &form), 400);
    assert_eq!(say(&mut owner, good, &key, &auth, "forged"), 400);
    assert_eq!(say(&mut owner, good, &key, &auth, &form), 200);
    let id = service.people.push_of(person(&service, NUMBER)).unwrap()[0].id.0;
    service.subscriber(SECOND_NUMBER);
    let mut other = Client::new(&service);
    other.enter(SECOND_NUMBER);
    other.get("/profile");
    let theirs = other.post("/profile/push/remove", &format!("which={id}"));
    assert_eq!(theirs.status, 404, "somebody else's browser");
    owner.get("/profile");
    assert_eq!(
        owner.post("/profile/push/remove", &format!("which={id}")).status,
        303
    );
    let mut nobody = Client::new(&service);
    let form = nobody.form_token();
    assert_eq!(say(&mut nobody, good, &key, &auth, &form), 401);
}

#[test]
fn a_link_stops_offers_without_sign_in_and_nothing_else() {
    let service = Service::start();
    Client::signed_in(&service);
    let person = person(&service, NUMBER);
    let now = charge::Timestamp(1);
    for channel in Channel::ALL {
        let agree = (Notice::Offers, channel);
        service
            .people
            .set_consent(person, agree, true, &Place::default(), now)
            .unwrap();
    }
    let on = || {
        let consents = service.people.consents_of(person).unwrap();
        consents.iter().filter(|consent| consent.agreed).count()
    };
    let before = on();
    let path = web::stop_link::path(&[7; 32], person, Notice::Offers);
    let mut stranger = Client::new(&service);
    let asked = stranger.get(&path);
    assert_eq!((asked.status, on()), (200, before), "looking stops nothing");
    let body = "List-Unsubscribe=One-Click";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..2 {
        assert_eq!(stranger.send("POST", &path, &form, body).status, 200);
        assert_eq!(on(), before - 3);
    }
    let elsewhere = web::stop_link::path(&[8; 32], person, Notice::LowBalance);
    assert_eq!(stranger.send("POST", &elsewhere, &form, body).status, 404);
    assert_eq!(on(), before - 3);
}
