//! Complaints: ids, states, deadlines, ownership, limits, deletion.
use super::*;
use crate::db::tests::people;
use charge::time::{DAY, HOUR};

const NOW: Timestamp = Timestamp(1_795_262_400_000_000);

fn new(owner: Owner, about: &str) -> NewComplaint {
    NewComplaint {
        owner,
        number: Msisdn::new(923_001_234_567).unwrap(),
        category: Category::NotCredited,
        about: about.to_owned(),
        body: "I paid\nand\u{202e} got nothing\u{7}".to_owned(),
    }
}

#[test]
fn ids_are_read_back_as_people_write_them() {
    let id = ComplaintId(2026 * PER_YEAR + 123);
    assert_eq!(id.to_string(), "C-2026-000123");
    for text in ["C-2026-000123", "c-2026-000123"] {
        assert_eq!(ComplaintId::parse(text), Some(id));
    }
    for wrong in [
        "",
        "C-",
        "C-2026",
        "C-2026-123",
        "X-2026-000123",
        "C-2026-00012x",
        "C-2026--00012",
        "é-2026-000123",
        "C-2026-0001234",
        "C-+026-000123",
    ] {
        assert_eq!(ComplaintId::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_complaint_goes_from_open_to_appeal_to_closed_with_deadlines_and_a_trail() {
    let people = people();
    let owner = Owner::Person(PersonId(7));
    let id = people.complain(&new(owner, "payment:1"), NOW).unwrap().unwrap();
    assert_eq!(id.to_string(), "C-2026-000001");
    let (first, said) = people.complaint(id).unwrap().unwrap();
    assert_eq!((first.state, first.due_at.0), (State::Open, NOW.0 + 3 * DAY));
    assert_eq!(said[0].body, "I paid\nand got nothing");

    let work = |answer: Option<&str>, to, at: i64| {
        people
            .work_on_complaint(id, "desk: Sana", (answer, to), NOW.plus(at))
            .unwrap()
    };
    let asked = work(Some("Which bank?"), Some(State::WaitingForYou), HOUR).unwrap();
    assert_eq!(
        asked.due_at.0,
        NOW.0 + 3 * DAY,
        "an answer does not push the deadline"
    );
    let reply = |text: &str, at: i64| people.reply_to_complaint(owner, id, text, NOW.plus(at)).unwrap();
    assert_eq!(reply(" \n ", HOUR), Err(Declined::Empty));
    assert_eq!(reply("Mine", 2 * HOUR), Ok(State::WaitingForUs));
    assert_eq!(
        people.complaint(id).unwrap().unwrap().0.due_at.0,
        NOW.0 + 2 * HOUR + 3 * DAY
    );
    assert_eq!(work(None, Some(State::Appealed), 3 * HOUR), Err(Declined::State));
    assert_eq!(work(None, None, 3 * HOUR), Err(Declined::Empty));
    work(Some("Credited now"), Some(State::Resolved), 3 * HOUR).unwrap();
    assert_eq!(reply("No", 4 * HOUR), Ok(State::Appealed));
    work(Some("It is there"), Some(State::Resolved), 5 * HOUR).unwrap();
    assert_eq!(reply("Too late", 31 * DAY), Err(Declined::State));
    people
        .settle_complaint(owner, id, NOW.plus(6 * HOUR))
        .unwrap()
        .unwrap();
    assert_eq!(reply("Again", 7 * HOUR), Err(Declined::State));
    assert_eq!(work(Some("x"), None, 7 * HOUR), Err(Declined::State));
    let deeds: Vec<String> = people
        .complaint_trail(id)
        .unwrap()
        .into_iter()
        .map(|line| format!("{} {}", line.staff, line.deed))
        .collect();
    assert_eq!(
        deeds,
        [
            "desk: Sana answered: open -> waiting-for-you",
            "desk: Sana answered: waiting-for-us -> resolved",
            "desk: Sana answered: appealed -> resolved",
        ]
    );
}

#[test]
fn owners_have_their_own_complaints_and_limits() {
    let people = people();
    let (one, two) = (Owner::Person(PersonId(7)), Owner::Payer(7));
    let id = people.complain(&new(one, "payment:1"), NOW).unwrap().unwrap();
    assert_eq!(
        people.complain(&new(one, "payment:1"), NOW).unwrap(),
        Ok(id),
        "the same"
    );
    let other = people.complain(&new(two, "payment:1"), NOW).unwrap().unwrap();
    assert_ne!(id, other);
    assert_eq!(
        people.reply_to_complaint(two, id, "mine", NOW).unwrap(),
        Err(Declined::Unknown)
    );
    assert_eq!(
        people.settle_complaint(two, id, NOW).unwrap(),
        Err(Declined::Unknown)
    );
    assert_eq!(people.complaints_of(two, 9).unwrap().len(), 1);
    for index in 2..=limits::COMPLAINTS_PER_DAY {
        let about = format!("payment:{index}");
        assert!(people.complain(&new(one, &about), NOW).unwrap().is_ok());
    }
    assert_eq!(
        people.complain(&new(one, "payment:99"), NOW).unwrap(),
        Err(Declined::TooMany)
    );
    let tomorrow = NOW.plus(DAY);
    assert!(
        people
            .complain(&new(one, "payment:99"), tomorrow)
            .unwrap()
            .is_ok()
    );
    for _ in 1..limits::COMPLAINT_MESSAGES_MAX {
        assert!(people.reply_to_complaint(one, id, "and", NOW).unwrap().is_ok());
    }
    assert_eq!(
        people.reply_to_complaint(one, id, "and", NOW).unwrap(),
        Err(Declined::TooMany)
    );
    let long = NewComplaint {
        body: "x".repeat(9_000),
        ..new(two, "")
    };
    let long = people.complain(&long, NOW).unwrap().unwrap();
    let (_, said) = people.complaint(long).unwrap().unwrap();
    assert_eq!(said[0].body.len(), limits::COMPLAINT_CHARACTERS_MAX);
}

#[test]
fn a_deleted_person_leaves_nothing_but_what_staff_did() {
    let people = people();
    let owner = Owner::Person(PersonId(7));
    let id = people.complain(&new(owner, ""), NOW).unwrap().unwrap();
    people
        .work_on_complaint(id, "desk", (Some("hello"), None), NOW)
        .unwrap()
        .unwrap();
    people.delete_now(PersonId(7), NOW).unwrap();
    assert_eq!(people.complaint(id).unwrap(), None);
    assert_eq!(people.complaint_trail(id).unwrap().len(), 1);
    let next = people.complain(&new(owner, ""), NOW).unwrap().unwrap();
    assert_ne!(next, id, "its trail is not another's");
    let guest = people.complain(&new(Owner::Payer(1), ""), NOW).unwrap().unwrap();
    people
        .settle_complaint(Owner::Payer(1), guest, NOW)
        .unwrap()
        .unwrap();
    people.sweep(NOW.plus(limits::GUEST_COMPLAINTS_LIFE)).unwrap();
    assert_eq!(people.complaint(guest).unwrap(), None);
    assert!(people.complaint(next).unwrap().is_some());
}

#[test]
fn staff_sees_what_is_due_first() {
    let people = people();
    let late = people
        .complain(&new(Owner::Payer(1), ""), NOW.plus(HOUR))
        .unwrap()
        .unwrap();
    let early = people.complain(&new(Owner::Payer(2), ""), NOW).unwrap().unwrap();
    let ids = |state| -> Vec<ComplaintId> {
        let list = people.complaints_for_staff(state, 10).unwrap();
        list.iter().map(|complaint| complaint.id).collect()
    };
    assert_eq!(ids(None), [early, late]);
    people
        .work_on_complaint(early, "desk", (None, Some(State::Closed)), NOW)
        .unwrap()
        .unwrap();
    assert_eq!((ids(None), ids(Some(State::Closed))), (vec![late], vec![early]));
}
