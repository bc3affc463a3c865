//! Payments through the real binary and a sandbox that misbehaves: wherever a message is lost, there is one credit or one
//! refund, and the rail's book says the same as ours.

mod harness;
mod shop;

use charge::Money;
use charge::payment::{PaymentId, PaymentState};
use harness::{Api, PATIENCE, Place, Server};
use rails::HttpRequest;
use serde_json::json;
use shop::{Guest, HOSTED, Paid, Rail, WALLET, payments};
use sim::rails::{Direction, Misbehaviour, Outcome};
use std::sync::Barrier;
use std::time::{Duration, Instant};

const NUMBER: &str = "923001234567";
/// What Rs 100 buy, less advance income tax.
const CREDITED: Money = Money(86_956_522);

/// A server, its rail, and one subscriber.
struct Scene {
    rail: Rail,
    place: Place,
    server: Option<Server>,
    key: String,
}

impl Scene {
    fn new() -> Scene {
        let rail = Rail::start();
        let place = Place::new(&format!(
            "[engine]\npartitions = 3\ncache_mib = 16\n{}",
            rail.config()
        ));
        let server = place.serve();
        rail.send_to(&server);
        let key = server.key.clone().unwrap();
        Api::new(&server.url, &key).done("/v1/subscribers", "", &json!({"msisdn": NUMBER}));
        Scene {
            rail,
            place,
            server: Some(server),
            key,
        }
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().url.clone()
    }

    fn misbehave(&self, wrong: Misbehaviour) {
        self.rail.sandbox.desk.misbehave(wrong);
    }

    fn balance(&self) -> Money {
        let api = Api::new(&self.url(), &self.key);
        let account = api.see(&format!("/v1/subscribers/{NUMBER}/balance"));
        Money::parse(account["main"].as_str().unwrap()).unwrap()
    }

    /// Kills the server and starts it again; the rail is told of the new address.
    fn crash(&mut self) {
        self.server.take().unwrap().kill();
        let server = self.place.serve();
        self.rail.send_to(&server);
        self.server = Some(server);
    }

    /// Looks at the payment, as its page does, until the balance is this.
    fn until_balance(&self, id: PaymentId, wanted: Money) {
        let mut guest = Guest::new(&self.url());
        let deadline = Instant::now() + PATIENCE;
        while self.balance() != wanted {
            guest.look(id).expect("an answer");
            assert!(
                Instant::now() < deadline,
                "{id}: the balance is {}",
                self.balance()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Until the rail's book has so many movements of a payment.
    fn until_booked(&self, id: PaymentId, direction: Direction) {
        let mut guest = Guest::new(&self.url());
        let deadline = Instant::now() + PATIENCE;
        while self.rail.sandbox.desk.count(&id.to_string(), direction) == 0 {
            guest.look(id).expect("an answer");
            assert!(Instant::now() < deadline, "{id}: no {direction:?} in the book");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Until nothing is open any more.
    fn until_decided(&self) {
        let mut guest = Guest::new(&self.url());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = guest.get("/metrics").expect("an answer").text;
            if gauge(&metrics, "payments_open") == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "payments stay open");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops the server in order; the books balance, and the rail's book agrees with ours payment by payment.
    fn end(mut self) -> Vec<store::reads::PaymentRow> {
        assert_eq!(self.server.take().unwrap().terminate(), 0);
        let audit = self.place.run_here(&["audit"]).json();
        assert_eq!(audit["ok"], true, "{audit}");
        let rows = payments(&self.place);
        let desk = &self.rail.sandbox.desk;
        for row in &rows {
            let kept = match row.state {
                PaymentState::Succeeded => row.price.amount,
                _ => Money::ZERO,
            };
            let order = row.id.to_string();
            assert_eq!(desk.net(&order), kept.0 / 10_000, "{row:?}");
            assert!(desk.count(&order, Direction::Payment) <= 1, "{row:?}");
            assert!(desk.count(&order, Direction::Refund) <= 1, "{row:?}");
        }
        for movement in desk.movements() {
            assert!(
                rows.iter().any(|row| row.id.to_string() == movement.order),
                "money without a payment: {movement:?}"
            );
        }
        rows
    }
}

fn gauge(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| {
        !line.starts_with('#') && line.split([' ', '{']).next().is_some_and(|n| n.ends_with(name))
    });
    let value = line.and_then(|line| line.rsplit(' ').next());
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{name} in {metrics}"))
}

fn status(paid: Option<Paid>) -> PaymentId {
    match paid {
        Some(Paid::Status(id)) => id,
        Some(Paid::Away(id, _)) => panic!("{id} was sent away"),
        Some(Paid::Refused(status, page)) => panic!("{status}: {page}"),
        None => panic!("no answer"),
    }
}

/// A return without its signature.
fn unsigned(back: &HttpRequest) -> HttpRequest {
    let mut back = back.clone();
    let text = String::from_utf8(back.body).unwrap();
    let fields: Vec<&str> = text
        .split('&')
        .filter(|field| !field.starts_with("pp_SecureHash="))
        .collect();
    back.body = fields.join("&").into_bytes();
    back
}

#[test]
fn a_payment_whose_request_is_lost_takes_nothing_and_credits_nothing() {
    let scene = Scene::new();
    scene.misbehave(Misbehaviour {
        drop_before_commit: 1,
        ..Misbehaviour::default()
    });
    let mut guest = Guest::new(&scene.url());
    let lost = status(guest.pay(WALLET, NUMBER, "100"));
    assert_eq!(scene.rail.sandbox.desk.movements(), []);
    assert_eq!(scene.balance(), Money::ZERO);
    // The payer tries again: that is another payment.
    let id = status(guest.pay(WALLET, NUMBER, "100"));
    scene.until_balance(id, CREDITED);
    let rows = scene.end();
    let lost = rows.iter().find(|row| row.id == lost).unwrap();
    assert!(
        lost.paid_at.is_none() && lost.gross_paid == Money::ZERO,
        "{lost:?}"
    );
    assert!(
        lost.state.is_open() || lost.state == PaymentState::Failed,
        "{lost:?}"
    );
}

#[test]
fn a_payment_whose_answer_is_lost_is_credited_once() {
    let scene = Scene::new();
    scene.misbehave(Misbehaviour {
        drop_after_commit: 1,
        callback_copies: 0,
        ..Misbehaviour::default()
    });
    let mut guest = Guest::new(&scene.url());
    let id = status(guest.pay(WALLET, NUMBER, "100"));
    assert_eq!(
        scene.rail.sandbox.desk.count(&id.to_string(), Direction::Payment),
        1
    );
    assert_eq!(
        scene.balance(),
        Money::ZERO,
        "nothing is believed that nobody said"
    );
    scene.until_balance(id, CREDITED);
    scene.until_decided();
    let rows = scene.end();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].state, PaymentState::Succeeded);
}

#[test]
fn a_payment_whose_commit_nobody_heard_of_is_credited_once() {
    let mut scene = Scene::new();
    scene.misbehave(Misbehaviour {
        callback_copies: 3,
        ..Misbehaviour::default()
    });
    let mut guest = Guest::new(&scene.url());
    let Some(Paid::Away(id, away)) = guest.pay(HOSTED, NUMBER, "100") else {
        panic!("not sent to the rail's page");
    };
    let back = scene.rail.visit(&away, "approve").expect("the way back");
    scene.until_balance(id, CREDITED);
    for _ in 0..2 {
        // Committed, and then nobody can say so: the rail and the browser come again.
        scene.crash();
        let mut guest = Guest::new(&scene.url());
        for message in scene.rail.sandbox.desk.callbacks() {
            assert_eq!(guest.bring(HOSTED, &message).unwrap().status, 200);
        }
        let page = guest.come_back(&back).expect("an answer");
        assert_eq!(page.location, format!("/pay/{id}"));
        assert_eq!(scene.balance(), CREDITED);
    }
    let rows = scene.end();
    assert_eq!((rows.len(), rows[0].state), (1, PaymentState::Succeeded));
}

/// Paid, and undone while the rail behaves like this.
fn undone(wrong: Misbehaviour, crash: bool) {
    let mut scene = Scene::new();
    let mut guest = Guest::new(&scene.url());
    let id = status(guest.pay(WALLET, NUMBER, "100"));
    scene.until_balance(id, CREDITED);
    scene.misbehave(wrong);
    let page = guest.act(id, "undo").expect("an answer");
    assert_eq!(page.status, 303, "{}", page.text);
    scene.until_balance(id, Money::ZERO);
    scene.until_booked(id, Direction::Refund);
    if crash {
        scene.crash();
        for message in scene.rail.sandbox.desk.callbacks() {
            Guest::new(&scene.url()).bring(HOSTED, &message);
        }
        let again = guest.act(id, "undo");
        assert!(again.is_none_or(|page| page.status != 303), "undone twice");
    }
    scene.until_decided();
    assert_eq!(scene.balance(), Money::ZERO);
    let rows = scene.end();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].state, PaymentState::Refunded);
    assert!(!rows[0].refund.as_ref().unwrap().reference.is_empty(), "{rows:?}");
}

#[test]
fn a_refund_whose_request_is_lost_is_given_once() {
    undone(
        Misbehaviour {
            drop_before_commit: 1,
            ..Misbehaviour::default()
        },
        false,
    );
}

#[test]
fn a_refund_whose_answer_is_lost_is_given_once() {
    // This rail would give it again.
    undone(
        Misbehaviour {
            drop_after_commit: 1,
            repeat_refunds: true,
            ..Misbehaviour::default()
        },
        false,
    );
}

#[test]
fn a_refund_whose_commit_nobody_heard_of_is_given_once() {
    undone(
        Misbehaviour {
            repeat_refunds: true,
            ..Misbehaviour::default()
        },
        true,
    );
}

#[test]
fn a_refund_that_many_ask_about_at_once_is_given_once() {
    let scene = Scene::new();
    let mut guest = Guest::new(&scene.url());
    let Some(Paid::Away(id, away)) = guest.pay(HOSTED, NUMBER, "100") else {
        panic!("not sent to the rail's page");
    };
    // A return without a good signature proves nothing, so the rail is asked, again and again while it is slow.
    let back = unsigned(&scene.rail.visit(&away, "approve").expect("the way back"));
    scene.until_balance(id, CREDITED);
    scene.misbehave(Misbehaviour {
        delay_ms: 100,
        late_ms: 300,
        repeat_refunds: true,
        ..Misbehaviour::default()
    });
    assert_eq!(guest.act(id, "undo").expect("an answer").status, 303);
    std::thread::scope(|threads| {
        for _ in 0..16 {
            let (url, back) = (scene.url(), &back);
            threads.spawn(move || {
                let page = Guest::new(&url).come_back(back).expect("an answer");
                assert_eq!(page.location, format!("/pay/{id}"));
            });
        }
    });
    scene.until_decided();
    let rows = scene.end();
    assert_eq!((rows.len(), rows[0].state), (1, PaymentState::Refunded));
}

#[test]
fn a_tampered_message_changes_nothing_and_64_at_once_credit_once() {
    let scene = Scene::new();
    let desk = &scene.rail.sandbox.desk;
    // The rail's messages are held back, and questions are answered with "pending": nothing is known but by this test.
    scene.misbehave(Misbehaviour {
        reorder: true,
        slow_inquiries: 1_000,
        ..Misbehaviour::default()
    });
    let mut guest = Guest::new(&scene.url());
    let Some(Paid::Away(id, away)) = guest.pay(HOSTED, NUMBER, "100") else {
        panic!("not sent to the rail's page");
    };
    let back = scene.rail.visit(&away, "approve").expect("the way back");
    let message = desk.callbacks().into_iter().next().expect("a message");
    let mut believed = 0;
    for place in (0..message.body.len()).step_by(7) {
        let mut tampered = message.clone();
        tampered.body[place] ^= 1;
        let page = guest.bring(HOSTED, &tampered).expect("an answer");
        believed += u32::from(page.status == 200);
        let mut tampered = back.clone();
        if let Some(byte) = tampered.body.get_mut(place) {
            *byte ^= 1;
            guest.come_back(&tampered).expect("an answer");
        }
    }
    // A byte outside of what is signed may change (a name that begins differently is no field), but never the outcome.
    assert_eq!(
        scene.balance(),
        Money::ZERO,
        "{believed} tampered messages answered with 200"
    );
    let before = gauge(&guest.get("/metrics").unwrap().text, "outbox_pending");

    scene.misbehave(Misbehaviour {
        reorder: true,
        ..Misbehaviour::default()
    });
    let barrier = Barrier::new(64);
    let unsigned = unsigned(&back);
    std::thread::scope(|threads| {
        for index in 0..64 {
            let (barrier, url) = (&barrier, scene.url());
            let (message, back, unsigned) = (&message, &back, &unsigned);
            threads.spawn(move || {
                let mut guest = Guest::new(&url);
                barrier.wait();
                let page = match index % 4 {
                    0 => guest.bring(HOSTED, message),
                    1 => guest.come_back(back),
                    // Proves nothing, so the rail is asked.
                    2 => guest.come_back(unsigned),
                    _ => guest.look(id),
                };
                assert!(page.expect("an answer").status < 400);
            });
        }
    });
    scene.until_balance(id, CREDITED);
    scene.until_decided();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = guest.get("/metrics").unwrap().text;
        let told = gauge(&metrics, "outbox_pending") - before;
        if told == 1 && gauge(&metrics, "outbox_lag_batches") == 0 {
            break;
        }
        assert!(
            told < 2 && Instant::now() < deadline,
            "{told} messages for one credit"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let rows = scene.end();
    assert_eq!((rows.len(), rows[0].state), (1, PaymentState::Succeeded));
}

#[test]
fn an_outcome_that_the_rail_hides_is_found_out() {
    let scene = Scene::new();
    scene.misbehave(Misbehaviour {
        outcome: Some(Outcome::Hidden),
        callback_copies: 0,
        slow_inquiries: 1,
        ..Misbehaviour::default()
    });
    let id = status(Guest::new(&scene.url()).pay(WALLET, NUMBER, "100"));
    scene.until_balance(id, CREDITED);
    let rows = scene.end();
    assert_eq!((rows.len(), rows[0].state), (1, PaymentState::Succeeded));
}
