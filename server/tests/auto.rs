//! Auto-recharge with the real binary, a wallet's sandbox and a message centre: real charging makes the balance fall, and
//! there is one payment of it, also when the process is killed between the two.

mod harness;
mod leaks;
mod shop;

use charge::Money;
use charge::payment::{PaymentId, PaymentState};
use harness::{Api, PATIENCE, Place, Server, runtime};
use serde_json::json;
use shop::{Guest, Paid, Rail, WALLET, payments};
use sim::callserver::{MessageCentre, MessageCentreSettings};
use sim::rails::browser::Browser;
use sim::rails::{Direction, Misbehaviour, Outcome, Served, card};
use sim::smsc::Smsc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::diameter::ResultCode;

const NUMBER: &str = "923001234567";
const FRIEND: &str = "923007654321";
/// Wallets that say no, by the sandbox's magic numbers: declined by the bank, no money.
const DECLINES: &str = "0300 9990005";

/// A server with a rail and a message centre, and one subscriber who is signed in with Rs 86.96.
struct Scene {
    rail: Rail,
    card: Arc<card::Card>,
    _card_served: Served,
    place: Place,
    server: Option<Server>,
    key: String,
    centre: Smsc,
    runtime: tokio::runtime::Runtime,
    member: Guest,
}

impl Scene {
    fn new() -> Scene {
        let runtime = runtime();
        let address = "127.0.0.1:0".parse().unwrap();
        let centre = runtime
            .block_on(Smsc::start(address, wire::smpp::CentreConfig::default()))
            .unwrap();
        let rail = Rail::start();
        let account = card::Account::default();
        let psp = card::Card::new(account.clone());
        let served = runtime.block_on(psp.serve(0)).unwrap();
        let place = Place::new("");
        let config = format!(
            "[engine]\npartitions = 3\ncache_mib = 16\n[sms.default]\naddress = '{}'\noutbox_interval_ms = 50\n{}",
            centre.address(),
            rail.config()
                + &format!(
                    "[[payments.rail]]\nkind = 'card'\nhost = '{}'\napi_key = '{}'\nrequest_key = '{}'\nwebhook_secrets = ['{}']\n",
                    served.url, account.api_key, account.request_key, account.webhook_secrets[0]
                )
        );
        place.configure_with("", "trace", &config);
        let server = place.serve_logged(&place.path("log.txt"));
        rail.send_to(&server);
        let key = server.key.clone().unwrap();
        Api::new(&server.url, &key).done("/v1/subscribers", "", &json!({"msisdn": NUMBER}));
        let mut scene = Scene {
            member: Guest::new(&server.url),
            rail,
            card: psp,
            _card_served: served,
            place,
            server: Some(server),
            key,
            centre,
            runtime,
        };
        let mut guest = Guest::new(&scene.url());
        let Some(Paid::Status(_)) = guest.pay(WALLET, NUMBER, "100") else {
            panic!("the first recharge");
        };
        scene.until("the first recharge", |scene| scene.balance() == Money(86_956_522));
        scene.sign_in();
        scene
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().url.clone()
    }

    fn until(&mut self, what: &str, mut question: impl FnMut(&mut Scene) -> bool) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while !question(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.messages());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn balance(&self) -> Money {
        let account = Api::new(&self.url(), &self.key).see(&format!("/v1/subscribers/{NUMBER}/balance"));
        Money::parse(account["main"].as_str().unwrap()).unwrap()
    }

    fn messages(&self) -> Vec<String> {
        let messages = self.centre.inbox().messages(NUMBER);
        messages.into_iter().map(|message| message.text).collect()
    }

    fn until_message(&mut self, part: &str) {
        self.until(part, |scene| {
            scene.messages().iter().any(|text| text.contains(part))
        });
    }

    /// A code by SMS, as on a phone.
    fn sign_in(&mut self) {
        let form = self.member.form_of("/sign-in").expect("a form");
        let sent = self
            .member
            .post("/code", &[("form", &form), ("number", NUMBER)])
            .unwrap();
        assert_eq!(sent.status, 200, "{}", sent.text);
        self.until_message("is your code");
        let text = self
            .messages()
            .into_iter()
            .rev()
            .find(|text| text.contains("is your code"))
            .unwrap();
        let code: String = text
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        let fields = [("form", form.as_str()), ("number", NUMBER), ("code", &code)];
        let signed = self.member.post("/session", &fields).unwrap();
        assert_eq!(signed.status, 303, "{}", signed.text);
    }

    /// Orders a rule: Rs 100 when the balance is below `below`.
    fn order(&mut self, below: &str, per_month: &str, wallet: &str) {
        let form = self.member.form_of("/auto").expect("a form");
        let fields = [
            ("form", form.as_str()),
            ("number", NUMBER),
            ("below", below),
            ("amount", "100"),
            ("per_month", per_month),
            ("rail", WALLET),
            ("wallet", wallet),
            ("cnic", "345678"),
            ("agree", "yes"),
        ];
        let page = self.member.post("/auto", &fields).unwrap();
        assert!(
            page.location.ends_with("done=set"),
            "{} {} {}",
            page.status,
            page.location,
            page.text
        );
    }

    /// One short message over Diameter.
    fn charge(&mut self) {
        let address = self.server.as_ref().unwrap().diameter;
        let answer = self.runtime.block_on(async {
            let settings = MessageCentreSettings::new("raseed.example");
            let centre = MessageCentre::connect(address, settings).await.unwrap();
            centre.debit(NUMBER, FRIEND, 1).await.unwrap()
        });
        assert_eq!(answer.result_code(), ResultCode::SUCCESS);
    }

    fn page(&mut self) -> String {
        self.member.get("/auto").expect("the page").text
    }

    /// Payments in the rail's book, without the first recharge.
    fn taken(&self) -> usize {
        let movements = self.rail.sandbox.desk.movements();
        let payments = movements
            .iter()
            .filter(|movement| movement.direction == Direction::Payment);
        payments.count() - 1
    }

    fn crash(&mut self) {
        self.server.take().unwrap().kill();
        let server = self.place.serve_logged(&self.place.path("log.txt"));
        self.rail.send_to(&server);
        self.member.move_to(&server.url);
        self.server = Some(server);
    }

    /// What may be in no log and in no table: what the payer entrusted, and what signs.
    fn hidden(&self) -> leaks::Hidden {
        let mut hidden = leaks::Hidden::default();
        for wallet in ["03411728699", "923411728699", "0341 1728699"] {
            hidden.add("the number of a wallet", wallet);
        }
        hidden.add("digits of an identity card", "345678");
        let (wallet, card) = (&self.rail.account, card::Account::default());
        for (what, secret) in [
            ("password", &wallet.password),
            ("salt", &wallet.salt),
            ("PIN of the merchant", &wallet.mpin),
            ("key of the API", &card.api_key),
            ("key of requests", &card.request_key),
            ("secret of the webhook", &card.webhook_secrets[0]),
            ("key of the administrator", &self.key),
        ] {
            hidden.add(what, secret);
        }
        // What the bank calls a card that was left there, the first ones of this sandbox.
        for number in 1..20 {
            hidden.add("the token of a card", &format!("\"pm_{number}\""));
            hidden.add("the token of a card", &format!("payment_method=pm_{number}"));
            hidden.add("the token of a card", &format!("cus_{number}"));
        }
        hidden
    }

    /// Stops in order; the books balance, every rupee that the rail took is credited, and nothing secret was written.
    fn end(mut self) -> Vec<PaymentState> {
        let hidden = self.hidden();
        assert_eq!(self.server.take().unwrap().terminate(), 0);
        let audit = self.place.run_here(&["audit"]).json();
        assert_eq!(audit["ok"], true, "{audit}");
        hidden.are_in_none_of(&self.place.path("log.txt"), &self.place.data());
        let rows = payments(&self.place);
        for row in &rows {
            let order = row.id.to_string();
            assert!(
                self.rail.sandbox.desk.count(&order, Direction::Payment) <= 1,
                "{row:?}"
            );
            let kept = if row.state == PaymentState::Succeeded {
                10_000
            } else {
                0
            };
            assert_eq!(self.rail.sandbox.desk.net(&order), kept, "{row:?}");
        }
        rows.iter().map(|row| row.state).collect()
    }
}

/// The id of the last payment that the page names.
fn payment_on(page: &str) -> Option<PaymentId> {
    let from = page.find("/pay/")? + 5;
    PaymentId::parse(page.get(from..from + 20)?)
}

#[test]
fn real_charging_below_the_mark_is_one_payment_and_the_cap_holds() {
    let mut scene = Scene::new();
    scene.order("86", "150", "0341 1728699");
    scene.until_message("Auto-recharge of Rs 100.00 is set up");
    assert!(payment_on(&scene.page()).is_none(), "Rs 86.96 are enough");
    scene.charge();
    scene.until("the balance grows", |scene| {
        scene.balance() > Money::from_units(150)
    });
    for _ in 0..3 {
        scene.charge();
    }
    assert_eq!(scene.taken(), 1);
    let page = scene.page();
    assert!(page.contains("Low balance") && page.contains("paid"), "{page}");
    let id = payment_on(&page).unwrap();
    let seen = scene.member.get(&format!("/pay/{id}")).unwrap();
    assert_eq!(seen.status, 200);
    // Lowered below what was agreed: no; raised so that it is due at once: the month's cap of Rs 150 holds it back.
    scene.order("500", "150", "0341 1728699");
    scene.until_message("your limit of the month is reached");
    scene.charge();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scene.taken(), 1);
    assert_eq!(scene.end(), [PaymentState::Succeeded, PaymentState::Succeeded]);
}

#[test]
fn a_declined_wallet_pauses_the_rule_and_its_owner_is_told() {
    let mut scene = Scene::new();
    scene.order("86", "1000", DECLINES);
    scene.charge();
    scene.until_message("and is paused");
    let page = scene.page();
    assert!(page.contains("Paused"), "{page}");
    for _ in 0..3 {
        scene.charge();
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scene.taken(), 0);
    let states = scene.end();
    assert_eq!(
        states.len(),
        2,
        "one attempt beside the first recharge: {states:?}"
    );
}

#[test]
fn killed_between_occasion_and_payment_there_is_one() {
    let mut scene = Scene::new();
    // The wallet takes the money, and nobody hears of it; and it is slow.
    scene.rail.sandbox.desk.misbehave(Misbehaviour {
        drop_after_commit: 1,
        callback_copies: 0,
        ..Misbehaviour::default()
    });
    scene.order("86", "1000", "0341 1728699");
    scene.charge();
    // Nothing is waited for: the kill comes while the occasion, the payment or the call to the rail is under way.
    scene.crash();
    scene.crash();
    scene.until("the money comes", |scene| {
        let id = payment_on(&scene.page());
        if let Some(id) = id {
            scene.member.look(id);
        }
        scene.balance() > Money::from_units(150)
    });
    for _ in 0..3 {
        scene.charge();
    }
    scene.crash();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.taken(), 1);
    assert_eq!(scene.end(), [PaymentState::Succeeded, PaymentState::Succeeded]);
}

#[test]
fn a_budget_is_told_once_and_only_to_those_who_want_it() {
    let mut scene = Scene::new();
    let form = scene.member.form_of("/budget").expect("a form");
    let set = scene
        .member
        .post("/budget", &[("form", &form), ("target", "4")])
        .unwrap();
    assert_eq!(set.location, "/budget");
    for _ in 0..3 {
        scene.charge();
    }
    scene.until("a mark of the budget", |scene| {
        scene
            .messages()
            .iter()
            .any(|text| text.contains("target for this month"))
    });
    std::thread::sleep(Duration::from_secs(1));
    let told = |scene: &Scene| {
        scene
            .messages()
            .iter()
            .filter(|text| text.contains("target for this month"))
            .count()
    };
    let before = told(&scene);
    scene.crash();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&scene), before, "after a restart nobody hears it again");
}

/// Leaves a card on the bank's page and comes back.
fn leave_card(scene: &mut Scene, click: &str) -> String {
    let form = scene.member.form_of("/auto").expect("a form");
    let fields = [("form", form.as_str()), ("number", NUMBER), ("rail", "card")];
    let sent = scene.member.post("/auto/card", &fields).unwrap();
    let url = sent.away().expect("a way to the bank's page");
    assert!(url.contains("/c/pay/"), "{url}");
    let begun = rails::Begun::Redirect {
        url,
        said: charge::payment::Statement::AwaitingCustomer,
    };
    let browser = Browser::new(&scene.url()).unwrap();
    let back = scene
        .runtime
        .block_on(browser.visit(&begun, click))
        .expect("the way back");
    scene.member.get(&back.url).unwrap().location
}

fn order_card(scene: &mut Scene) -> String {
    let form = scene.member.form_of("/auto").expect("a form");
    let fields = [
        ("form", form.as_str()),
        ("number", NUMBER),
        ("below", "86"),
        ("amount", "100"),
        ("per_month", "1000"),
        ("rail", "card"),
        ("agree", "yes"),
    ];
    scene.member.post("/auto", &fields).unwrap().location
}

#[test]
fn a_card_left_with_the_bank_pays_once_also_when_its_answer_is_lost_and_a_decline_pauses() {
    let mut scene = Scene::new();
    assert!(
        order_card(&mut scene).ends_with("error=card"),
        "no card is there yet"
    );
    assert!(leave_card(&mut scene, "cancel").ends_with("error=card"));
    assert!(leave_card(&mut scene, "approve").ends_with("done=card"));
    assert!(scene.page().contains("4242"));
    assert!(order_card(&mut scene).ends_with("done=set"));
    // Taken, and nobody hears of it: the same request again is the same payment.
    scene.card.desk.misbehave(Misbehaviour {
        drop_after_commit: 1,
        callback_copies: 0,
        ..Misbehaviour::default()
    });
    scene.charge();
    scene.until("the money comes", |scene| {
        if let Some(id) = payment_on(&scene.page()) {
            scene.member.look(id);
        }
        scene.balance() > Money::from_units(150)
    });
    let taken = |scene: &Scene| scene.card.desk.movements().len();
    assert_eq!(taken(&scene), 1);
    scene.crash();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(taken(&scene), 1);
    // Below again: the bank says no, and that is it.
    scene.card.desk.misbehave(Misbehaviour {
        outcome: Some(Outcome::Decline),
        ..Misbehaviour::default()
    });
    let form = scene.member.form_of("/auto").expect("a form");
    let fields = [
        ("form", form.as_str()),
        ("number", NUMBER),
        ("below", "500"),
        ("amount", "100"),
        ("per_month", "1000"),
        ("rail", "card"),
        ("agree", "yes"),
    ];
    assert!(
        scene
            .member
            .post("/auto", &fields)
            .unwrap()
            .location
            .ends_with("done=set")
    );
    scene.until_message("and is paused");
    assert_eq!(taken(&scene), 1);
    assert_eq!(scene.end(), [PaymentState::Succeeded]);
}

#[test]
fn a_card_of_somebody_else_cannot_be_brought_home() {
    let mut scene = Scene::new();
    let form = scene.member.form_of("/auto").expect("a form");
    let fields = [("form", form.as_str()), ("number", NUMBER), ("rail", "card")];
    let sent = scene.member.post("/auto/card", &fields).unwrap();
    let session = sent.away().unwrap().rsplit('/').next().unwrap().to_owned();
    let forged = format!("/auto/card?number={NUMBER}&rail=card&id=00&seal=00&went=ok&session={session}");
    assert_eq!(scene.member.get(&forged).unwrap().status, 400);
}
