//! Scratch cards.

use super::{ACCOUNT, at, later, receipt, rupees};
use crate::common::{OPERATOR, code};
use charge::card::{
    BatchEvent, CardChange, CardGuard, CardLock, CardNote, CardPart, CardState, CopyEvent, NewBatch, PinHash,
    RegisterEvent, Serial, ShelfEvent, TriedCard,
};
use charge::command::Message;
use charge::{EntityKey, Event, EventBody, Refusal};

const BATCH: u32 = 12;

fn lock() -> CardLock {
    CardLock {
        account: ACCOUNT,
        own: true,
        at: later(1),
        until: later(3_600),
        wrong_total: 15,
    }
}

fn part() -> CardPart {
    CardPart { start: 10, end: 20 }
}

fn change() -> CardChange {
    CardChange {
        version: 4,
        parts: vec![part()],
        state: CardState::Stolen,
    }
}

fn tried() -> TriedCard {
    TriedCard {
        account: ACCOUNT,
        place: 11,
        kind: 2,
        at: later(5),
    }
}

fn opened() -> CopyEvent {
    CopyEvent::Opened {
        face: rupees(100),
        count: 1_000,
        expires_at: later(31_536_000),
        partitions: 5,
    }
}

pub fn events() -> Vec<Event> {
    let mut all = Vec::new();
    for event in [RegisterEvent::Numbered(BATCH), RegisterEvent::Locked(lock())] {
        all.push(at(EntityKey::CardRegister, EventBody::CardRegister(event)));
    }
    for event in batch() {
        all.push(at(
            EntityKey::CardBatch(BATCH),
            EventBody::CardBatch(Box::new(event)),
        ));
    }
    for event in [opened(), CopyEvent::Changed(change())] {
        let key = EntityKey::CardCopy(BATCH, 3);
        all.push(at(key, EventBody::CardCopy(Box::new(event))));
    }
    let shelf = [
        ShelfEvent::Shelved {
            batch: BATCH,
            cards: vec![(0x1234_5678_9abc, 10), (0x1234_5678_9abd, 11)],
        },
        ShelfEvent::Taken {
            rest: 0x1234_5678_9abc,
            account: ACCOUNT,
            face: rupees(100),
        },
        ShelfEvent::Returned {
            rest: 0x1234_5678_9abc,
            face: rupees(100),
        },
        ShelfEvent::Settled {
            rest: 0x1234_5678_9abc,
            receipt: 9,
        },
    ];
    for event in shelf {
        let key = EntityKey::CardShelf(OPERATOR, 0xfeed);
        all.push(at(key, EventBody::CardShelf(Box::new(event))));
    }
    let guard = CardGuard {
        wrong: 3,
        level: 2,
        locked_until: later(3_600),
        last_at: later(6),
        wrong_total: 15,
    };
    all.push(at(
        EntityKey::CardGuard(ACCOUNT, true),
        EventBody::CardGuard(Box::new(guard)),
    ));
    all
}

fn batch() -> [BatchEvent; 9] {
    [
        BatchEvent::Opened(Box::new(NewBatch {
            operator: OPERATOR,
            face: rupees(100),
            count: 1_000,
            expires_at: later(31_536_000),
            printer: code("printer-1"),
            label: "Eid, عید".to_owned(),
            partitions: 5,
        })),
        BatchEvent::Ready,
        BatchEvent::Exported,
        BatchEvent::Changed {
            change: change(),
            dealer: code("dealer"),
            live: vec![part()],
            told: true,
            issued: rupees(1_000),
            expires: true,
        },
        BatchEvent::Confirmed { version: 4, home: 3 },
        BatchEvent::Lapsed {
            version: 4,
            unused: 9,
            value: rupees(900),
            state: CardState::Recalled,
        },
        BatchEvent::Used { place: 11 },
        BatchEvent::CameBack {
            place: 11,
            lapsed: Some(CardState::Expired),
            value: rupees(100),
        },
        BatchEvent::Tried(tried()),
    ]
}

pub fn messages() -> Vec<Message> {
    let hash = PinHash::of(0xfeed, 0x1234_5678_9abc);
    let serial = Serial {
        batch: BATCH,
        place: 11,
    };
    let credited = |outcome| Message::CardCredited {
        operator: OPERATOR,
        hash,
        face: rupees(100),
        outcome,
    };
    let mut all = vec![
        Message::CardCopy {
            batch: BATCH,
            home: 3,
            operator: OPERATOR,
            event: opened(),
        },
        Message::CardConfirmed {
            batch: BATCH,
            home: 3,
            version: 4,
        },
        credited(Ok(receipt())),
        credited(Err(Refusal::AccountNotActive)),
        Message::CardLocked(lock()),
    ];
    all.extend(
        [CardNote::Used, CardNote::CameBack, CardNote::Tried(tried())].map(|note| Message::CardNoted {
            serial,
            face: rupees(100),
            note,
        }),
    );
    all
}
