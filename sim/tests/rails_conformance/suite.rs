//! What every rail must do, whatever its wire format.

use crate::stage::{
    SHOP, Stage, Went, arriving, ask, ask_on, begin, callbacks_of, go, hear, io, keeping, long_after, minor,
    now, order, said_by,
};
use charge::payment::{Currency, Price, Statement};
use charge::{Money, Timestamp};
use rails::{Heard, HttpRequest, Method, Order, RailError, SettlementKind, Told, TransportError};
use sim::rails::{Callback, Direction, Misbehaviour, Outcome};
use std::time::Duration;

fn is_paid(said: &Statement, price: Price) -> bool {
    matches!(said, Statement::Succeeded { paid, reference } if *paid == price && !reference.is_empty())
}

fn is_open(said: &Statement) -> bool {
    matches!(
        said,
        Statement::Presented { .. }
            | Statement::AwaitingCustomer
            | Statement::AwaitingCash
            | Statement::Pending { .. }
    )
}

fn says_paid(heard: &Heard, price: Price) -> bool {
    matches!(&heard.told, Told::Said(Statement::Succeeded { paid, .. }) if *paid == price)
}

fn says_money(heard: &Heard) -> bool {
    matches!(
        &heard.told,
        Told::Said(Statement::Succeeded { .. } | Statement::Refunded { .. } | Statement::Reversed { .. })
            | Told::Unmatched { .. }
    )
}

/// Paid: the inquiry says so with the price and a reference; so much was taken, once; the return and callbacks agree.
pub async fn success(stage: &dyn Stage) {
    let Went { order, back, .. } = go(stage, 1, Outcome::Approve).await;
    let said = ask(stage, &order).await.unwrap();
    assert!(is_paid(&said, order.price), "{said:?}");
    assert_eq!(
        ask(stage, &order).await.unwrap(),
        said,
        "asking again changes nothing"
    );
    assert_eq!(stage.desk().net(&order.id.to_string()), minor(order.price));
    assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Payment), 1);
    if let Some(back) = back {
        let heard = stage.rail().returned(&back, now()).unwrap();
        assert!(heard.about.is_none_or(|about| about == order.id));
        assert!(
            matches!(heard.told, Told::Ask) || says_paid(&heard, order.price),
            "{:?}",
            heard.told
        );
    }
    let callbacks = callbacks_of(stage, &order);
    assert_eq!(!callbacks.is_empty(), stage.calls_back());
    for callback in callbacks {
        let heard = hear(stage, &callback).await.unwrap();
        assert_eq!(heard.about, Some(order.id));
        assert!(
            matches!(heard.told, Told::Ask) || says_paid(&heard, order.price),
            "{:?}",
            heard.told
        );
        assert_eq!(heard.answer.status, 200);
    }
}

/// Declined in every way: final, no money, and no message says otherwise.
pub async fn decline(stage: &dyn Stage) {
    let finals = [
        Outcome::Funds,
        Outcome::Payer,
        Outcome::Limit,
        Outcome::Cancel,
        Outcome::Decline,
        Outcome::Cooling,
        Outcome::Down,
        Outcome::Setup,
        Outcome::Expire,
    ];
    for (number, outcome) in (10..).zip(finals) {
        if stage.lacks().contains(&outcome) {
            continue;
        }
        let Went { order, begun, back } = go(stage, number, outcome).await;
        let begun_said = said_by(&begun);
        assert!(!matches!(begun_said, Statement::Succeeded { .. }), "{outcome:?}");
        let said = ask(stage, &order).await.unwrap();
        let is_final = matches!(said, Statement::Failed { .. } | Statement::Expired);
        assert!(is_final, "{outcome:?}: {said:?}");
        assert_eq!(stage.desk().net(&order.id.to_string()), 0);
        if let Some(Ok(heard)) = back.map(|back| stage.rail().returned(&back, now())) {
            assert!(!says_money(&heard), "{outcome:?}: {:?}", heard.told);
        }
        for callback in callbacks_of(stage, &order) {
            let heard = hear(stage, &callback).await.unwrap();
            assert!(!says_money(&heard), "{outcome:?}: {:?}", heard.told);
        }
    }
}

/// The payer looks at the page and leaves: open until it expires, then over.
pub async fn abandon(stage: &dyn Stage) {
    let (order, begun) = begin(stage, order(stage, 30)).await;
    if matches!(begun, rails::Begun::Said(_)) {
        return;
    }
    assert_eq!(stage.act(&order, &begun, "").await, None);
    let said = ask(stage, &order).await.unwrap();
    assert!(is_open(&said), "{said:?}");
    stage.desk().misbehave(Misbehaviour {
        clock_skew_s: 2 * 3600,
        ..Misbehaviour::default()
    });
    let later = stage
        .rail()
        .inquire(&io(), &order, long_after(&order))
        .await
        .unwrap();
    assert!(
        matches!(later, Statement::Expired | Statement::Failed { .. }),
        "{later:?}"
    );
    assert_eq!(stage.desk().net(&order.id.to_string()), 0);
}

/// Begun, and the payer never even reached the rail: not paid; over after its time, or still open for staff to close.
pub async fn never_reached(stage: &dyn Stage) {
    let (order, _) = begin(stage, order(stage, 31)).await;
    match ask(stage, &order).await {
        Ok(said) => assert!(is_open(&said) || is_paid(&said, order.price), "{said:?}"),
        Err(error) => assert!(!matches!(error, RailError::NotGenuine(_)), "{error}"),
    }
    let paid = stage.desk().net(&order.id.to_string());
    stage.desk().misbehave(Misbehaviour {
        clock_skew_s: 2 * 3600,
        ..Misbehaviour::default()
    });
    let later = stage
        .rail()
        .inquire(&io(), &order, long_after(&order))
        .await
        .unwrap();
    let right = if paid == 0 {
        matches!(later, Statement::Expired | Statement::Failed { .. }) || is_open(&later)
    } else {
        is_paid(&later, order.price)
    };
    assert!(right, "{later:?}");
}

/// The rail does not know, or says an error although the money was taken: pending until the inquiry knows.
pub async fn unknown_then_known(stage: &dyn Stage) {
    for (number, verdict) in [(40, Outcome::Approve), (41, Outcome::Decline)] {
        let Went { order, begun, back } = go(stage, number, Outcome::Unknown).await;
        assert!(is_open(said_by(&begun)), "{begun:?}");
        if let Some(Ok(heard)) = back.map(|back| stage.rail().returned(&back, now())) {
            assert_eq!(heard.told, Told::Ask);
        }
        let said = ask(stage, &order).await.unwrap();
        assert!(is_open(&said), "{said:?}");
        stage.settle(&order, verdict);
        let said = ask(stage, &order).await.unwrap();
        match verdict {
            Outcome::Approve => assert!(is_paid(&said, order.price), "{said:?}"),
            _ if !stage.says_no() => assert!(is_open(&said), "{said:?}"),
            _ => assert!(matches!(said, Statement::Failed { .. }), "{said:?}"),
        }
    }
    let Went { order, begun, .. } = go(stage, 42, Outcome::Hidden).await;
    assert!(
        !matches!(said_by(&begun), Statement::Failed { .. } | Statement::Expired),
        "{begun:?}"
    );
    let said = ask_on(stage, &order).await;
    assert!(is_paid(&said, order.price), "{said:?}");
    assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Payment), 1);
}

/// Inquiries that know nothing yet.
pub async fn slow_inquiry(stage: &dyn Stage) {
    stage.desk().misbehave(Misbehaviour {
        slow_inquiries: 2,
        ..Misbehaviour::default()
    });
    let Went { order, .. } = go(stage, 50, Outcome::Approve).await;
    let mut open = 0;
    let said = loop {
        let said = ask(stage, &order).await.unwrap();
        if !is_open(&said) {
            break said;
        }
        open += 1;
        assert!(open < 4);
    };
    assert!(is_paid(&said, order.price), "{said:?}");
    // A rail that asks by itself while it begins has used one up.
    assert!(open >= 1);
}

/// The connection breaks before or after the money moved: never a guess, one movement at most, and the inquiry knows.
pub async fn dropped(stage: &dyn Stage) {
    for (number, before, after) in [(60, 1, 0), (61, 0, 1)] {
        stage.desk().misbehave(Misbehaviour {
            drop_before_commit: before,
            drop_after_commit: after,
            outcome: Some(Outcome::Approve),
            ..Misbehaviour::default()
        });
        let mut order = order(stage, number);
        match stage.rail().begin(&io(), &order, now()).await {
            Ok(begun) => {
                assert!(
                    !matches!(said_by(&begun), Statement::Failed { .. } | Statement::Expired),
                    "{begun:?}"
                );
                order = keeping(order, said_by(&begun));
                stage.act(&order, &begun, "approve").await;
            }
            Err(error) => assert_eq!(error, RailError::Transport(TransportError::Unknown)),
        }
        // The desk presents it again, and the payer tries again.
        let begun = stage.rail().begin(&io(), &order, now()).await.unwrap();
        let order = keeping(order, said_by(&begun));
        stage.act(&order, &begun, "approve").await;
        let said = ask_on(stage, &order).await;
        assert!(is_paid(&said, order.price), "{said:?}");
        assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Payment), 1);
    }
}

/// A rail that answers too late, before or after the money moved: nothing final is concluded, and later the truth is told.
pub async fn timeouts(stage: &dyn Stage) {
    for (number, delay_ms, late_ms) in [(70, 500, 0), (71, 0, 500)] {
        let slow = Misbehaviour {
            delay_ms,
            late_ms,
            outcome: Some(Outcome::Approve),
            ..Misbehaviour::default()
        };
        too_late(stage, number, slow).await;
    }
}

async fn too_late(stage: &dyn Stage, number: u64, slow: Misbehaviour) {
    let hasty = io().with_longest(Duration::from_millis(150));
    stage.desk().misbehave(slow.clone());
    let order = order(stage, number);
    let undecided = |said: &Result<Statement, RailError>| match said {
        Ok(said) => is_open(said),
        Err(error) => matches!(error, RailError::Transport(TransportError::Unknown)),
    };
    match stage.rail().begin(&hasty, &order, now()).await {
        Ok(begun) => assert!(is_open(said_by(&begun)), "{begun:?}"),
        Err(error) => assert_eq!(error, RailError::Transport(TransportError::Unknown)),
    }
    let said = stage.rail().inquire(&hasty, &order, now()).await;
    let knows = slow.delay_ms == 0 && said.as_ref().is_ok_and(|said| is_paid(said, order.price));
    assert!(undecided(&said) || knows, "{said:?}");
    tokio::time::sleep(Duration::from_millis(700)).await;
    stage.desk().misbehave(Misbehaviour::default());
    let (order, begun) = begin(stage, order).await;
    stage.act(&order, &begun, "approve").await;
    let said = ask(stage, &order).await.unwrap();
    assert!(is_paid(&said, order.price), "{said:?}");
    assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Payment), 1);
    if stage.refunds() {
        stage.desk().misbehave(slow);
        let order = keeping(order, &said);
        let said = stage.rail().refund(&hasty, &order, order.price, now()).await;
        assert!(undecided(&said), "{said:?}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        stage.desk().misbehave(Misbehaviour::default());
        let said = stage
            .rail()
            .inquire_refund(&io(), &order, order.price, now())
            .await
            .unwrap();
        assert!(matches!(said, Statement::Refunded { .. }), "{said:?}");
        assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Refund), 1);
    }
}

/// The rail's clock is some minutes off: an order is paid all the same.
pub async fn clock_skew(stage: &dyn Stage) {
    for (number, clock_skew_s) in [(75, -240), (76, 240)] {
        stage.desk().misbehave(Misbehaviour {
            clock_skew_s,
            ..Misbehaviour::default()
        });
        let Went { order, .. } = go(stage, number, Outcome::Approve).await;
        let said = ask(stage, &order).await.unwrap();
        assert!(is_paid(&said, order.price), "{clock_skew_s}: {said:?}");
        for callback in callbacks_of(stage, &order) {
            let heard = hear(stage, &callback).await.unwrap();
            assert_eq!(heard.about, Some(order.id));
        }
    }
}

/// Begun twice (two tabs, a retry): paid once.
pub async fn begun_twice(stage: &dyn Stage) {
    let made = order(stage, 80);
    let (first, begun_first) = begin(stage, made.clone()).await;
    let (second, begun_second) = begin(stage, made).await;
    stage.act(&first, &begun_first, "approve").await;
    stage.act(&second, &begun_second, "approve").await;
    let said = ask(stage, &first).await.unwrap();
    assert!(is_paid(&said, first.price), "{said:?}");
    assert_eq!(stage.desk().count(&first.id.to_string(), Direction::Payment), 1);
}

/// Duplicates, replays, another order of arrival: the same is said every time.
pub async fn callback_again(stage: &dyn Stage) {
    stage.desk().misbehave(Misbehaviour {
        callback_copies: 2,
        reorder: true,
        ..Misbehaviour::default()
    });
    let first = go(stage, 90, Outcome::Approve).await.order;
    let second = go(stage, 91, Outcome::Decline).await.order;
    stage.desk().release();
    for (order, paid) in [(&first, true), (&second, false)] {
        let mut heard = Vec::new();
        for callback in callbacks_of(stage, order) {
            heard.push(hear(stage, &callback).await.unwrap());
            heard.push(hear(stage, &callback).await.unwrap());
        }
        assert_eq!(heard.len() >= 4, stage.calls_back() && (paid || stage.says_no()));
        for one in &heard {
            assert_eq!(one.about, Some(order.id));
            assert!(paid || !says_money(one), "{:?}", one.told);
        }
        assert!(heard.windows(2).all(|pair| pair[0].told == pair[1].told));
        assert_eq!(is_paid(&ask(stage, order).await.unwrap(), order.price), paid);
    }
}

/// A genuine callback made to name another order proves nothing about that one.
pub async fn callback_for_another_order(stage: &dyn Stage) {
    let paid = go(stage, 100, Outcome::Approve).await.order;
    let (unpaid, _) = begin(stage, order(stage, 101)).await;
    let was = stage.desk().net(&unpaid.id.to_string());
    for callback in callbacks_of(stage, &paid) {
        let forged = stage.about_another(&callback, &paid, &unpaid);
        assert_ne!(forged, callback);
        if let Ok(heard) = hear(stage, &forged).await {
            assert!(
                !says_money(&heard) || was > 0 || heard.about != Some(unpaid.id),
                "{:?}",
                heard.told
            );
        }
    }
}

/// Each byte of a genuine callback and of a genuine return changed: refused, or it says no more than the genuine one.
pub async fn tampered(stage: &dyn Stage) {
    let Went { order, back, .. } = go(stage, 110, Outcome::Approve).await;
    for callback in callbacks_of(stage, &order).into_iter().take(1) {
        let genuine = hear(stage, &callback).await.unwrap();
        for changed in mutations(&callback) {
            if let Ok(heard) = hear(stage, &changed).await {
                assert!(
                    matches!(heard.told, Told::Ask)
                        || (heard.about, &heard.told) == (genuine.about, &genuine.told),
                    "{:?} from {}",
                    heard.told,
                    String::from_utf8_lossy(&changed.body)
                );
            }
        }
    }
    if let Some(back) = back {
        let genuine = stage.rail().returned(&back, now()).unwrap();
        for changed in return_mutations(&back) {
            if let Ok(heard) = stage.rail().returned(&changed, now()) {
                let same = (heard.about, &heard.told) == (genuine.about, &genuine.told);
                assert!(matches!(heard.told, Told::Ask) || same, "{:?}", heard.told);
            }
        }
    }
}

/// The sandbox signs wrongly: its messages are not believed, its answers neither.
pub async fn wrong_signature(stage: &dyn Stage) {
    stage.desk().misbehave(Misbehaviour {
        tamper: true,
        ..Misbehaviour::default()
    });
    let made = order(stage, 120);
    stage.desk().misbehave(Misbehaviour {
        tamper: true,
        outcome: Some(Outcome::Approve),
        ..Misbehaviour::default()
    });
    let begun = stage.rail().begin(&io(), &made, now()).await;
    if let Ok(begun) = &begun {
        assert!(is_open(said_by(begun)) || !stage.signs(), "{begun:?}");
        let back = stage.act(&made, begun, "approve").await;
        if let Some(Ok(heard)) = back.map(|back| stage.rail().returned(&back, now())) {
            assert_eq!(heard.told, Told::Ask);
        }
    }
    for callback in stage.desk().callbacks() {
        if let Ok(heard) = hear(stage, &callback).await {
            assert_eq!(heard.told, Told::Ask, "a callback with a wrong signature");
        }
    }
}

/// Another amount or another currency is told, with a right signature: it is told as it is, or not believed, and never taken for
/// the price.
pub async fn wrong_price(stage: &dyn Stage) {
    for (number, amount_off, wrong_currency) in [(130, 1, false), (131, -1, false), (132, 0, true)] {
        if wrong_currency && !stage.names_currency() {
            continue;
        }
        stage.desk().misbehave(Misbehaviour {
            amount_off,
            wrong_currency,
            outcome: Some(Outcome::Approve),
            ..Misbehaviour::default()
        });
        let made = order(stage, number);
        let Ok(begun) = stage.rail().begin(&io(), &made, now()).await else {
            continue;
        };
        let claimed = matches!(said_by(&begun), Statement::Succeeded { paid, .. } if *paid == made.price);
        assert!(!claimed, "{begun:?}");
        let made = keeping(made, said_by(&begun));
        if let Some(back) = stage.act(&made, &begun, "approve").await
            && let Ok(heard) = stage.rail().returned(&back, now())
        {
            assert!(!says_paid(&heard, made.price), "{:?}", heard.told);
        }
        for callback in callbacks_of(stage, &made) {
            if let Ok(heard) = hear(stage, &callback).await {
                assert!(!says_paid(&heard, made.price), "{:?}", heard.told);
            }
        }
        if stage.inquiry_names_price()
            && let Ok(said) = ask(stage, &made).await
        {
            assert!(!is_paid(&said, made.price), "{said:?}");
        }
    }
}

/// Bytes that are no message: refused, nothing learned.
pub async fn garbage(stage: &dyn Stage) {
    let Went { order, .. } = go(stage, 140, Outcome::Approve).await;
    let huge = vec![b'a'; rails::limits::BODY_BYTES_MAX + 1];
    let deep = [vec![b'['; 50_000], b"{\"a\":".to_vec()].concat();
    let bodies: [&[u8]; 10] = [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"a=1&a=1",
        b"%",
        &huge,
        &deep,
    ];
    let mut whats = vec![
        "ipn".to_owned(),
        "webhook".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ];
    let template = callbacks_of(stage, &order).into_iter().next();
    let (headers, path) = match &template {
        Some(callback) => (callback.headers.clone(), arriving(stage, callback).0),
        None => (Vec::new(), "ipn".to_owned()),
    };
    whats.push(path);
    for what in &whats {
        for body in bodies {
            for method in [Method::Get, Method::Post] {
                let request = HttpRequest {
                    method,
                    url: format!(
                        "/rails/x/{what}?{}",
                        String::from_utf8_lossy(&body[..body.len().min(200)])
                    ),
                    headers: headers.clone(),
                    body: body.to_vec(),
                    timeout_ms: 0,
                };
                if let Ok(heard) = stage.rail().callback(&io(), what, &request, now()).await {
                    assert_eq!(heard.told, Told::Ask, "{what}");
                    assert_eq!(heard.about, None, "{what}");
                }
                if let Ok(heard) = stage.rail().returned(&request, now()) {
                    assert_eq!((heard.told, heard.about), (Told::Ask, None));
                }
            }
        }
    }
    // What repeats a field of a genuine message is not genuine.
    if let Some(callback) = template.filter(|callback| callback.body.ends_with(b"}")) {
        let mut body = callback.body.clone();
        body.truncate(body.len() - 1);
        let first = String::from_utf8(body.clone()).unwrap();
        let member = first[1..].split_once(',').unwrap().0.to_owned();
        body.extend(format!(",{member}}}").bytes());
        let doubled = Callback { body, ..callback };
        assert!(hear(stage, &doubled).await.is_err());
    }
}

/// Given back once, however often it is asked for and whatever gets lost.
pub async fn refund(stage: &dyn Stage) {
    if !stage.refunds() {
        let Went { order, .. } = go(stage, 150, Outcome::Approve).await;
        let said = stage.rail().refund(&io(), &order, order.price, now()).await;
        assert_eq!(said, Err(RailError::Unsupported));
        return;
    }
    for (number, before, after, repeat_refunds) in [
        (150, 0, 0, false),
        (151, 1, 0, false),
        (152, 0, 1, false),
        (153, 0, 1, true),
    ] {
        stage.desk().misbehave(Misbehaviour::default());
        let order = paid_order(stage, number).await;
        stage.desk().misbehave(Misbehaviour {
            drop_before_commit: before,
            drop_after_commit: after,
            repeat_refunds,
            ..Misbehaviour::default()
        });
        let first = stage.rail().refund(&io(), &order, order.price, now()).await;
        match (before + after, &first) {
            (0, Ok(Statement::Refunded { .. })) => {}
            (1, Ok(Statement::Pending { .. }) | Err(RailError::Transport(TransportError::Unknown))) => {}
            _ => panic!("{first:?}"),
        }
        for _ in 0..2 {
            let again = stage
                .rail()
                .inquire_refund(&io(), &order, order.price, now())
                .await
                .unwrap();
            assert!(matches!(again, Statement::Refunded { .. }), "{again:?}");
            let again = stage
                .rail()
                .refund(&io(), &order, order.price, now())
                .await
                .unwrap();
            assert!(matches!(again, Statement::Refunded { .. }), "{again:?}");
        }
        assert_eq!(stage.desk().count(&order.id.to_string(), Direction::Refund), 1);
        assert_eq!(stage.desk().net(&order.id.to_string()), 0);
    }
}

/// Part of it given back, once.
pub async fn refund_part(stage: &dyn Stage) {
    if !stage.refunds_parts() {
        return;
    }
    let order = paid_order(stage, 160).await;
    let half = Price {
        amount: Money(order.price.amount.micros() / 2 / 10_000 * 10_000),
        ..order.price
    };
    for _ in 0..2 {
        let said = stage.rail().refund(&io(), &order, half, now()).await.unwrap();
        assert!(matches!(said, Statement::Refunded { .. }), "{said:?}");
    }
    assert_eq!(
        stage.desk().net(&order.id.to_string()),
        minor(order.price) - minor(half)
    );
}

/// Refused, or nothing to give back: nothing moves, and nobody says that it did.
pub async fn refund_refused(stage: &dyn Stage) {
    if !stage.refunds() {
        return;
    }
    let order = paid_order(stage, 170).await;
    stage.desk().misbehave(Misbehaviour {
        refuse_refunds: true,
        ..Misbehaviour::default()
    });
    let said = stage
        .rail()
        .refund(&io(), &order, order.price, now())
        .await
        .unwrap();
    assert!(matches!(said, Statement::RefundRefused { .. }), "{said:?}");
    assert_eq!(stage.desk().net(&order.id.to_string()), minor(order.price));
    stage.desk().misbehave(Misbehaviour::default());
    let Went { order, .. } = go(stage, 171, Outcome::Decline).await;
    let said = stage.rail().refund(&io(), &order, order.price, now()).await;
    assert!(!matches!(said, Ok(Statement::Refunded { .. })), "{said:?}");
    let dear = Price {
        amount: Money(order.price.amount.micros() + 1),
        // ISO 4217: reserved for tests.
        currency: Currency::parse("XTS").unwrap(),
    };
    assert!(stage.rail().refund(&io(), &order, dear, now()).await.is_err());
}

/// The settlement file says exactly what the sandbox took and gave back.
pub async fn settlement(stage: &dyn Stage) {
    let mut orders: Vec<Order> = Vec::new();
    for number in [180, 181, 182] {
        orders.push(paid_order(stage, number).await);
    }
    go(stage, 183, Outcome::Decline).await;
    if stage.refunds() {
        stage
            .rail()
            .refund(&io(), &orders[1], orders[1].price, now())
            .await
            .unwrap();
    }
    let file = stage.settlement_file();
    let lines = stage.rail().settlement(&file).unwrap();
    let movements = stage.desk().movements();
    assert_eq!(lines.len(), movements.len());
    for (line, movement) in lines.iter().zip(&movements) {
        assert_eq!(
            line.payment.map(|id| id.to_string()),
            Some(movement.order.clone())
        );
        assert_eq!(line.reference, movement.reference);
        assert_eq!(
            (minor(line.gross), line.gross.currency.as_str()),
            (movement.minor, movement.currency.as_str())
        );
        assert_eq!(line.at, Timestamp::from_seconds(movement.at_s));
        let kind = match movement.direction {
            Direction::Payment => SettlementKind::Payment,
            Direction::Refund => SettlementKind::Refund,
            Direction::Chargeback => SettlementKind::Chargeback,
        };
        assert_eq!(line.kind, kind);
    }
    // Cut anywhere inside a line, it is no file; nor is it with another byte order.
    assert!(stage.rail().settlement(&file[..file.len() - 9]).is_err());
    assert!(stage.rail().settlement(b"\xff\xff").is_err());
    assert!(stage.rail().settlement(b"").is_err());
}

/// Words, prices and references that could break a wire format.
pub async fn hostile_order(stage: &dyn Stage) {
    for (number, description) in (190..).zip([
        "<script>alert('1')</script> & \"quotes\" {a:b|c=d*e%f/g}",
        "لوڈ ۱۰۰ روپے\r\nX-Header: 1",
        "",
        &"long ".repeat(200),
        "\u{0}\u{1b}[31m\u{202e}emoji 😀",
    ]) {
        stage.desk().misbehave(Misbehaviour {
            outcome: Some(Outcome::Approve),
            ..Misbehaviour::default()
        });
        let mut made = order(stage, number);
        description.clone_into(&mut made.description);
        let (made, begun) = begin(stage, made).await;
        stage.act(&made, &begun, "approve").await;
        let said = ask(stage, &made).await.unwrap();
        assert!(is_paid(&said, made.price), "{description:?}: {said:?}");
    }
    for amount in [Money(0), Money(-1_000_000), Money(1), Money(1_000_001)] {
        let mut made = order(stage, 199);
        made.price.amount = amount;
        let refused = stage.rail().begin(&io(), &made, now()).await;
        assert!(
            matches!(refused, Err(RailError::NotTaken(_))),
            "{amount:?}: {refused:?}"
        );
    }
}

/// The buttons of the page do what they say.
pub async fn buttons(stage: &dyn Stage) {
    for (number, click) in [(200, "approve"), (201, "decline"), (202, "cancel")] {
        let (order, begun) = begin(stage, order(stage, number)).await;
        if matches!(begun, rails::Begun::Said(_) | rails::Begun::Show { .. }) {
            return;
        }
        let back = stage.act(&order, &begun, click).await.unwrap();
        assert!(
            back.url.starts_with(&order.return_url[SHOP.len()..]),
            "{}",
            back.url
        );
        let said = ask(stage, &order).await.unwrap();
        match click {
            "approve" => assert!(is_paid(&said, order.price), "{said:?}"),
            "cancel" if stage.lacks().contains(&Outcome::Cancel) => assert!(is_open(&said), "{said:?}"),
            _ => assert!(matches!(said, Statement::Failed { .. }), "{click}: {said:?}"),
        }
    }
}

async fn paid_order(stage: &dyn Stage, number: u64) -> Order {
    let Went { order, .. } = go(stage, number, Outcome::Approve).await;
    let said = ask(stage, &order).await.unwrap();
    assert!(is_paid(&said, order.price), "{said:?}");
    keeping(order, &said)
}

/// Every byte of path, header values and body changed, one at a time.
fn mutations(callback: &Callback) -> Vec<Callback> {
    let mut all = Vec::new();
    for flip in [1u8, 16] {
        for place in 0..callback.body.len() {
            let mut changed = callback.clone();
            changed.body[place] ^= flip;
            all.push(changed);
        }
        for (index, (_, value)) in callback.headers.iter().enumerate() {
            for place in 0..value.len() {
                let mut changed = callback.clone();
                changed.headers[index].1 = flipped(value, place, flip);
                all.push(changed);
            }
        }
        let query = callback.path.find('?').unwrap_or(callback.path.len());
        for place in query..callback.path.len() {
            let mut changed = callback.clone();
            changed.path = flipped(&callback.path, place, flip);
            all.push(changed);
        }
    }
    all
}

fn return_mutations(back: &HttpRequest) -> Vec<HttpRequest> {
    let mut all = Vec::new();
    for place in 0..back.body.len() {
        let mut changed = back.clone();
        changed.body[place] ^= 1;
        all.push(changed);
    }
    for place in back.url.find('?').unwrap_or(back.url.len())..back.url.len() {
        let mut changed = back.clone();
        changed.url = flipped(&back.url, place, 1);
        all.push(changed);
    }
    all
}

fn flipped(text: &str, place: usize, flip: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[place] ^= flip;
    String::from_utf8_lossy(&bytes).into_owned()
}
