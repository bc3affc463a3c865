//! The sender against the simulated message centre over real sockets.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sim::smsc::Smsc;
use wire::smpp::{CentreConfig, MessageIdShape, Misbehaviour, ReceiptTiming};
use wire::sms::strip_isolates;

use super::config::ConcatenationName;
use super::*;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// An outbox in memory that remembers what it was told, and can be made to fail.
#[derive(Default)]
pub struct MemoryOutbox {
    rows: Mutex<BTreeMap<EventPlace, Row>>,
    broken: Mutex<bool>,
}

pub struct Row {
    message: OutboxMessage,
    due_micros: i64,
    pub sent: bool,
    pub delivered: bool,
    failed: Option<String>,
}

impl MemoryOutbox {
    pub fn add(&self, number: i64, msisdn: &str, text: &str) {
        let id = place(number);
        let message = OutboxMessage {
            id,
            msisdn: msisdn.to_owned(),
            text: text.to_owned(),
            attempts: 0,
        };
        let row = Row {
            message,
            due_micros: 0,
            sent: false,
            delivered: false,
            failed: None,
        };
        self.rows.lock().insert(id, row);
    }

    fn count(&self, wanted: impl Fn(&Row) -> bool) -> usize {
        self.rows.lock().values().filter(|row| wanted(row)).count()
    }

    pub async fn wait_until(&self, what: &str, wanted: impl Fn(&Row) -> bool) {
        let patience = async {
            while self.count(&wanted) < self.rows.lock().len() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, patience).await.is_ok();
        assert!(
            in_time,
            "{what}: {} of {}",
            self.count(&wanted),
            self.rows.lock().len()
        );
    }
}

impl Outbox for MemoryOutbox {
    fn pending(&self, limit: usize, now_micros: i64, _: &HashSet<EventPlace>) -> anyhow::Result<Page> {
        anyhow::ensure!(!*self.broken.lock(), "the disk is gone");
        let rows = self.rows.lock();
        let due = |row: &&Row| !row.sent && row.failed.is_none() && row.due_micros <= now_micros;
        // Also what is in hand: the sender must know it.
        let due = rows.values().filter(due).take(limit);
        let messages: Vec<OutboxMessage> = due.map(|row| row.message.clone()).collect();
        Ok(Page {
            looked_at: messages.len(),
            messages,
        })
    }

    fn settle(&self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        anyhow::ensure!(!*self.broken.lock(), "the disk is gone");
        let mut rows = self.rows.lock();
        for outcome in outcomes {
            let row = rows
                .get_mut(&outcome.id())
                .expect("outcomes are about rows that exist");
            match outcome {
                Outcome::Sent { .. } => row.sent = true,
                Outcome::Failed {
                    retry_at_micros: Some(at),
                    ..
                } => row.due_micros = *at,
                Outcome::Failed { reason, .. } => row.failed = Some(reason.clone()),
                Outcome::Delivered { .. } => row.delivered = true,
                Outcome::Undelivered { state, .. } => row.failed = Some((*state).to_owned()),
            }
        }
        Ok(())
    }
}

pub fn config(smsc: &Smsc) -> SmsConfig {
    SmsConfig {
        address: smsc.address().to_string(),
        password: "secret".to_owned(),
        sender: "8000".to_owned(),
        response_timeout_ms: 300,
        reconnect_min_ms: 10,
        reconnect_max_ms: 100,
        outbox_interval_ms: 20,
        retry_after_ms: 50,
        ..SmsConfig::default()
    }
}

pub async fn centre(config: CentreConfig) -> Smsc {
    Smsc::start("127.0.0.1:0".parse().expect("an address"), config)
        .await
        .expect("a free port")
}

fn place(number: i64) -> EventPlace {
    EventPlace {
        partition: 1,
        seq: number.unsigned_abs(),
        index: 0,
    }
}

pub fn msisdn(number: i64) -> String {
    format!("9230{number:08}")
}

pub const ENGLISH: &str =
    "You received Rs 100. Tax Rs 13.04. New balance Rs 86.96. Thank you for using Jazz.";
pub const URDU: &str = "آپ کے نمبر +92 300 1234567 پر 100 روپے کا ریچارج ہو گیا ہے۔ ٹیکس 13.04 روپے، نیا بیلنس 86.96 روپے۔ \
                    پیکج دیکھنے کے لیے *111# ملائیں۔ یہ سہولت 2026-12-31 تک ہے۔ شکریہ!";
pub const CHINESE: &str = "您的号码 +92 300 1234567 已成功充值 100 卢比。税费 13.04 卢比，新余额 86.96 卢比。\
                       查询套餐请拨打 *111#。有效期至 2026-12-31。感谢您的使用！祝您生活愉快，通话顺利。🙂";

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_messages_arrive_through_a_centre_that_misbehaves() {
    let misbehaviour = Misbehaviour {
        throttle_every: 97,
        drop_response_every: 151,
        garbage_every: 211,
        nack_every: 307,
        unbind_after: 700,
        ..Misbehaviour::default()
    };
    let smsc = centre(CentreConfig {
        misbehaviour,
        receipt_timing: ReceiptTiming::Twice,
        message_id: MessageIdShape::Uuid,
        ..CentreConfig::default()
    })
    .await;
    let outbox = Arc::new(MemoryOutbox::default());
    for id in 0..2_000 {
        let text = [ENGLISH, URDU, CHINESE][usize::try_from(id % 3).expect("small")];
        outbox.add(id, &msisdn(id), &format!("{text} {id}"));
    }
    let (sender, _incoming) = SmsSender::start(config(&smsc), outbox.clone());
    outbox.wait_until("sent", |row| row.sent).await;
    let inbox = smsc.inbox();
    for id in 0..2_000 {
        let text = [ENGLISH, URDU, CHINESE][usize::try_from(id % 3).expect("small")];
        let messages = inbox.messages(&msisdn(id));
        assert!(!messages.is_empty(), "message {id} arrived");
        for message in messages {
            assert_eq!(
                strip_isolates(&message.text),
                format!("{text} {id}"),
                "message {id} is whole"
            );
        }
    }
    let status = sender.status();
    assert!(smsc.bind_count() >= 3, "the centre sent unbind: {status:?}");
    assert!(
        status.repeated > 0 && status.throttled > 0,
        "the centre misbehaved: {status:?}"
    );
    sender.stop().await;
    smsc.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_arrive_whole_in_every_kind_of_concatenation() {
    use ConcatenationName::{Payload, Sar, Udh8, Udh16};
    for (concatenation, urdu_tables) in [
        (Udh8, false),
        (Udh16, false),
        (Sar, false),
        (Payload, false),
        (Udh8, true),
        (Sar, true),
        (Payload, true),
    ] {
        let smsc = centre(CentreConfig::default()).await;
        let outbox = Arc::new(MemoryOutbox::default());
        for (id, text) in [ENGLISH, URDU, CHINESE].iter().enumerate() {
            outbox.add(i64::try_from(id).expect("small"), &msisdn(1), &text.repeat(3));
        }
        let config = SmsConfig {
            concatenation,
            urdu_tables,
            ..config(&smsc)
        };
        let (sender, _incoming) = SmsSender::start(config, outbox.clone());
        outbox.wait_until("delivered", |row| row.delivered).await;
        let texts: Vec<String> = smsc
            .inbox()
            .messages(&msisdn(1))
            .iter()
            .map(|message| strip_isolates(&message.text))
            .collect();
        for text in [ENGLISH, URDU, CHINESE] {
            assert!(
                texts.contains(&text.repeat(3)),
                "{concatenation:?} {urdu_tables} {text}"
            );
        }
        sender.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_in_urdu_are_isolated_on_the_handset() {
    let smsc = centre(CentreConfig::default()).await;
    let outbox = Arc::new(MemoryOutbox::default());
    outbox.add(1, &msisdn(1), "نیا بیلنس 86.96 روپے");
    let (sender, _incoming) = SmsSender::start(config(&smsc), outbox);
    let message = smsc
        .inbox()
        .wait_for(&msisdn(1), PATIENCE, |_| true)
        .await
        .expect("it arrives");
    assert_eq!(message.text, "نیا بیلنس \u{2066}86.96\u{2069} روپے");
    assert_eq!(
        (message.from.as_str(), message.encoding, message.parts),
        ("8000", "UCS-2", 1)
    );
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_that_comes_late_goes_and_comes_back_costs_nothing_but_time() {
    let address = centre(CentreConfig::default()).await.address();
    let outbox = Arc::new(MemoryOutbox::default());
    outbox.add(1, &msisdn(1), "before it is there");
    let late = SmsConfig {
        address: address.to_string(),
        reconnect_min_ms: 10,
        reconnect_max_ms: 50,
        ..SmsConfig::default()
    };
    let (sender, _incoming) = SmsSender::start(late, outbox.clone());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(outbox.count(|row| row.sent), 0);
    let first = Smsc::start(address, CentreConfig::default())
        .await
        .expect("the port is free again");
    outbox.wait_until("sent when it came", |row| row.sent).await;
    first.stop().await;
    outbox.add(2, &msisdn(2), "while it is away");
    sender.wake();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = Smsc::start(address, CentreConfig::default())
        .await
        .expect("the port is free again");
    outbox.wait_until("sent when it came back", |row| row.sent).await;
    assert_eq!(second.inbox().messages(&msisdn(2)).len(), 1);
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_fails_for_a_while_sends_nothing_twice() {
    let smsc = centre(CentreConfig::default()).await;
    let outbox = Arc::new(MemoryOutbox::default());
    for id in 0..50 {
        outbox.add(id, &msisdn(id), ENGLISH);
    }
    let (sender, _incoming) = SmsSender::start(config(&smsc), outbox.clone());
    smsc.inbox()
        .wait_for(&msisdn(0), PATIENCE, |_| true)
        .await
        .expect("the first arrives");
    *outbox.broken.lock() = true;
    tokio::time::sleep(Duration::from_millis(200)).await;
    *outbox.broken.lock() = false;
    outbox.wait_until("sent", |row| row.sent).await;
    assert_eq!(smsc.inbox().received_count(), 50);
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_given_up_with_a_reason() {
    let smsc = centre(CentreConfig::default()).await;
    let outbox = Arc::new(MemoryOutbox::default());
    outbox.add(1, "not a number", "x");
    outbox.add(2, &msisdn(2), &"x".repeat(5_000));
    let (sender, _incoming) = SmsSender::start(config(&smsc), outbox.clone());
    outbox.wait_until("given up", |row| row.failed.is_some()).await;
    let reasons: Vec<Option<String>> = outbox
        .rows
        .lock()
        .values()
        .map(|row| row.failed.clone())
        .collect();
    assert_eq!(reasons[0].as_deref(), Some("the number is not E.164"));
    assert_eq!(
        reasons[1].as_deref(),
        Some("the text needs 33 parts, 10 are allowed")
    );
    let rejecting = Misbehaviour {
        reject_every: 1,
        ..Misbehaviour::default()
    };
    smsc.set_config(CentreConfig {
        misbehaviour: rejecting,
        ..CentreConfig::default()
    });
    outbox.add(3, &msisdn(3), "refused");
    outbox.wait_until("given up", |row| row.failed.is_some()).await;
    assert_eq!(
        outbox.rows.lock()[&place(3)].failed.as_deref(),
        Some("command_status 0x0000000b")
    );
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_go_before_the_outbox_and_expire() {
    let slow = Misbehaviour {
        response_delay_micros: 20_000,
        ..Misbehaviour::default()
    };
    let smsc = centre(CentreConfig {
        misbehaviour: slow,
        ..CentreConfig::default()
    })
    .await;
    let outbox = Arc::new(MemoryOutbox::default());
    for id in 0..500 {
        outbox.add(id, &msisdn(id), ENGLISH);
    }
    let (sender, _incoming) = SmsSender::start(
        SmsConfig {
            window: 4,
            ..config(&smsc)
        },
        outbox.clone(),
    );
    smsc.inbox()
        .wait_for(&msisdn(0), PATIENCE, |_| true)
        .await
        .expect("the outbox is being emptied");
    let code = sender
        .send_now("+923219999999", "Your code is 482913", Duration::from_secs(60))
        .expect("room");
    assert_eq!(code.await, Ok(InstantOutcome::Sent));
    assert!(
        outbox.count(|row| row.sent) < 400,
        "the code did not wait for the outbox"
    );
    let message = &smsc.inbox().messages("923219999999")[0];
    assert_eq!(message.text, "Your code is 482913");
    let silent = Misbehaviour {
        silent: true,
        ..Misbehaviour::default()
    };
    smsc.set_config(CentreConfig {
        misbehaviour: silent,
        ..CentreConfig::default()
    });
    let late = sender
        .send_now("923218888888", "too late", Duration::ZERO)
        .expect("room");
    let outcome = tokio::time::timeout(PATIENCE, late).await.expect("it is told");
    assert_eq!(outcome, Ok(InstantOutcome::Expired));
    let refused = sender
        .send_now("nobody", "x", Duration::from_secs(1))
        .expect("room");
    assert_eq!(refused.await, Ok(InstantOutcome::Refused));
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_from_a_handset_comes_out_whole() {
    let smsc = centre(CentreConfig::default()).await;
    let (sender, mut incoming) = SmsSender::start(config(&smsc), Arc::new(MemoryOutbox::default()));
    while !sender.status().bound {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    smsc.send_from_handset("923001234567", "8000", CHINESE)
        .expect("a client is there");
    let received = tokio::time::timeout(PATIENCE, incoming.recv())
        .await
        .expect("it comes");
    let expected = IncomingSms {
        from: "923001234567".into(),
        to: "8000".into(),
        text: CHINESE.into(),
    };
    let heard = received.expect("the sender is there");
    assert_eq!(heard.sms, expected);
    heard.confirm.done();
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_that_never_answers_does_not_fill_the_handset() {
    let mute = Misbehaviour {
        drop_response_every: 1,
        ..Misbehaviour::default()
    };
    let smsc = centre(CentreConfig {
        misbehaviour: mute,
        ..CentreConfig::default()
    })
    .await;
    let outbox = Arc::new(MemoryOutbox::default());
    outbox.add(1, &msisdn(1), ENGLISH);
    let patient = SmsConfig {
        response_timeout_ms: 20,
        retry_after_ms: 60_000,
        ..config(&smsc)
    };
    let (sender, _incoming) = SmsSender::start(patient, outbox.clone());
    outbox.wait_until("put off", |row| row.due_micros > 0).await;
    let code = sender
        .send_now(&msisdn(2), "482913", Duration::from_secs(60))
        .expect("room");
    assert_eq!(code.await, Ok(InstantOutcome::Unknown));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        smsc.inbox().messages(&msisdn(1)).len(),
        2,
        "once, and once more in case the first was lost"
    );
    assert_eq!(smsc.inbox().messages(&msisdn(2)).len(), 2);
    assert_eq!(
        outbox.count(|row| row.sent || row.failed.is_some()),
        0,
        "it is still to be sent"
    );
    sender.stop().await;
}
