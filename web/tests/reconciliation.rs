//! Reconciliation over HTTP: a settlement file against real payments in a real engine and its SQLite files; exceptions and
//! their remedies. The rail's answers are the test's own.

mod common;

use charge::payment::{CreatePayment, Destination, PaymentAction, PaymentId, PaymentState, Price, Statement};
use charge::promotion::ChannelClass;
use charge::{Code, Command, Entity, EntityKey, Money, Msisdn, OperatorId};
use common::file_desk::FileDesk;
use common::{NUMBER, Service};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HEAD: &str = "order,reference,type,amount,fee,currency,time\n";
const PATH: &str = "/v1/reconciliations?rail=bank&day=2026-11-21";

fn rail() -> Code {
    Code::new("bank").unwrap()
}

struct Story {
    service: Service,
    desk: Arc<FileDesk>,
    paid: Vec<PaymentId>,
}

impl Story {
    /// A service that reconciles, and so many payments of Rs 100 of today.
    fn start(count: u64) -> Story {
        let mut made = None;
        let service = Service::start_paying(|core| {
            let desk = Arc::new(FileDesk {
                core: Arc::clone(core),
                said: Mutex::default(),
            });
            made = Some(Arc::clone(&desk));
            desk
        });
        let desk = made.expect("the service has asked for it");
        let mut story = Story {
            service,
            desk,
            paid: Vec::new(),
        };
        for number in 0..count {
            let id = story.begin(number);
            story.pay(id);
            story.paid.push(id);
        }
        story
    }

    fn account(&self) -> charge::AccountId {
        let number = EntityKey::Number(Msisdn::parse(NUMBER).unwrap());
        let entity = self.service.read(number);
        entity.as_ref().and_then(Entity::number).unwrap().account.unwrap()
    }

    fn begin(&self, number: u64) -> PaymentId {
        let (account, now) = (self.account(), self.service.now());
        let asked = CreatePayment {
            id: PaymentId::new(account.0, number).unwrap(),
            to: Destination::Account(account),
            msisdn: Msisdn::parse(NUMBER).unwrap(),
            operator: OperatorId(1),
            rail: rail(),
            gross: Money::from_units(100),
            price: Price::pkr(Money::from_units(100)),
            offer: Code::EMPTY,
            campaign: Code::EMPTY,
            class: ChannelClass::Unknown,
            region: Code::EMPTY,
            expires_at: now.plus(3_600_000_000),
            wanted_until: now.plus(7_200_000_000),
            payer: 9,
        };
        let id = asked.id;
        self.service.call_core(Command::CreatePayment(Box::new(asked)));
        id
    }

    fn pay(&self, id: PaymentId) {
        let action = PaymentAction::State(Self::success(id));
        let account = Some(self.account());
        self.service.call_core(Command::Payment { id, account, action });
    }

    fn success(id: PaymentId) -> Statement {
        Statement::Succeeded {
            paid: Price::pkr(Money::from_units(100)),
            reference: format!("R{id}"),
        }
    }

    fn line(id: PaymentId, amount: &str) -> String {
        format!("{id},R{id},payment,{amount},1.00,PKR,2026-11-21 17:00:00\n")
    }

    fn reconcile(&self, file: &str) -> serde_json::Value {
        let key = format!("Bearer {}", self.service.admin);
        let headers = [("authorization", key.as_str()), ("content-type", "text/csv")];
        let answer = self.service.send("POST", PATH, &headers, file);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Until the read models have all payments.
    fn settled(&self, file: &str, matched: u64) -> serde_json::Value {
        self.service
            .eventually(|| Some(self.reconcile(file)).filter(|found| found["matched"] == matched))
    }

    fn remedy(&self, id: &str, body: &str) -> common::Answer {
        let path = format!("/v1/exceptions/{id}");
        self.service.api(&self.service.admin, "POST", &path, body)
    }

    fn open(&self) -> Vec<serde_json::Value> {
        let list = self
            .service
            .api(&self.service.admin, "GET", "/v1/exceptions", "")
            .json();
        list["exceptions"].as_array().unwrap().clone()
    }

    fn state(&self, id: PaymentId) -> PaymentState {
        match self.service.read(id.key()) {
            Some(Entity::Payment(payment)) => payment.state,
            _ => panic!("there is no such payment"),
        }
    }
}

fn of_kind<'a>(all: &'a [serde_json::Value], kind: &str) -> &'a serde_json::Value {
    let mut found = all.iter().filter(|one| one["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind} in {all:#?}"));
    assert!(found.next().is_none(), "two of {kind}");
    one
}

#[test]
fn one_missing_one_extra_one_changed_line_are_three_exceptions() {
    let story = Story::start(8);
    let whole: String = story.paid.iter().map(|id| Story::line(*id, "100.00")).collect();
    let good = story.settled(&format!("{HEAD}{whole}"), 8);
    assert_eq!(
        (good["new"].as_u64(), good["paid"].as_str()),
        (Some(0), Some("800.00")),
        "{good:#}"
    );

    // Another day of the same story: everything is settled, so nothing is missing in a file that has none of it.
    let late = story.begin(100);
    story.pay(late);
    let changed = story.begin(101);
    story.pay(changed);
    let file = format!(
        "{HEAD}{}stray,S-1,payment,55.00,0,PKR,2026-11-21 17:00:00\n",
        Story::line(changed, "99.00")
    );
    // The read models follow: until they have both payments, the differences are others.
    let found = story.service.eventually(|| {
        let found = story.reconcile(&file);
        let all = found["exceptions"].as_array().unwrap();
        let has = |kind: &str| all.iter().any(|one| one["kind"] == kind);
        let whole = all.len() == 3 && has("amount-differs") && has("missing-in-file");
        whole.then(|| found.clone())
    });
    assert_eq!(found["matched"], 0);
    let again = story.reconcile(&file);
    assert_eq!(again["new"], 0, "twice is once");
    let open = story.open();
    let waiting: Vec<_> = open.iter().filter(|one| one["closed_at"].is_null()).collect();
    assert_eq!(waiting.len(), 3, "{open:#?}");

    // Missing: the rail says that it was paid.
    let missing = of_kind(&open, "missing-in-file");
    assert_eq!(missing["payment"], late.to_string());
    let id = missing["id"].as_str().unwrap();
    assert_eq!(
        story.remedy(id, r#"{"remedy":"own","owner":"sana"}"#).json()["owner"],
        "sana"
    );
    let unanswered = story.remedy(id, r#"{"remedy":"ask"}"#).json();
    assert!(unanswered["closed_at"].is_null(), "the rail did not answer");
    *story.desk.said.lock().unwrap() = Some(Story::success(late));
    assert_eq!(story.remedy(id, r#"{"remedy":"ask"}"#).json()["remedy"], "ask");
    assert_eq!(
        story.remedy(id, r#"{"remedy":"ask"}"#).status,
        422,
        "closed is closed"
    );

    // Extra: kept aside and sent back.
    let extra = of_kind(&open, "extra-in-file");
    let id = extra["id"].as_str().unwrap();
    assert_eq!(
        story.remedy(id, r#"{"remedy":"credit"}"#).status,
        422,
        "for whom?"
    );
    assert_eq!(
        story.remedy(id, r#"{"remedy":"confirm"}"#).status,
        422,
        "not for this kind"
    );
    assert_eq!(
        story.remedy(id, r#"{"remedy":"return"}"#).json()["remedy"],
        "return"
    );
    let suspense = PaymentId::of_suspense(rail(), "S-1");
    assert_eq!(story.state(suspense), PaymentState::RefundRequested);

    // Changed: the difference is accepted.
    let amount = of_kind(&open, "amount-differs");
    assert_eq!(
        (amount["file"].as_str(), amount["books"].as_str()),
        (Some("99.00"), Some("100.00"))
    );
    let id = amount["id"].as_str().unwrap();
    assert_eq!(
        story.remedy(id, r#"{"remedy":"dismiss"}"#).json()["remedy"],
        "dismiss"
    );
    assert!(story.open().is_empty());
    let csv = story.service.api(
        &story.service.admin,
        "GET",
        "/v1/exceptions?state=all&format=csv",
        "",
    );
    assert!(
        csv.body
            .lines()
            .filter(|line| line.contains(",bank,2026-11-21,"))
            .count()
            >= 3,
        "{}",
        csv.body
    );
    story
        .service
        .eventually(|| Some(()).filter(|()| story.reconcile(&file)["new"] == 0));
    assert!(story.open().is_empty(), "what was settled does not come back");
}

#[test]
fn paid_at_the_rail_and_not_here_is_credited_late() {
    let story = Story::start(0);
    let (asked, believed) = (story.begin(1), story.begin(2));
    let file = format!(
        "{HEAD}{}{}",
        Story::line(asked, "100.00"),
        Story::line(believed, "100.00")
    );
    let found = story.service.eventually(|| {
        let kinds = |one: &serde_json::Value| one["kind"] == "not-credited";
        Some(story.reconcile(&file)).filter(|found| {
            found["exceptions"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| kinds(one))
                .count()
                == 2
        })
    });
    let of = |id: PaymentId| {
        let all = found["exceptions"].as_array().unwrap().iter();
        let mut all = all.filter(|one| one["payment"] == id.to_string() && one["kind"] == "not-credited");
        all.next().unwrap()["id"].as_str().unwrap().to_owned()
    };
    *story.desk.said.lock().unwrap() = Some(Story::success(asked));
    assert_eq!(
        story.remedy(&of(asked), r#"{"remedy":"ask"}"#).json()["remedy"],
        "ask"
    );
    assert_eq!(
        story.remedy(&of(believed), r#"{"remedy":"credit"}"#).json()["remedy"],
        "credit"
    );
    for id in [asked, believed] {
        assert_eq!(story.state(id), PaymentState::Succeeded);
    }
    story.settled(&file, 2);
    assert!(story.open().is_empty());
}

#[test]
fn money_that_nobody_expected_becomes_a_credit() {
    let story = Story::start(0);
    let file = format!("{HEAD}=HYPERLINK,=S-2,payment,100.00,0,PKR,2026-11-21 17:00:00\n");
    story.reconcile(&file);
    let open = story.open();
    let csv = story
        .service
        .api(&story.service.admin, "GET", "/v1/exceptions?format=csv", "");
    assert!(
        csv.body.contains("\"'=S-2\""),
        "no formula for a spreadsheet: {}",
        csv.body
    );
    let id = of_kind(&open, "extra-in-file")["id"].as_str().unwrap().to_owned();
    let nobody = story.remedy(&id, r#"{"remedy":"credit","msisdn":"03009999999"}"#);
    assert_eq!(nobody.status, 404);
    let before = story.service.main_balance();
    let body = format!(r#"{{"remedy":"credit","msisdn":"{NUMBER}"}}"#);
    assert_eq!(story.remedy(&id, &body).json()["remedy"], "credit");
    let suspense = PaymentId::of_suspense(rail(), "=S-2");
    story
        .service
        .eventually(|| Some(()).filter(|()| story.state(suspense) == PaymentState::Succeeded));
    assert_ne!(story.service.main_balance(), before);
    story.settled(&file, 1);
}

#[test]
fn only_an_administrator_and_only_whole_files() {
    let story = Story::start(0);
    let send = |key: &str, path: &str, body: &str| {
        let key = format!("Bearer {key}");
        story
            .service
            .send(
                "POST",
                path,
                &[("authorization", &key), ("content-type", "text/csv")],
                body,
            )
            .status
    };
    assert_eq!(send(&story.service.shop, PATH, HEAD), 403);
    assert_eq!(send("rsd_1_x", PATH, HEAD), 401);
    let admin = &story.service.admin;
    assert_eq!(send(admin, PATH, HEAD), 200);
    assert_eq!(send(admin, PATH, "not,a,file\n"), 400);
    assert_eq!(send(admin, &PATH.replace("bank", "other"), HEAD), 422);
    assert_eq!(send(admin, &PATH.replace("2026-11-21", "2026-11-31"), HEAD), 422);
    assert_eq!(
        send(admin, PATH, &format!("{HEAD}x,R,payment,1.00,0,PKR,2026-11-21\n")),
        400
    );
    assert_eq!(story.remedy("00", r#"{"remedy":"dismiss"}"#).status, 404);
    assert_eq!(
        story
            .service
            .api(&story.service.shop, "GET", "/v1/exceptions", "")
            .status,
        403
    );
    story.service.pass(Duration::from_secs(1));
}
