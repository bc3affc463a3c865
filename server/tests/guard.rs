//! What changed about an account is told, whatever dies: by SMS to every number, by e-mail also to the address that was taken
//! off, and after a sign-in with a browser that was never seen.

mod harness;
mod world;

use harness::{Api, Server};
use serde_json::json;
use std::time::{Duration, Instant};
use wire::smpp::{CentreConfig, Misbehaviour};
use world::{Person, World, api_of, wait_for};

const NUMBER: &str = "923001234567";
const OTHER: &str = "923001234568";
const CHANGED: &str = "the security of your account was changed: ";

fn started(world: &World) -> (Server, Api) {
    let server = world.place.serve();
    let api = api_of(&server, server.key.as_deref().unwrap());
    (server, api)
}

/// Texts to a number that say this.
fn told(world: &World, number: &str, part: &str) -> usize {
    let texts = world.texts(number);
    texts.iter().filter(|text| text.contains(part)).count()
}

fn mails_to(world: &World, address: &str, part: &str) -> usize {
    let mails = world.mail.mails();
    let says = |mail: &&sim::post::smtp::Mail| mail.to == address && mail.text().contains(part);
    mails.iter().filter(says).count()
}

/// Signs in with a code, in a browser that is nobody's yet.
fn sign_in(person: &mut Person<'_>, world: &World, number: &str) {
    person.get("/sign-in");
    let code = |text: &String| {
        let mut words = text.split(|c: char| !c.is_ascii_digit());
        words.find(|word| word.len() == 6).map(str::to_owned)
    };
    let codes = || -> Vec<String> { world.texts(number).iter().filter_map(code).collect() };
    let before = codes().len();
    assert_eq!(person.post("/code", &[("number", number)]).0, 200);
    let code = wait_for("the code", || codes().get(before).cloned());
    assert_eq!(
        person.post("/session", &[("number", number), ("code", &code)]).0,
        303
    );
    person.get("/profile");
}

#[test]
fn a_change_is_told_although_the_centre_refuses_and_the_server_dies() {
    let world = World::new(("00:00", "00:00"));
    let (server, api) = started(&world);
    let mut sana = Person::sign_up(&world, &server, &api, NUMBER);
    sana.get("/security");
    world.smsc.set_config(CentreConfig {
        misbehaviour: Misbehaviour {
            throttle_every: 1,
            ..Misbehaviour::default()
        },
        ..CentreConfig::default()
    });
    let fields = [("password", "eleven-purple-tractors")];
    assert_eq!(sana.post("/security/password", &fields).0, 303);
    // Answered, and not yet sent.
    server.kill();
    assert_eq!(told(&world, NUMBER, CHANGED), 0);
    world.smsc.set_config(CentreConfig::default());
    let server = world.place.serve();
    wait_for("the notice", || {
        (told(&world, NUMBER, "changed: Password set. Not you?") == 1).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(told(&world, NUMBER, CHANGED), 1);
    assert_eq!(server.terminate(), 0);
}

#[test]
fn killed_at_random_moments_every_change_is_told() {
    let world = World::new(("00:00", "00:00"));
    let (server, api) = started(&world);
    let mut sana = Person::sign_up(&world, &server, &api, NUMBER);
    let (mut server, mut changes, mut round) = (Some(server), 0, 0_u64);
    // On a busy machine the change itself takes its time.
    while round < 6 || (changes == 0 && round < 12) {
        round += 1;
        sana.get("/security");
        let password = format!("eleven-purple-tractors-{round}");
        let dying = server.take().unwrap();
        // A different moment each time, from before the change to after the message left.
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(round * round * 30));
            dying.kill();
        });
        let answer = sana.try_post("/security/password", &[("password", &password)]);
        killer.join().unwrap();
        changes += usize::from(answer == Some(303));
        let again = world.place.serve();
        sana.url.clone_from(&again.url);
        server = Some(again);
    }
    assert!(changes > 0, "none came through");
    wait_for("every change that was answered", || {
        (told(&world, NUMBER, CHANGED) >= changes).then_some(())
    });
    assert_eq!(server.unwrap().terminate(), 0);
}

#[test]
fn who_loses_an_address_or_a_number_is_told_there() {
    let world = World::new(("00:00", "00:00"));
    let (server, api) = started(&world);
    let mut sana = Person::sign_up(&world, &server, &api, NUMBER);
    api.done(
        "/v1/subscribers",
        OTHER,
        &json!({"operator": "jazz", "msisdn": OTHER}),
    );
    sana.prove("first@example.org");
    sana.prove("second@example.org");
    let gone = "changed: E-mail address removed";
    wait_for("the first address", || {
        (mails_to(&world, "first@example.org", gone) == 1).then_some(())
    });
    sana.get("/profile");
    assert_eq!(sana.post("/profile/email/remove", &[]).0, 303);
    wait_for("the second address", || {
        (mails_to(&world, "second@example.org", gone) == 1).then_some(())
    });
    wait_for("the number", || (told(&world, NUMBER, gone) == 1).then_some(()));

    sana.get("/profile");
    let before = world.texts(OTHER).len();
    assert_eq!(sana.post("/profile/number", &[("number", OTHER)]).0, 200);
    let text = wait_for("the code", || world.texts(OTHER).get(before).cloned());
    let code: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
    let added = sana.post("/profile/number/add", &[("number", OTHER), ("code", &code)]);
    assert_eq!(added.0, 303, "{}", added.1);
    for number in [NUMBER, OTHER] {
        wait_for("the new number", || {
            (told(&world, number, "changed: Number added") == 1).then_some(())
        });
    }
    sana.get("/profile");
    assert_eq!(sana.post("/profile/number/remove", &[("number", OTHER)]).0, 303);
    for number in [NUMBER, OTHER] {
        wait_for("the number that was removed", || {
            (told(&world, number, "changed: Number ended") == 1).then_some(())
        });
    }
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_sign_in_with_a_new_browser_is_told_and_with_a_known_one_is_not() {
    let world = World::new(("00:00", "00:00"));
    let (server, api) = started(&world);
    let mut sana = Person::sign_up(&world, &server, &api, NUMBER);
    sana.prove("sana@example.org");
    let news = "new sign-in to your account";
    sana.post("/session/end", &[]);
    sign_in(&mut sana, &world, NUMBER);
    let mut thief = Person::nobody(&world, &server);
    sign_in(&mut thief, &world, NUMBER);
    let start = Instant::now();
    wait_for("the notice by SMS", || {
        (told(&world, NUMBER, news) == 1).then_some(())
    });
    wait_for("the notice by e-mail", || {
        (mails_to(&world, "sana@example.org", news) == 1).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(20));
    // A browser that shows what was planted there is no known one.
    let mut planted = Person::nobody(&world, &server);
    planted.cookies.insert("raseed_device".to_owned(), "A".repeat(43));
    sign_in(&mut planted, &world, NUMBER);
    wait_for("the third browser", || {
        (told(&world, NUMBER, news) == 2).then_some(())
    });
    thief.post("/session/end", &[]);
    sign_in(&mut thief, &world, NUMBER);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(told(&world, NUMBER, news), 2, "known by now");
    assert_eq!(server.terminate(), 0);
}
