//! PayPal: the client against the sandbox, over real sockets.

use charge::catalog::Language;
use charge::payment::{Currency, FailureClass, PaymentId, Price, Statement};
use charge::time::{HOUR, MINUTE, SECOND};
use charge::{Money, Msisdn};
use rails::paypal::{Config, PayPal};
use rails::{Begun, HttpRequest, Method, Order, Payer, Rail, RailError, Secret, Told, TransportError};
use sim::now;
use sim::rails::browser::Browser;
use sim::rails::paypal::{CLIENT, Certificate, PayPal as Sandbox, WEBHOOK_ID};
use sim::rails::transport::Loopback;
use sim::rails::{Callback, Desk, Direction, Misbehaviour, Outcome, Served, serve};
use std::sync::Arc;

const SHOP: &str = "http://shop.test";

struct World {
    desk: Arc<Desk>,
    sandbox: Arc<Sandbox>,
    served: Served,
    rail: PayPal,
    io: Loopback,
}

fn config(url: &str, root_pem: &str) -> Config {
    Config {
        code: "paypal".to_owned(),
        host: rails::base::Base::new(url).unwrap(),
        client_id: CLIENT.0.to_owned(),
        client_secret: Secret::new(CLIENT.1).unwrap(),
        webhook_id: WEBHOOK_ID.to_owned(),
        brand_name: "Raseed".to_owned(),
        currency: "USD".to_owned(),
        roots_pem: root_pem.to_owned(),
        certificate_name: "messageverificationcerts.paypal.com".to_owned(),
        sandbox_certificates: Some(format!("{url}/v1/notifications/certs/")),
        replay_s: 73 * 3600,
    }
}

async fn world() -> World {
    let desk = Desk::new();
    let sandbox = Sandbox::new(desk.clone()).unwrap();
    let served = serve(sandbox.router(), 0).await.unwrap();
    let rail = PayPal::new(config(&served.url, sandbox.root_pem())).unwrap();
    World {
        desk,
        sandbox,
        served,
        rail,
        io: Loopback::new().unwrap(),
    }
}

fn usd(cents: i64) -> Price {
    Price {
        amount: Money(cents * 10_000),
        currency: Currency::USD,
    }
}

fn order(number: u64, cents: i64) -> Order {
    Order {
        id: PaymentId::new(923_001_234_567, number).unwrap(),
        price: usd(cents),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: Payer::default(),
        description: "Recharge 0300 1234567".to_owned(),
        language: Language::En,
        created_at: now(),
        expires_at: now().plus(HOUR),
        return_url: format!("{SHOP}/rails/paypal/return"),
        presented: String::new(),
        reference: String::new(),
    }
}

impl World {
    /// Begins, and keeps the rail's reference as the core would.
    async fn begin(&self, order: &mut Order) -> Begun {
        let begun = self.rail.begin(&self.io, order, now()).await.unwrap();
        match &begun {
            Begun::Redirect {
                said: Statement::Presented { reference },
                ..
            } => order.presented.clone_from(reference),
            other => panic!("{other:?}"),
        }
        begun
    }

    /// The payer clicks; the request with which the browser comes back.
    async fn click(&self, begun: &Begun, button: &str) -> Option<HttpRequest> {
        Browser::new(SHOP).unwrap().visit(begun, button).await
    }

    async fn approved(&self, number: u64, cents: i64) -> Order {
        let mut order = order(number, cents);
        let begun = self.begin(&mut order).await;
        self.click(&begun, "approve").await.unwrap();
        order
    }

    async fn paid(&self, number: u64, cents: i64) -> Order {
        let mut order = self.approved(number, cents).await;
        match self.ask(&order).await {
            Statement::Succeeded { reference, .. } => order.reference = reference,
            other => panic!("{other:?}"),
        }
        order
    }

    async fn ask(&self, order: &Order) -> Statement {
        self.rail.inquire(&self.io, order, now()).await.unwrap()
    }

    async fn hear(&self, callback: &Callback) -> Result<rails::Heard, RailError> {
        self.rail
            .callback(&self.io, "webhook", &request(callback), now())
            .await
    }

    fn last_callback(&self) -> Callback {
        self.desk.callbacks().last().unwrap().clone()
    }

    fn net(&self, order: &Order) -> i64 {
        self.desk.net(&order.id.to_string())
    }
}

fn request(callback: &Callback) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: format!("/rails/paypal{}", callback.path),
        headers: callback.headers.clone(),
        body: callback.body.clone(),
        timeout_ms: 0,
    }
}

#[tokio::test]
async fn approve_return_capture_refund() {
    let world = world().await;
    let mut order = order(1, 365);
    let begun = world.begin(&mut order).await;
    assert_eq!(world.ask(&order).await, Statement::AwaitingCustomer);
    let back = world.click(&begun, "approve").await.unwrap();
    let heard = world.rail.returned(&back, now()).unwrap();
    assert_eq!((heard.about, heard.told), (Some(order.id), Told::Ask));
    let first = world.ask(&order).await;
    let Statement::Succeeded { paid, reference } = first.clone() else {
        panic!("{first:?}")
    };
    assert_eq!(paid, usd(365));
    assert_eq!(world.ask(&order).await, first, "asking again takes nothing more");
    assert_eq!(world.net(&order), 365);

    order.reference = reference.clone();
    let refunded = world
        .rail
        .refund(&world.io, &order, usd(365), now())
        .await
        .unwrap();
    assert!(matches!(refunded, Statement::Refunded { .. }), "{refunded:?}");
    world.sandbox.forget_request_ids();
    let again = world
        .rail
        .refund(&world.io, &order, usd(365), now())
        .await
        .unwrap();
    assert_eq!(again, refunded, "seven hours later too");
    assert_eq!(world.net(&order), 0);
    assert_eq!(world.desk.count(&order.id.to_string(), Direction::Refund), 1);

    let lines = world
        .rail
        .settlement(world.sandbox.settlement_report().as_bytes())
        .unwrap();
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .all(|line| line.payment == Some(order.id) && line.gross == usd(365))
    );
    assert_eq!(lines[0].reference, reference);
}

#[tokio::test]
async fn webhooks_say_what_happened_even_before_the_return() {
    let world = world().await;
    let mut order = order(2, 365);
    let begun = world.begin(&mut order).await;
    world.click(&begun, "approve").await.unwrap();
    let approved = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!((approved.about, approved.told), (Some(order.id), Told::Ask));
    let asked = world.ask(&order).await;
    let captured = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!(captured.about, Some(order.id));
    assert_eq!(
        captured.told,
        Told::Said(asked.clone()),
        "the same words, the same reference"
    );

    let Statement::Succeeded { reference, .. } = asked else {
        panic!("{asked:?}")
    };
    order.reference = reference;
    let refunded = world
        .rail
        .refund(&world.io, &order, usd(365), now())
        .await
        .unwrap();
    let told = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!((told.about, told.told), (Some(order.id), Told::Said(refunded)));
    world.sandbox.reverse(&order.presented, &world.served.url);
    let reversed = world.hear(&world.last_callback()).await.unwrap();
    assert_eq!(reversed.about, Some(order.id), "found by its capture");
    assert!(matches!(reversed.told, Told::Said(Statement::Reversed { .. })));
}

#[tokio::test]
async fn webhooks_that_are_not_genuine_are_not_believed() {
    let world = world().await;
    let order = world.paid(3, 365).await;
    let good = world.last_callback();
    assert!(world.hear(&good).await.is_ok());
    // Every header, and every byte of the body.
    for (place, (name, value)) in good.headers.iter().enumerate() {
        if name == "content-type" {
            continue;
        }
        for byte in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[byte] = if changed[byte] == b'7' { b'8' } else { b'7' };
            let mut callback = good.clone();
            callback.headers[place].1 = String::from_utf8(changed).unwrap();
            let heard = world.hear(&callback).await;
            assert!(
                matches!(heard, Err(RailError::NotGenuine(_) | RailError::Transport(_))),
                "{name} {byte}: {heard:?}"
            );
        }
        let mut without = good.clone();
        without.headers.remove(place);
        assert!(matches!(
            world.hear(&without).await,
            Err(RailError::NotGenuine(_))
        ));
    }
    for byte in 0..good.body.len() {
        let mut callback = good.clone();
        callback.body[byte] ^= 1;
        assert!(
            matches!(world.hear(&callback).await, Err(RailError::NotGenuine(_))),
            "body {byte}"
        );
    }
    for (certificate, why) in [
        (Certificate::Expired, "certificate has expired"),
        (Certificate::Future, "certificate is not valid yet"),
        (Certificate::OtherName, "certificate is of another name"),
        (
            Certificate::OtherRoot,
            "certificate does not lead to a known root",
        ),
        (Certificate::OtherHost, "certificate address is not PayPal's"),
    ] {
        world.sandbox.use_certificate(certificate);
        world.sandbox.reverse(&order.presented, &world.served.url);
        assert_eq!(
            world.hear(&world.last_callback()).await,
            Err(RailError::NotGenuine(why))
        );
    }
    world.sandbox.use_certificate(Certificate::Good);
    world.desk.misbehave(Misbehaviour {
        tamper: true,
        ..Misbehaviour::default()
    });
    world.sandbox.reverse(&order.presented, &world.served.url);
    assert_eq!(
        world.hear(&world.last_callback()).await,
        Err(RailError::NotGenuine("signature"))
    );

    let late = now().plus(73 * HOUR + SECOND * 60);
    let heard = world
        .rail
        .callback(&world.io, "webhook", &request(&good), late)
        .await;
    assert_eq!(
        heard,
        Err(RailError::NotGenuine("sent too long ago, or in the future"))
    );
    let heard = world
        .rail
        .callback(&world.io, "other", &request(&good), now())
        .await;
    assert_eq!(heard, Err(RailError::Unsupported));
}

#[tokio::test]
async fn a_webhook_of_another_webhook_id_is_not_believed() {
    let world = world().await;
    world.paid(4, 365).await;
    let mut other = config(&world.served.url, world.sandbox.root_pem());
    other.webhook_id = "5GP028458E2496506".to_owned();
    let rail = PayPal::new(other).unwrap();
    let heard = rail
        .callback(&world.io, "webhook", &request(&world.last_callback()), now())
        .await;
    assert_eq!(heard, Err(RailError::NotGenuine("signature")));
}

/// The signature covers a CRC-32 of the body, and bodies can be made for a CRC-32: 64 letters of `a` or `c` are 64 choices, each
/// of which changes the checksum in its own way, and some of them together change it as needed.
fn forged(original: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let target = crc32fast::hash(original);
    let text = change(std::str::from_utf8(original).unwrap());
    let stem = format!("{},\"filler\":\"", &text[..text.len() - 1]);
    let body = |letters: &[u8]| [stem.as_bytes(), letters, b"\"}"].concat();
    let plain = vec![b'a'; 64];
    let start = crc32fast::hash(&body(&plain));
    let mut rows: Vec<(u32, u64)> = Vec::new();
    for place in 0..64 {
        let mut letters = plain.clone();
        letters[place] = b'c';
        let (mut effect, mut choice) = (crc32fast::hash(&body(&letters)) ^ start, 1u64 << place);
        for (known, with) in &rows {
            if effect ^ known < effect {
                (effect, choice) = (effect ^ known, choice ^ with);
            }
        }
        if effect != 0 {
            rows.push((effect, choice));
            rows.sort_by_key(|row| std::cmp::Reverse(row.0));
        }
    }
    let (mut needed, mut chosen) = (target ^ start, 0u64);
    for (effect, choice) in &rows {
        if needed ^ effect < needed {
            (needed, chosen) = (needed ^ effect, chosen ^ choice);
        }
    }
    let letter = |place: u32| if chosen >> place & 1 == 1 { b'c' } else { b'a' };
    let forged = body(&(0..64).map(letter).collect::<Vec<u8>>());
    assert_eq!(crc32fast::hash(&forged), target);
    forged
}

#[tokio::test]
async fn a_body_forged_to_the_same_checksum_makes_no_payment() {
    let world = world().await;
    let paid = world.paid(40, 365).await;
    let genuine = world.last_callback();
    let unpaid = world.approved(41, 365).await;
    let forgery = forged(&genuine.body, |text| {
        text.replace(&paid.id.to_string(), &unpaid.id.to_string())
    });
    assert!(String::from_utf8_lossy(&forgery).contains(&unpaid.id.to_string()));
    let heard = world
        .hear(&Callback {
            body: forgery,
            ..genuine.clone()
        })
        .await
        .unwrap();
    assert_eq!(
        heard.about,
        Some(paid.id),
        "what PayPal says of that capture, and not what the body says"
    );
    let dearer = forged(&genuine.body, |text| text.replace("3.65", "365.00"));
    let heard = world
        .hear(&Callback {
            body: dearer,
            ..genuine.clone()
        })
        .await
        .unwrap();
    assert!(matches!(heard.told, Told::Said(Statement::Succeeded { paid, .. }) if paid == usd(365)));
    let unknown = forged(&genuine.body, |text| {
        text.replace(&paid.reference, "3C99999999999999L")
    });
    let heard = world
        .hear(&Callback {
            body: unknown,
            ..genuine
        })
        .await
        .unwrap();
    assert_eq!((heard.about, heard.told), (None, Told::Ask));
    assert_eq!(world.net(&unpaid), 0);
}

#[tokio::test]
async fn every_issue_of_a_capture_has_its_meaning() {
    let world = world().await;
    let failed = |class, code: &str| Statement::Failed {
        class,
        code: code.to_owned(),
    };
    let pending = |code: &str| Statement::Pending {
        code: code.to_owned(),
    };
    use FailureClass::{Configuration, Declined, Limit, Payer};
    let table = [
        ("ORDER_NOT_APPROVED", Statement::AwaitingCustomer),
        ("INSTRUMENT_DECLINED", Statement::AwaitingCustomer),
        ("PAYER_ACTION_REQUIRED", Statement::AwaitingCustomer),
        (
            "ORDER_COMPLETION_IN_PROGRESS",
            pending("ORDER_COMPLETION_IN_PROGRESS"),
        ),
        ("DUPLICATE_INVOICE_ID", pending("DUPLICATE_INVOICE_ID")),
        ("PAYER_CANNOT_PAY", failed(Payer, "PAYER_CANNOT_PAY")),
        (
            "PAYER_ACCOUNT_RESTRICTED",
            failed(Payer, "PAYER_ACCOUNT_RESTRICTED"),
        ),
        (
            "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
            failed(Payer, "PAYER_ACCOUNT_LOCKED_OR_CLOSED"),
        ),
        ("TRANSACTION_REFUSED", failed(Declined, "TRANSACTION_REFUSED")),
        (
            "TRANSACTION_BLOCKED_BY_PAYEE",
            failed(Declined, "TRANSACTION_BLOCKED_BY_PAYEE"),
        ),
        ("COMPLIANCE_VIOLATION", failed(Declined, "COMPLIANCE_VIOLATION")),
        (
            "TRANSACTION_LIMIT_EXCEEDED",
            failed(Limit, "TRANSACTION_LIMIT_EXCEEDED"),
        ),
        (
            "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
            failed(Limit, "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED"),
        ),
        (
            "PAYEE_FX_RATE_ID_EXPIRED",
            failed(Configuration, "PAYEE_FX_RATE_ID_EXPIRED"),
        ),
        ("SOMETHING_OF_NEXT_YEAR", pending("SOMETHING_OF_NEXT_YEAR")),
    ];
    for (number, (issue, meaning)) in (100..).zip(table) {
        let order = world.approved(number, 365).await;
        world.sandbox.refuse_next(issue);
        assert_eq!(world.ask(&order).await, meaning, "{issue}");
        assert_eq!(world.net(&order), 0);
    }
    // As PayPal's own sandbox is told: by a header.
    let order = world.approved(200, 365).await;
    let mock = r#"{"mock_application_codes":"TRANSACTION_REFUSED"}"#;
    let io = Loopback::new().unwrap().with_header("PayPal-Mock-Response", mock);
    world
        .rail
        .inquire(&world.io, &self::order(201, 365), now())
        .await
        .unwrap();
    let said = world.rail.inquire(&io, &order, now()).await.unwrap();
    assert_eq!(said, failed(Declined, "TRANSACTION_REFUSED"));
}

#[tokio::test]
async fn an_order_that_was_captured_by_somebody_else_is_read() {
    let world = world().await;
    let order = world.approved(5, 365).await;
    let (one, two) = tokio::join!(world.ask(&order), world.ask(&order));
    let paid = |said: &Statement| matches!(said, Statement::Succeeded { .. });
    assert!(paid(&one) && paid(&two), "{one:?} {two:?}");
    assert_eq!(world.desk.count(&order.id.to_string(), Direction::Payment), 1);
    let order = world.approved(6, 365).await;
    world.sandbox.refuse_next("ORDER_ALREADY_CAPTURED");
    assert!(
        !paid(&world.ask(&order).await),
        "it says captured and shows nothing: not believed"
    );
}

#[tokio::test]
async fn an_answer_lost_at_any_point_is_asked_for() {
    let world = world().await;
    let order = world.approved(7, 365).await;
    let drop = |before, after| Misbehaviour {
        drop_before_commit: before,
        drop_after_commit: after,
        ..Misbehaviour::default()
    };
    for misbehaviour in [drop(1, 0), drop(0, 1)] {
        world.desk.misbehave(misbehaviour);
        let lost = world.rail.inquire(&world.io, &order, now()).await;
        assert_eq!(lost, Err(RailError::Transport(TransportError::Unknown)));
    }
    let Statement::Succeeded { reference, .. } = world.ask(&order).await else {
        panic!()
    };
    assert_eq!(world.net(&order), 365);
    let order = Order { reference, ..order };
    for misbehaviour in [drop(1, 0), drop(0, 1)] {
        world.desk.misbehave(misbehaviour);
        let lost = world.rail.refund(&world.io, &order, usd(365), now()).await;
        assert_eq!(lost, Err(RailError::Transport(TransportError::Unknown)));
    }
    let refunded = world
        .rail
        .inquire_refund(&world.io, &order, usd(365), now())
        .await
        .unwrap();
    assert!(matches!(refunded, Statement::Refunded { .. }));
    assert_eq!(world.net(&order), 0);
    assert_eq!(world.desk.count(&order.id.to_string(), Direction::Refund), 1);

    // The answer to `begin` was lost: the order is found by its request id.
    let mut lost = self::order(8, 365);
    let begun = world.rail.begin(&world.io, &lost, now()).await.unwrap();
    let said = world.ask(&lost).await;
    let Statement::Presented { reference } = said else {
        panic!("{said:?}")
    };
    lost.presented = reference;
    world.click(&begun, "approve").await.unwrap();
    assert!(matches!(world.ask(&lost).await, Statement::Succeeded { .. }));
}

#[tokio::test]
async fn what_has_expired_is_not_captured() {
    let world = world().await;
    let order = world.approved(9, 365).await;
    let late = order.expires_at.plus(SECOND);
    let said = world.rail.inquire(&world.io, &order, late).await.unwrap();
    assert_eq!(said, Statement::Expired);
    assert_eq!(world.net(&order), 0);
    let unseen = self::order(10, 365);
    let said = world
        .rail
        .inquire(&world.io, &unseen, unseen.expires_at.plus(SECOND))
        .await
        .unwrap();
    assert_eq!(said, Statement::Expired);
}

#[tokio::test]
async fn a_token_that_ends_is_renewed() {
    let world = world().await;
    let order = world.approved(11, 365).await;
    world.sandbox.end_tokens();
    assert!(matches!(world.ask(&order).await, Statement::Succeeded { .. }));
    assert_eq!(world.net(&order), 365);
    // Far in the future the kept token is too old and a new one is taken first.
    let calls = world.desk.calls();
    world
        .rail
        .inquire(&world.io, &order, now().plus(600 * MINUTE))
        .await
        .unwrap();
    assert_eq!(world.desk.calls(), calls + 2, "a token and a read");

    let mut wrong = config(&world.served.url, world.sandbox.root_pem());
    wrong.client_secret = Secret::new("wrong").unwrap();
    let rail = PayPal::new(wrong).unwrap();
    let said = rail.begin(&world.io, &self::order(12, 365), now()).await;
    assert!(matches!(said, Err(RailError::Configuration(_))), "{said:?}");
}

#[tokio::test]
async fn wrong_amounts_are_told_as_they_are() {
    let world = world().await;
    let order = world.approved(13, 365).await;
    world.desk.misbehave(Misbehaviour {
        amount_off: -100,
        ..Misbehaviour::default()
    });
    let said = world.ask(&order).await;
    assert!(
        matches!(said, Statement::Succeeded { paid, .. } if paid == usd(265)),
        "{said:?}"
    );
    let order = world.approved(14, 365).await;
    world.desk.misbehave(Misbehaviour {
        wrong_currency: true,
        ..Misbehaviour::default()
    });
    let said = world.ask(&order).await;
    assert!(
        matches!(said, Statement::Succeeded { paid, .. } if paid.currency.as_str() == "EUR"),
        "{said:?}"
    );
}

#[tokio::test]
async fn outcomes_of_the_payer() {
    let world = world().await;
    for (number, button) in [(20, "cancel"), (21, "")] {
        let mut order = order(number, 365);
        let begun = world.begin(&mut order).await;
        let back = world.click(&begun, button).await;
        assert_eq!(back.is_some(), button == "cancel");
        assert_eq!(
            world.ask(&order).await,
            Statement::AwaitingCustomer,
            "{button}: the link is still good"
        );
    }
    let mut order = order(22, 365);
    let begun = world.begin(&mut order).await;
    world.click(&begun, "decline").await.unwrap();
    let said = world.ask(&order).await;
    assert!(
        matches!(
            said,
            Statement::Failed {
                class: FailureClass::Declined,
                ..
            }
        ),
        "{said:?}"
    );
    // Magic amounts.
    let order = world.approved(23, 900_011).await;
    let said = world.ask(&order).await;
    assert_eq!(
        said,
        Statement::Pending {
            code: "INTERNAL_SERVER_ERROR".to_owned()
        }
    );
    assert!(
        matches!(world.ask(&order).await, Statement::Succeeded { .. }),
        "it was taken all the same"
    );
    world.desk.misbehave(Misbehaviour {
        outcome: Some(Outcome::Unknown),
        ..Misbehaviour::default()
    });
    let order = world.approved(24, 365).await;
    assert_eq!(
        world.ask(&order).await,
        Statement::Pending {
            code: "PENDING_REVIEW".to_owned()
        }
    );
    world.desk.misbehave(Misbehaviour {
        refuse_refunds: true,
        ..Misbehaviour::default()
    });
    let order = world.paid(25, 365).await;
    let said = world
        .rail
        .refund(&world.io, &order, usd(365), now())
        .await
        .unwrap();
    assert_eq!(
        said,
        Statement::RefundRefused {
            code: "REFUND_TIME_LIMIT_EXCEEDED".to_owned()
        }
    );
}

#[tokio::test]
async fn what_the_client_does_not_take() {
    let world = world().await;
    let rupees = Order {
        price: Price::pkr(Money::from_units(100)),
        ..order(30, 365)
    };
    let said = world.rail.begin(&world.io, &rupees, now()).await;
    assert_eq!(said, Err(RailError::NotTaken("currency")));
    let fraction = Order {
        price: Price {
            amount: Money(3_655_000),
            currency: Currency::USD,
        },
        ..order(31, 365)
    };
    assert_eq!(
        world.rail.begin(&world.io, &fraction, now()).await,
        Err(RailError::NotTaken("amount"))
    );
    // The answer about an order of another payment.
    let one = world.approved(32, 365).await;
    let other = Order {
        presented: one.presented,
        ..order(33, 365)
    };
    let said = world.rail.inquire(&world.io, &other, now()).await;
    assert_eq!(
        said,
        Err(RailError::NotGenuine("the answer is about another payment"))
    );
    for change in [
        |config: &mut Config| config.currency = "PKR".to_owned(),
        |config: &mut Config| config.code.clear(),
        |config: &mut Config| config.roots_pem.clear(),
        |config: &mut Config| config.webhook_id.clear(),
        |config: &mut Config| config.sandbox_certificates = Some("http://evil.test/".to_owned()),
    ] {
        let mut wrong = config(&world.served.url, world.sandbox.root_pem());
        change(&mut wrong);
        assert!(matches!(PayPal::new(wrong), Err(RailError::Configuration(_))));
    }
}
