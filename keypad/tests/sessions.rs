//! Sessions: many at once, a limit, and an end by silence.

use charge::{Msisdn, Timestamp};
use keypad::Who;
use keypad::limits::{SESSION_US, SESSIONS_MAX};
use keypad::sessions::{Session, Sessions};

fn session(number: u64) -> Session {
    Session::new(
        Who::Number(Msisdn::new(number).unwrap()),
        format!("{number:032x}/0"),
        wire::ussd::PageSize::FULL,
    )
}

#[test]
fn ten_thousand_sessions_stand_side_by_side_in_little_memory() {
    let sessions = Sessions::default();
    for number in 0..10_000_u128 {
        let begun = sessions
            .begin(number, session(923_000_000_000 + number as u64), Timestamp(0))
            .unwrap();
        begun.try_lock().unwrap().steps = u32::try_from(number).unwrap();
    }
    assert_eq!(sessions.count(), 10_000);
    for number in 0..10_000_u128 {
        let found = sessions.find(number, Timestamp(1)).unwrap();
        assert_eq!(
            u128::from(found.try_lock().unwrap().steps),
            number,
            "nobody is in another's session"
        );
    }
    // What a session holds between two inputs, without its pages, of which there are at most PAGES_MAX.
    assert!(size_of::<Session>() <= 320, "{}", size_of::<Session>());
}

#[test]
fn more_than_the_limit_are_refused_and_silence_makes_room() {
    let sessions = Sessions::default();
    let limit = u128::try_from(SESSIONS_MAX).unwrap();
    for number in 0..limit {
        assert!(
            sessions
                .begin(number, session(923_000_000_000), Timestamp(0))
                .is_some()
        );
    }
    assert!(
        sessions
            .begin(limit, session(923_000_000_000), Timestamp(1))
            .is_none()
    );
    assert!(
        sessions
            .begin(0, session(923_000_000_000), Timestamp(1))
            .is_some(),
        "one that begins anew takes its own place"
    );
    assert_eq!(sessions.count(), SESSIONS_MAX);
    assert!(
        sessions.find(5, Timestamp(SESSION_US - 1)).is_some(),
        "heard of in time"
    );
    assert!(
        sessions.find(6, Timestamp(SESSION_US)).is_none(),
        "silent for too long"
    );
    assert!(sessions.find(5, Timestamp(SESSION_US)).is_some());
    assert!(sessions.find(0, Timestamp(SESSION_US)).is_some());
    assert_eq!(sessions.count(), 2);
    sessions.end(5);
    assert!(sessions.find(5, Timestamp(SESSION_US)).is_none());
    assert!(sessions.find(0, Timestamp(SESSION_US * 3)).is_none());
    assert_eq!(sessions.count(), 0);
}
