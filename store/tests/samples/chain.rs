//! The selling chain.

use super::{DEALER, SHOP, TOP_UP, at, dealer, later, number, rupees, shop};
use crate::common::{OPERATOR, code};
use charge::catalog::Language;
use charge::command::Message;
use charge::seller::command::StockSent;
use charge::seller::event::{Gave, Placed, Sold, Stock};
use charge::seller::{
    BonusPaid, Calendar, ChainEvent, ChainMessage, ChainSale, Device, GivenBack, Limits, MoveState, Role,
    SellerChange, Staff, StockKind, StockLot, StockMove,
};
use charge::tax::Rate;
use charge::{EntityKey, Event, EventBody, Money, Refusal};

const WHEN: Calendar = Calendar {
    day: 20_000,
    month: 24_323,
};

pub fn events() -> Vec<Event> {
    let mut all = stock();
    all.extend(sales());
    all.extend(changes().map(ChainEvent::Changed));
    let key = EntityKey::Seller(SHOP);
    let wrap = |event| at(key, EventBody::Chain(Box::new(event)));
    all.into_iter().map(wrap).collect()
}

fn placed() -> Placed {
    Placed {
        place: shop(),
        operator: OPERATOR,
        outlet: "Anarkali 5".to_owned(),
        number: Some(number()),
        language: Language::Ur,
        above_blocked: vec![DEALER],
    }
}

fn lot() -> StockLot {
    StockLot {
        base: rupees(100),
        commission: rupees(3),
        rate: Rate(30_000),
    }
}

fn stock() -> Vec<ChainEvent> {
    let stock = Stock {
        id: 55,
        other: DEALER,
        amount: rupees(500),
        commission: rupees(15),
        channel: code("dealer"),
    };
    vec![
        ChainEvent::Placed(Box::new(placed())),
        ChainEvent::ChildAdded(SHOP),
        ChainEvent::Blocked(true),
        ChainEvent::AboveBlocked { by: DEALER, on: true },
        ChainEvent::Gave(Box::new(Gave {
            amount: rupees(500),
            day: 20_000,
            back: GivenBack {
                commission: rupees(15),
                lots: 2,
                rest: Some(lot()),
            },
            float: rupees(50),
            low: true,
            low_crossed: true,
        })),
        ChainEvent::Received {
            lot: Some(lot()),
            low: true,
        },
        ChainEvent::Undone {
            amount: rupees(500),
            day: 20_000,
            lots: vec![lot()],
        },
        ChainEvent::Owed(rupees(70)),
        ChainEvent::StockSent(stock),
        ChainEvent::StockReceived(stock),
        ChainEvent::StockSettled {
            stock,
            accepted: false,
        },
        ChainEvent::CreditMoved(rupees(30)),
        ChainEvent::MoveCreated(Box::new(StockMove {
            id: 55,
            kind: StockKind::Transfer,
            from: DEALER,
            to: SHOP,
            by: Some(DEALER),
            reference: "M-55".to_owned(),
            body: 8,
            amount: rupees(500),
            back: rupees(15),
            commission: rupees(14),
            state: MoveState::Declined,
            reason: Some(7),
            created_at: later(1),
            updated_at: later(2),
            lots: vec![lot()],
        })),
        ChainEvent::MoveSettled(Ok(rupees(14))),
        ChainEvent::MoveSettled(Err(Refusal::SellerBlocked)),
    ]
}

fn sales() -> Vec<ChainEvent> {
    let bonus = BonusPaid {
        plan: code("hundred-sales"),
        period: 24_323,
        amount: rupees(50),
    };
    vec![
        ChainEvent::Sold(Box::new(Sold {
            msisdn: number(),
            gross: rupees(100),
            when: WHEN,
            staff: code("amna"),
            pin: true,
            float: rupees(40),
            low: true,
            low_crossed: true,
            forgets: 1,
        })),
        ChainEvent::SaleEnded {
            gross: rupees(100),
            when: WHEN,
            credited: true,
        },
        ChainEvent::SaleReversed {
            gross: rupees(100),
            when: WHEN,
            whole: true,
        },
        ChainEvent::BonusPaid(bonus),
        ChainEvent::BonusTaken(bonus),
        ChainEvent::OverrideSent {
            to: vec![(DEALER, Money(5_000))],
            top_up: TOP_UP,
            channel: code("shop"),
        },
        ChainEvent::OverrideReceived {
            amount: Money(5_000),
            from: SHOP,
            top_up: TOP_UP,
        },
        ChainEvent::SaleKept(Box::new(ChainSale {
            staff: code("amna"),
            device: code("till-1"),
            when: WHEN,
            overrides: vec![(DEALER, Money(5_000))],
            reversed: rupees(40),
            taken: vec![Money(2_000)],
        })),
        ChainEvent::SaleTaken {
            gross: rupees(40),
            taken: vec![Money(2_000)],
        },
    ]
}

fn changes() -> [SellerChange; 13] {
    [
        SellerChange::Outlet("Anarkali 5".to_owned()),
        SellerChange::Number(Some(number()), Language::Zh, OPERATOR),
        SellerChange::Limits(Limits {
            minimum: rupees(10),
            maximum: rupees(1_000),
            day_amount: rupees(2_000),
            day_count: 20,
            month_amount: rupees(30_000),
            month_count: 300,
            move_maximum: rupees(400),
            move_day: rupees(800),
            pin_above: rupees(500),
        }),
        SellerChange::CreditLine(rupees(70)),
        SellerChange::LowMark(rupees(50)),
        SellerChange::Bound(true),
        SellerChange::Staff(Staff {
            code: code("amna"),
            name: "Amna, آمنہ".to_owned(),
            role: Role::Manager,
            pin: "a hash".to_owned(),
            change: true,
            strikes: 2,
        }),
        SellerChange::StaffRemoved(code("amna")),
        SellerChange::Pin {
            staff: code("amna"),
            pin: "another hash".to_owned(),
            change: true,
        },
        SellerChange::PinTried(code("amna")),
        SellerChange::PinRight(code("amna")),
        SellerChange::Device(Device {
            code: code("till-1"),
            hash: [9; 32],
            bound_at: later(3),
        }),
        SellerChange::DeviceRemoved(code("till-1")),
    ]
}

pub fn messages() -> Vec<Message> {
    let sent = StockSent {
        id: 55,
        kind: StockKind::Transfer,
        from: dealer(),
        to: shop(),
        by: Some(DEALER),
        digest: 66,
        amount: rupees(500),
    };
    let messages = vec![
        ChainMessage::Place(Box::new(placed())),
        ChainMessage::Stock(Box::new(sent)),
        ChainMessage::StockAnswered {
            from: DEALER,
            digest: 66,
            result: Ok(rupees(14)),
        },
        ChainMessage::AboveBlocked {
            seller: SHOP,
            by: DEALER,
            on: true,
        },
        ChainMessage::Override {
            to: DEALER,
            amount: Money(-5_000),
            from: SHOP,
            top_up: TOP_UP,
        },
    ];
    messages.into_iter().map(Message::Chain).collect()
}
