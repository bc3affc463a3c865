//! Staff: what it takes to come in, what ends it, four eyes, the trail.

use super::*;
use crate::db::tests::people;
use crate::staff_trail::TrailQuery;
use crate::staff_wishes::{NewWish, Undecided};
use charge::Money;
use charge::time::{HOUR, MINUTE};

const PASSWORD: &str = "correct horse battery";
const START: Timestamp = Timestamp(1_000_000 * HOUR);

fn place() -> Place {
    Place {
        device: "Firefox, Linux".to_owned(),
        address: "203.0.113.0/24".to_owned(),
    }
}

/// An account that is set up, and its authenticator's secret.
fn ready(people: &People, name: &str, role: Role) -> String {
    let secret = people
        .staff_add(&Actor::outside("cli"), name, role, START)
        .unwrap()
        .unwrap();
    let invited = people.staff_invited(&secret, START).unwrap().unwrap();
    let hash = people.hash_password(PASSWORD).unwrap();
    let code = totp::code_at(&invited.totp, START).unwrap();
    let done = people.staff_set_up(&secret, (&hash, &code), &place(), START);
    assert_eq!(done.unwrap(), Ok(true));
    assert_eq!(people.staff_invited(&secret, START).unwrap(), None, "once");
    invited.totp
}

fn enter(people: &People, name: &str, password: &str, code: &str, at: Timestamp) -> Option<Token> {
    let attempt = people.staff_try(name, 7, at).unwrap().ok()?;
    let right = people.staff_verify(&attempt, password);
    let token = Token::random();
    let done = people.staff_enter(&attempt, (right, code), (&token, &place(), 7), at);
    done.unwrap().then_some(token)
}

fn deeds(people: &People) -> Vec<String> {
    let lines = people.staff_trail(&TrailQuery::default(), 100).unwrap();
    lines.into_iter().rev().map(|line| line.deed).collect()
}

#[test]
fn password_and_code_together_and_each_code_once() {
    let people = people();
    let totp = ready(&people, "sana", Role::Support);
    let at = START.plus(MINUTE);
    let code = totp::code_at(&totp, at).unwrap();
    assert!(enter(&people, "sana", "wrong", &code, at).is_none());
    assert!(enter(&people, "sana", PASSWORD, "000000", at).is_none());
    assert!(enter(&people, "nobody", PASSWORD, &code, at).is_none());
    let token = enter(&people, "sana", PASSWORD, &code, at).expect("signed in");
    assert!(
        enter(&people, "sana", PASSWORD, &code, at).is_none(),
        "a code works once"
    );
    let session = people.staff_session(&token, &place(), at).unwrap().unwrap();
    assert_eq!(
        (session.member.name.as_str(), session.member.role),
        ("sana", Role::Support)
    );
    let idle = at.plus(limits::STAFF_SESSION_IDLE);
    assert!(people.staff_session(&token, &place(), idle).unwrap().is_none());
    let seen = deeds(&people);
    assert_eq!(
        seen.iter().filter(|deed| *deed == "sign-in-failed").count(),
        4,
        "{seen:?}"
    );
    assert_eq!(people.staff_trail_broken_at().unwrap(), None);
}

#[test]
fn guessing_is_locked_out_and_the_right_one_too_until_later() {
    let people = people();
    let totp = ready(&people, "sana", Role::Finance);
    let at = START.plus(MINUTE);
    for _ in 0..limits::WRONG_STAFF_PER_NAME {
        assert!(enter(&people, "sana", "wrong", "123456", at).is_none());
    }
    assert!(
        people.staff_try("sana", 99, at).unwrap().is_err(),
        "from everywhere"
    );
    assert!(people.staff_try("omar", 99, at).unwrap().is_ok());
    let later = at.plus(HOUR);
    let code = totp::code_at(&totp, later).unwrap();
    assert!(enter(&people, "sana", PASSWORD, &code, later).is_some());
}

#[test]
fn a_sign_in_shown_from_elsewhere_ends_for_both() {
    let people = people();
    let totp = ready(&people, "sana", Role::Support);
    let at = START.plus(MINUTE);
    let token = enter(&people, "sana", PASSWORD, &totp::code_at(&totp, at).unwrap(), at).unwrap();
    for thief in [
        Place {
            device: "Chrome, Windows".to_owned(),
            ..place()
        },
        Place {
            address: "198.51.100.0/24".to_owned(),
            ..place()
        },
    ] {
        assert!(people.staff_session(&token, &thief, at).unwrap().is_none());
    }
    assert!(
        people.staff_session(&token, &place(), at).unwrap().is_none(),
        "it is over"
    );
    assert!(deeds(&people).contains(&"session-refused".to_owned()));
}

#[test]
fn changes_end_sign_ins_and_one_admin_stays() {
    let people = people();
    let by = Actor::outside("cli");
    let totp = ready(&people, "root", Role::Admin);
    let change = |name: &str, change: Change| people.staff_change(&by, name, change, START).unwrap();
    assert_eq!(change("root", Change::Active(false)), Err(Declined::LastAdmin));
    assert_eq!(
        change("root", Change::Role(Role::Support)),
        Err(Declined::LastAdmin)
    );
    assert_eq!(change("nobody", Change::Active(false)), Err(Declined::Unknown));
    let at = START.plus(MINUTE);
    let token = enter(&people, "root", PASSWORD, &totp::code_at(&totp, at).unwrap(), at).unwrap();
    let _ = ready(&people, "second", Role::Admin);
    assert_eq!(change("root", Change::Role(Role::Finance)), Ok(None));
    assert!(people.staff_session(&token, &place(), at).unwrap().is_none());
    assert_eq!(
        people.staff_add(&by, "root", Role::Admin, START).unwrap(),
        Err(Declined::Taken)
    );
    for bad in ["", "a", "Sana", "x y", "<b>", &"n".repeat(33)] {
        let added = people.staff_add(&by, bad, Role::Admin, START).unwrap();
        assert_eq!(added, Err(Declined::BadName), "{bad}");
    }
}

#[test]
fn nobody_agrees_to_their_own_wish() {
    let people = people();
    let actor = |staff: i64, name: &str| Actor {
        staff,
        ..Actor::outside(name)
    };
    let new = NewWish {
        kind: "suspense".to_owned(),
        target: "P1".to_owned(),
        body: "return".to_owned(),
        detail: "return".to_owned(),
        amount: Money::from_units(9_000),
        currency: "PKR".to_owned(),
    };
    let id = people
        .staff_wish(&actor(1, "sana"), &new, START)
        .unwrap()
        .unwrap();
    assert_eq!(
        people.staff_wish(&actor(2, "omar"), &new, START).unwrap(),
        None,
        "one waits"
    );
    let decide = |who: &Actor, agree| people.staff_decide(who, id, agree, START).unwrap();
    assert_eq!(decide(&actor(1, "sana"), true).unwrap_err(), Undecided::Own);
    let agreed = decide(&actor(2, "omar"), true).unwrap();
    assert_eq!(
        (agreed.what.body.as_str(), agreed.decided_name.as_str()),
        ("return", "omar")
    );
    assert_eq!(
        decide(&actor(3, "zara"), true).unwrap_err(),
        Undecided::Unknown,
        "once"
    );
    assert_eq!(deeds(&people), ["wished", "own-wish", "approved"]);
    assert!(
        people
            .staff_wish(&actor(1, "sana"), &new, START)
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_changed_line_of_the_trail_is_found() {
    let people = people();
    for detail in ["a", "b", "c", "d"] {
        let by = Actor::outside("sana");
        people.staff_note(&by, Deed::Opened, "x", detail, START).unwrap();
    }
    assert_eq!(people.staff_trail_broken_at().unwrap(), None);
    let sql = |text: &'static str| people.write(|tx| Ok(tx.execute(text, [])?)).unwrap();
    sql("update staff_trail set detail = 'z' where line = 3");
    assert_eq!(people.staff_trail_broken_at().unwrap(), Some(3));
    sql("update staff_trail set detail = 'c' where line = 3");
    assert_eq!(people.staff_trail_broken_at().unwrap(), None);
    sql("delete from staff_trail where line = 2");
    assert_eq!(people.staff_trail_broken_at().unwrap(), Some(2));
}

#[test]
fn an_end_that_was_cut_off_is_found() {
    let people = people();
    let note = |detail| {
        let by = Actor::outside("sana");
        people.staff_note(&by, Deed::Opened, "x", detail, START).unwrap();
    };
    ["a", "b", "c"].into_iter().for_each(note);
    let (line, mark) = people.staff_trail_end().unwrap().unwrap();
    assert_eq!((line, mark.len()), (3, 16));
    let sql = |text: &'static str| people.write(|tx| Ok(tx.execute(text, [])?)).unwrap();
    sql("create table kept as select * from staff_trail_end");
    note("d");
    assert_eq!(people.staff_trail_broken_at().unwrap(), None);
    assert_ne!(people.staff_trail_end().unwrap(), Some((line, mark)));
    sql("delete from staff_trail where line = 4");
    assert_eq!(people.staff_trail_broken_at().unwrap(), Some(4), "the last one");
    sql("update staff_trail_end set line = 3");
    assert_eq!(
        people.staff_trail_broken_at().unwrap(),
        Some(4),
        "its number alone is not enough"
    );
    sql("delete from staff_trail_end");
    assert_eq!(
        people.staff_trail_broken_at().unwrap(),
        Some(4),
        "nor is taking the end away"
    );
    sql("delete from staff_trail");
    sql("insert into staff_trail_end select * from kept");
    assert_eq!(people.staff_trail_broken_at().unwrap(), Some(1), "all of it");
}

#[test]
fn a_trail_of_an_earlier_version_is_sealed_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let open = || crate::People::open(dir.path(), crate::Keys::new([1; 32])).unwrap();
    let people = open();
    people
        .staff_note(&Actor::outside("sana"), Deed::Opened, "x", "a", START)
        .unwrap();
    for text in [
        "drop table staff_trail_end",
        "update module set version = 1 where name = 'staff-trail'",
    ] {
        people.write(|tx| Ok(tx.execute(text, [])?)).unwrap();
    }
    drop(people);
    let people = open();
    assert_eq!(people.staff_trail_broken_at().unwrap(), None);
    people
        .write(|tx| Ok(tx.execute("delete from staff_trail", [])?))
        .unwrap();
    assert_eq!(people.staff_trail_broken_at().unwrap(), Some(1));
}
