//! The selling chain: `chain.txt`, one line a rule. The world checks sums, floors, codecs and words after every event.

use super::world::{ACCOUNT, OPERATOR, World, code};
use charge::command::{Message, OpenPartner, TopUpRequest};
use charge::decide::{chain_reversed, decide};
use charge::ids::digest128;
use charge::ledger::LedgerAccount;
use charge::partner::TopUp;
use charge::seller::{
    Again, ChainCommand, ChainEvent, MoveState, MoveStock, OpenSeller, Role, Seller, SellerChange, SoldBy,
    Staff,
};
use charge::time::{SECOND, Timestamp, civil_from_days};
use charge::{
    AccountId, Code, Command, Entity, EntityKey, Event, EventBody, Money, Msisdn, PartnerId, Refusal,
    SourceId, Unit,
};
use std::collections::BTreeMap;

const RULES: &str = include_str!("chain.txt");

#[test]
fn chain() {
    let mut play = Play::new();
    for (number, line) in RULES.lines().enumerate() {
        let said = line.split('#').next().unwrap_or("").trim();
        if said.is_empty() {
            continue;
        }
        if said == "new" {
            play.close();
            play = Play::new();
            continue;
        }
        if let Err(wrong) = play.line(said) {
            panic!("chain.txt:{}: `{said}`: {wrong}", number + 1);
        }
    }
    play.close();
}

/// A world with sellers.
struct Play {
    world: World,
    steps: u64,
    /// The last sale of each seller.
    last: BTreeMap<PartnerId, TopUpRequest>,
    /// Messages of sales that were begun: the credit is on its way.
    on_the_way: Vec<Message>,
}

/// Words of a line by their names: `sell 5 100 to 92300... again`.
struct Line<'a> {
    words: Vec<&'a str>,
    expected: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Line<'a> {
        let (said, expected) = match text.split_once("->") {
            Some((said, expected)) => (said, Some(expected.trim())),
            None => (text, None),
        };
        Line {
            words: said.split_whitespace().collect(),
            expected,
        }
    }

    fn after(&self, name: &str) -> Option<&'a str> {
        let at = self.words.iter().position(|word| *word == name)?;
        self.words.get(at + 1).copied()
    }

    fn has(&self, name: &str) -> bool {
        self.words.contains(&name)
    }

    fn seller(&self, index: usize) -> PartnerId {
        PartnerId(self.words[index].parse().expect("a seller's number"))
    }

    fn by(&self) -> Option<PartnerId> {
        self.after("by")
            .map(|id| PartnerId(id.parse().expect("a seller's number")))
    }
}

fn money(text: &str) -> Money {
    Money::parse(text).expect("an amount")
}

/// A moment in UTC: `2026-11-30 18:59:59`.
fn moment(date: &str, time: &str) -> Timestamp {
    let of = |text: &str, mark: char| -> Vec<i64> {
        let parts = text.split(mark).map(|part| part.parse().expect("a number"));
        parts.collect()
    };
    let (date, time) = (of(date, '-'), of(time, ':'));
    let days = (20_000..30_000).find(|days| {
        let (year, month, day) = civil_from_days(*days);
        [i64::from(year), i64::from(month), i64::from(day)] == date[..]
    });
    Timestamp::from_seconds(days.expect("a day") * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2])
}

fn refusal(result: Result<(), Refusal>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(refusal) => format!("{refusal:?}"),
    }
}

impl Play {
    fn new() -> Play {
        let mut world = World::new();
        world.seal();
        Play {
            world,
            steps: 0,
            last: BTreeMap::new(),
            on_the_way: Vec::new(),
        }
    }

    /// Replay gives the same, and what sellers owe is what the ledger says.
    fn close(&self) {
        self.world.check_replay();
        let mut floats = BTreeMap::new();
        for entity in self.world.entities.0.values() {
            if let Entity::Partner(partner) = entity {
                floats.insert(partner.id, partner.float);
                assert!(
                    partner.float.0 >= 0 && partner.in_transit == Money::ZERO,
                    "{partner:?}"
                );
                assert_eq!(
                    self.book(LedgerAccount::Float(partner.id)),
                    i128::from(partner.float.0)
                );
            }
            if let Entity::Seller(seller) = entity {
                let owed = self.book(LedgerAccount::Owed(seller.place.id));
                assert_eq!(owed, -i128::from(seller.owed.0));
            }
        }
        assert_eq!(self.book(LedgerAccount::InTransit), 0);
    }

    fn book(&self, account: LedgerAccount) -> i128 {
        self.world
            .books
            .get(&(account, Unit::Money))
            .copied()
            .unwrap_or(0)
    }

    fn run(&mut self, command: ChainCommand) -> Result<(), Refusal> {
        self.world.run(&Command::Chain(command)).0.map(|_| ())
    }

    fn seller(&self, id: PartnerId) -> &Seller {
        let entity = self.world.entities.0.get(&EntityKey::Seller(id));
        entity.and_then(Entity::seller).expect("a seller")
    }

    fn change(&mut self, line: &Line<'_>, change: SellerChange) -> Result<(), Refusal> {
        let (seller, by) = (line.seller(1), line.by());
        self.run(ChainCommand::Change { seller, change, by })
    }

    fn line(&mut self, text: &str) -> Result<(), String> {
        self.steps += 1;
        let line = Line::of(text);
        if let Some((_, wanted)) = text.split_once(" = ") {
            let found = self.state(&line);
            let same = found == wanted || Money::parse(&found).is_ok_and(|found| found == money(wanted));
            return if same {
                Ok(())
            } else {
                Err(format!("it is {found}"))
            };
        }
        let found = match line.words[0] {
            "wait" => {
                self.world.now = self
                    .world
                    .now
                    .plus(line.words[1].parse::<i64>().unwrap() * SECOND);
                "ok".to_owned()
            }
            "at" => {
                self.world.now = moment(line.words[1], line.words[2]);
                "ok".to_owned()
            }
            "move" => self.stock(&line),
            "begin" => self.begin(&line),
            "land" => {
                for message in std::mem::take(&mut self.on_the_way) {
                    self.world.run(&Command::Deliver(message)).0.unwrap();
                }
                "ok".to_owned()
            }
            "sell" => self.sales(&line),
            _ => refusal(self.simple(&line)),
        };
        let expected = line.expected.unwrap_or("ok");
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found} and not {expected}"))
        }
    }

    fn state(&self, line: &Line<'_>) -> String {
        if line.words[0] == "commission" {
            let of = |(account, amount): (&(LedgerAccount, Unit), &i128)| match account.0 {
                LedgerAccount::Commission(_) => *amount,
                _ => 0,
            };
            let sum: i128 = self.world.books.iter().map(of).sum();
            return Money(i64::try_from(sum).unwrap()).exact();
        }
        let id = line.seller(1);
        match line.words[0] {
            "float" => self.world.entities.0[&EntityKey::Partner(id)]
                .partner()
                .unwrap()
                .float
                .exact(),
            "owed" => self.seller(id).owed.exact(),
            "low" => if self.seller(id).low { "yes" } else { "no" }.to_owned(),
            "told" => {
                let told = |event: &&Event| match &event.body {
                    EventBody::Chain(happened) if event.key == EntityKey::Seller(id) => match &**happened {
                        ChainEvent::Sold(sold) => sold.low_crossed,
                        ChainEvent::Gave(gave) => gave.low_crossed,
                        _ => false,
                    },
                    _ => false,
                };
                self.world.journal.iter().filter(told).count().to_string()
            }
            other => panic!("what is {other}?"),
        }
    }

    fn simple(&mut self, line: &Line<'_>) -> Result<(), Refusal> {
        let word = |index: usize| line.words.get(index).copied().unwrap_or("");
        match line.words[0] {
            "seller" => {
                let id = line.seller(1);
                let open = OpenPartner::named(id, word(1), code(&format!("shop-{}", id.0)));
                // It may be there already: then only its place is asked.
                let _ = self.world.run(&Command::OpenPartner(Box::new(open)));
                let parent = line.after("under").map(|id| PartnerId(id.parse().unwrap()));
                self.run(ChainCommand::Open(Box::new(OpenSeller {
                    partner: id,
                    grade: code(word(2)),
                    parent,
                    by: line.by(),
                    operator: OPERATOR,
                    outlet: String::new(),
                    number: None,
                    language: Default::default(),
                })))
            }
            "fund" => {
                let fund = Command::FundFloat {
                    partner: line.seller(1),
                    amount: money(word(2)),
                    source: SourceId(u128::from(self.steps)),
                    reference: "bank".to_owned(),
                };
                self.world.run(&fund).0.map(|_| ())
            }
            "block" | "open" => self.run(ChainCommand::Block {
                seller: line.seller(1),
                on: line.words[0] == "block",
                by: line.by(),
            }),
            "limit" => {
                let mut limits = self.seller(line.seller(1)).limits;
                let (amount, count) = (money(word(3)), word(3).parse().unwrap_or(0));
                match word(2) {
                    "minimum" => limits.minimum = amount,
                    "maximum" => limits.maximum = amount,
                    "day_amount" => limits.day_amount = amount,
                    "day_count" => limits.day_count = count,
                    "month_amount" => limits.month_amount = amount,
                    "month_count" => limits.month_count = count,
                    "move_maximum" => limits.move_maximum = amount,
                    "move_day" => limits.move_day = amount,
                    "pin_above" => limits.pin_above = amount,
                    other => panic!("what is {other}?"),
                }
                self.change(line, SellerChange::Limits(limits))
            }
            "line" => self.change(line, SellerChange::CreditLine(money(word(2)))),
            "mark" => self.change(line, SellerChange::LowMark(money(word(2)))),
            "staff" => {
                let staff = Staff {
                    code: code(word(2)),
                    name: word(2).to_owned(),
                    role: Role::Cashier,
                    pin: String::new(),
                    change: false,
                    strikes: 0,
                };
                self.change(line, SellerChange::Staff(staff))
            }
            "pin" => {
                let (staff, change) = (code(word(2)), line.has("change"));
                let pin = "$argon2id$...".to_owned();
                self.change(line, SellerChange::Pin { staff, pin, change })
            }
            "try" => self.change(line, SellerChange::PinTried(code(word(2)))),
            "right" => self.change(line, SellerChange::PinRight(code(word(2)))),
            "reverse" => {
                self.reverse(line.seller(1), money(word(2)));
                Ok(())
            }
            other => panic!("what is {other}?"),
        }
    }

    fn stock(&mut self, line: &Line<'_>) -> String {
        let (from, to) = (line.seller(1), line.seller(2));
        let asked = MoveStock {
            id: u128::from(self.steps),
            from,
            to: self.seller(to).place.clone(),
            by: line.by(),
            reference: format!("move {}", self.steps),
            amount: money(line.words[3]),
        };
        let key = asked.key();
        let command = ChainCommand::Move(Box::new(asked.clone()));
        if let Err(refused) = self.run(command.clone()) {
            return format!("{refused:?}");
        }
        // Again: the same, and nothing moves. With another amount: a conflict.
        let before = self.world.bytes();
        self.run(command).expect("a repetition is answered the same");
        let other = MoveStock {
            amount: asked.amount + Money(1),
            ..asked
        };
        let conflict = self.run(ChainCommand::Move(Box::new(other)));
        assert_eq!(conflict, Err(Refusal::Conflict));
        assert_eq!(before, self.world.bytes());
        let known = self.world.entities.0[&key].stock_move().unwrap();
        match known.state {
            MoveState::Completed => known.kind.name().to_owned(),
            MoveState::Submitted => "on its way".to_owned(),
            MoveState::Declined => {
                let reason = known.reason.and_then(Refusal::from_code).expect("a reason");
                format!("declined {reason:?}")
            }
        }
    }

    fn sales(&mut self, line: &Line<'_>) -> String {
        let times = line.after("times").map_or(1, |times| times.parse().unwrap());
        let mut said = String::new();
        for time in 0..times {
            said = self.sell(line, time);
        }
        said
    }

    /// A sale whose credit stays on its way until `land`.
    fn begin(&mut self, line: &Line<'_>) -> String {
        let command = Command::TopUp(Box::new(self.request(line, 0)));
        let (entities, catalogs) = (&self.world.entities, self.world.catalogs());
        match decide(entities, &catalogs, &command, self.world.now) {
            Ok(decision) => {
                decision.events.iter().for_each(|event| self.world.take(event));
                self.on_the_way.extend(decision.messages);
                "ok".to_owned()
            }
            Err(refused) => format!("{refused:?}"),
        }
    }

    fn request(&self, line: &Line<'_>, time: u32) -> TopUpRequest {
        let external = format!("sale {} {time}", self.steps);
        let number = line.after("to").unwrap_or("923001234567");
        let known = number == "923001234567";
        TopUpRequest {
            id: digest128("test", &[external.as_bytes()]),
            partner: line.seller(1),
            idempotency_key: digest128("key", &[external.as_bytes()]),
            external_id: external,
            msisdn: Msisdn::parse(number).unwrap(),
            account: if known { ACCOUNT } else { AccountId(99) },
            operator: OPERATOR,
            gross: money(line.words[2]),
            campaign: Code::EMPTY,
            class: Default::default(),
            callback_url: String::new(),
            test: false,
            connector: Code::EMPTY,
            by: SoldBy {
                staff: line.after("staff").map_or(Code::EMPTY, code),
                pin: line.has("pin"),
                device: Code::EMPTY,
                again: match line.after("nth") {
                    Some(count) => Again::Nth(count.parse().expect("a counter")),
                    None => Again::of(line.has("again") || time > 0),
                },
                bundle: line.after("bundle").map_or(Code::EMPTY, code),
            },
        }
    }

    fn sell(&mut self, line: &Line<'_>, time: u32) -> String {
        let request = self.request(line, time);
        let command = Command::TopUp(Box::new(request.clone()));
        if let Err(refused) = self.world.run(&command).0 {
            return format!("{refused:?}");
        }
        let before = self.world.bytes();
        self.world
            .run(&command)
            .0
            .expect("a repetition is answered the same");
        assert_eq!(before, self.world.bytes());
        let state = self.top_up(&request).state;
        match state.name() {
            "COMPLETED" => {
                self.last.insert(request.partner, request);
                "ok".to_owned()
            }
            other => other.to_lowercase(),
        }
    }

    fn top_up(&self, request: &TopUpRequest) -> &TopUp {
        self.world.entities.0[&request.key()].top_up().unwrap()
    }

    /// What the chain does when a reversal has given the float the amount back and taken the sale's own commission.
    fn reverse(&mut self, seller: PartnerId, gross: Money) {
        let request = self.last[&seller].clone();
        let top_up = self.top_up(&request).clone();
        let event = |body| Event {
            key: EntityKey::Partner(seller),
            operator: OPERATOR,
            at: self.world.now,
            body,
        };
        let back = event(EventBody::FloatFunded {
            amount: gross,
            source: SourceId(u128::from(self.steps)),
            reference: "reversal".to_owned(),
        });
        let own = top_up
            .details
            .commission
            .mul_div(gross.0, top_up.gross.0, charge::money::Rounding::Up);
        let taken = event(EventBody::CommissionPaid {
            amount: -own,
            top_up: top_up.id,
            channel: code(&format!("shop-{}", seller.0)),
        });
        self.world.take(&back);
        self.world.take(&taken);
        let float = self.world.entities.0[&EntityKey::Partner(seller)]
            .partner()
            .unwrap()
            .float;
        let (events, messages) = chain_reversed(
            &self.world.entities,
            &self.world.catalogs(),
            (&top_up, request.external_digest()),
            (gross, float),
            self.world.now,
        );
        events.iter().for_each(|event| self.world.take(event));
        for message in messages {
            self.world.run(&Command::Deliver(message)).0.unwrap();
        }
    }
}
