//! The PreTUPS connector against its sandbox, over sockets: the same cases as the suite of the rails. Whatever is cut off, said
//! twice or said wrongly, a sale is credited once or refused, and never sold a second time before the far side has spoken.

use charge::payment::PaymentId;
use charge::{Money, Msisdn};
use rails::connector::pretups::{Config, Meaning, Pretups as Client};
use rails::connector::{Connector as _, Delivery, Sale};
use rails::secret::Secret;
use rails::{RailError, TransportError};
use sim::now;
use sim::rails::pretups::{Account, Pretups};
use sim::rails::transport::Loopback;
use sim::rails::{Direction, Misbehaviour, Outcome, Served};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct Stage {
    far: Arc<Pretups>,
    client: Client,
    io: Loopback,
    _served: Served,
}

fn config(url: &str, account: &Account) -> Config {
    let secret = |text: &str| Secret::new(text).unwrap();
    Config {
        code: "ufone-pretups".to_owned(),
        url: format!("{url}/pretups/C2SReceiver"),
        login: secret(&account.login),
        password: secret(&account.password),
        gateway_code: account.gateway.clone(),
        service_port: 190,
        network_code: account.network.clone(),
        retailer: account.retailer.clone(),
        pin: secret(&account.pin),
        external_code: String::new(),
        strip_prefix: "92".to_owned(),
        codes: BTreeMap::from([("1006".to_owned(), Meaning::Unheard)]),
        on_its_way_s: 180,
        offset_s: 18_000,
    }
}

async fn stage() -> Stage {
    let account = Account::default();
    let far = Pretups::new(account.clone());
    let served = far.serve(0).await.unwrap();
    Stage {
        client: Client::new(config(&served.url, &account)).unwrap(),
        far,
        io: Loopback::new().unwrap().with_longest(Duration::from_millis(400)),
        _served: served,
    }
}

fn sale(number: u64) -> Sale {
    Sale {
        id: PaymentId::new(923_331_112_223, number).unwrap(),
        msisdn: Msisdn::parse("923331112223").unwrap(),
        amount: Money::from_units(100),
        tried_at: None,
    }
}

impl Stage {
    async fn sell(&self, sale: &Sale) -> Result<Delivery, RailError> {
        self.client.sell(&self.io, sale, now()).await
    }

    async fn again(&self, sale: &Sale, seconds_ago: i64) -> Result<Delivery, RailError> {
        let tried_at = Some(now().plus(-seconds_ago * 1_000_000));
        self.sell(&Sale {
            tried_at,
            ..sale.clone()
        })
        .await
    }

    fn misbehave(&self, wrong: Misbehaviour) {
        self.far.desk.misbehave(wrong);
    }

    fn credits(&self, sale: &Sale) -> usize {
        self.far.desk.count(&sale.id.to_string(), Direction::Payment)
    }
}

fn is_delivered(said: &Result<Delivery, RailError>) -> bool {
    matches!(said, Ok(Delivery::Delivered { reference }) if !reference.is_empty())
}

fn is_pending(said: &Result<Delivery, RailError>) -> bool {
    matches!(said, Ok(Delivery::Pending { .. }))
}

fn is_refused(said: &Result<Delivery, RailError>) -> bool {
    matches!(said, Ok(Delivery::Refused { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn success_once() {
    let stage = stage().await;
    let sale = sale(1);
    let said = stage.sell(&sale).await;
    assert!(is_delivered(&said), "{said:?}");
    assert_eq!(stage.again(&sale, 5).await, said, "asking again changes nothing");
    assert_eq!(stage.client.status(&stage.io, &sale, now()).await, said);
    assert_eq!(stage.credits(&sale), 1);
    let known = stage.far.sales();
    assert_eq!(
        (known[0].subscriber.as_str(), known[0].minor),
        ("3331112223", 10_000)
    );
    // The same reference sent again by mistake is not credited again, and is not taken for a refusal.
    let said = stage.sell(&sale).await;
    assert!(is_pending(&said), "{said:?}");
    assert_eq!(stage.credits(&sale), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused() {
    let stage = stage().await;
    for (number, outcome) in [(1, Outcome::Decline), (2, Outcome::Limit), (3, Outcome::Payer)] {
        stage.misbehave(Misbehaviour {
            outcome: Some(outcome),
            ..Misbehaviour::default()
        });
        let said = stage.sell(&sale(number)).await;
        assert!(is_refused(&said), "{outcome:?}: {said:?}");
        assert!(is_refused(&stage.again(&sale(number), 600).await));
        assert_eq!(stage.credits(&sale(number)), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_before_and_after_the_credit() {
    let stage = stage().await;
    let (before, after) = (sale(1), sale(2));
    stage.misbehave(Misbehaviour {
        drop_before_commit: 1,
        ..Misbehaviour::default()
    });
    assert!(is_pending(&stage.sell(&before).await));
    // It may be on its way for three minutes: asked, and not sent.
    assert!(is_pending(&stage.again(&before, 100).await));
    assert_eq!((stage.credits(&before), stage.far.sales().len()), (0, 0));
    assert!(is_delivered(&stage.again(&before, 181).await));
    stage.misbehave(Misbehaviour {
        drop_after_commit: 1,
        ..Misbehaviour::default()
    });
    assert!(is_pending(&stage.sell(&after).await));
    assert!(
        is_delivered(&stage.again(&after, 600).await),
        "asked first, so not sent a second time"
    );
    assert_eq!((stage.credits(&before), stage.credits(&after)), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_slow_and_hidden() {
    let stage = stage().await;
    let (late, hidden, unknown) = (sale(1), sale(2), sale(3));
    stage.misbehave(Misbehaviour {
        late_ms: 1_000,
        slow_inquiries: 2,
        ..Misbehaviour::default()
    });
    assert!(is_pending(&stage.sell(&late).await), "no answer in time");
    for _ in 0..2 {
        assert!(is_pending(&stage.again(&late, 600).await));
    }
    assert!(is_delivered(&stage.again(&late, 600).await));
    stage.misbehave(Misbehaviour {
        outcome: Some(Outcome::Hidden),
        ..Misbehaviour::default()
    });
    assert!(is_pending(&stage.sell(&hidden).await));
    assert!(is_delivered(&stage.again(&hidden, 5).await));
    for (number, credited) in [(3, true), (4, false)] {
        stage.misbehave(Misbehaviour {
            outcome: Some(Outcome::Unknown),
            ..Misbehaviour::default()
        });
        let open = Sale { ..sale(number) };
        assert!(is_pending(&stage.sell(&open).await));
        assert!(
            is_pending(&stage.again(&open, 9_000).await),
            "however long it takes"
        );
        stage.far.settle(&open.id.to_string(), credited);
        let said = stage.again(&open, 9_000).await;
        assert_eq!(
            (is_delivered(&said), is_refused(&said)),
            (credited, !credited),
            "{said:?}"
        );
    }
    let credits = [&late, &hidden, &unknown].map(|sale| stage.credits(sale));
    assert_eq!(credits, [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_wrong_credentials_and_nobody_there() {
    let stage = stage().await;
    let lied = sale(1);
    stage.misbehave(Misbehaviour {
        tamper: true,
        ..Misbehaviour::default()
    });
    assert!(
        is_pending(&stage.sell(&lied).await),
        "an answer about another sale says nothing"
    );
    assert!(is_pending(&stage.again(&lied, 600).await));
    stage.misbehave(Misbehaviour::default());
    assert!(is_delivered(&stage.again(&lied, 600).await));
    assert_eq!(stage.credits(&lied), 1);

    let mut wrong = config(&stage._served.url, &Account::default());
    wrong.pin = Secret::new("1111").unwrap();
    let wrong = Client::new(wrong).unwrap();
    let said = wrong.sell(&stage.io, &sale(2), now()).await;
    assert!(is_pending(&said), "our own mistake is not the payer's: {said:?}");
    assert!(wrong.balance(&stage.io, now()).await.is_err());
    assert_eq!(stage.credits(&sale(2)), 0);

    let nobody = Client::new(config("http://127.0.0.1:1", &Account::default())).unwrap();
    let said = nobody.sell(&stage.io, &sale(3), now()).await;
    assert_eq!(said, Err(RailError::Transport(TransportError::NotSent)));
    let odd = Sale {
        amount: Money(1_234_567),
        ..sale(4)
    };
    assert_eq!(stage.sell(&odd).await, Err(RailError::NotTaken("amount")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balance_and_reversal() {
    let stage = stage().await;
    assert_eq!(
        stage.client.balance(&stage.io, now()).await,
        Ok(Some(Money::from_units(1_000_000)))
    );
    let sale = sale(1);
    let Ok(Delivery::Delivered { reference }) = stage.sell(&sale).await else {
        panic!("delivered");
    };
    let left = Money::from_units(999_900);
    assert_eq!(stage.client.balance(&stage.io, now()).await, Ok(Some(left)));
    for _ in 0..2 {
        let said = stage.client.reverse(&stage.io, &sale, &reference, now()).await;
        assert!(is_delivered(&said), "{said:?}");
    }
    assert_eq!(stage.far.desk.net(&sale.id.to_string()), 0, "taken back once");
    stage.misbehave(Misbehaviour {
        refuse_refunds: true,
        ..Misbehaviour::default()
    });
    let said = stage.client.reverse(&stage.io, &sale, &reference, now()).await;
    assert!(is_refused(&said), "{said:?}");
    let shown = format!("{:?}", stage.client);
    let account = Account::default();
    for secret in [&account.login, &account.password, &account.pin] {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
}
