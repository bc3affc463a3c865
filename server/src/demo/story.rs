//! The story: a recharge raises a balance, a phone spends it, every paisa is explained.

use super::stage::Stage;
use crate::client::Client;
use crate::commands::balance::amount;
use crate::commands::upkeep::Audited;
use anyhow::Context as _;
use charge::{Money, PartnerId};
use serde_json::{Value, json};
use sim::callserver::{Call, CallEnd, CallServer, CallServerSettings};
use sim::gateway::{Attach, Gateway, GatewaySettings, Profile};
use sim::smsc::Inbox;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub const AYESHA: &str = "923001234567";
const AYESHA_IMSI: &str = "410010000000001";
pub const BILAL: &str = "923219876543";
/// The shop that sells to them, also on the page.
pub const SHOP: PartnerId = PartnerId(700);
/// A number of another network.
const FRIEND: &str = "+923451112233";
const REALM: &str = "raseed.example";
/// The bundle that is bought.
const BUNDLE: &str = "daily-sms-whatsapp";
/// How long an SMS or a read model may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A minute to another network at Rs 3.50 with 19.5 % sales tax on top, micro-rupees.
const MINUTE: Money = Money(4_182_500);

/// Who plays.
pub struct World<'a> {
    /// The operator's own desk.
    pub admin: Client,
    /// Address of the API.
    pub url: String,
    /// Address of the charging front.
    pub diameter: SocketAddr,
    /// What handsets have received.
    pub inbox: Inbox,
    /// For what runs on the network.
    pub runtime: &'a Runtime,
}

/// Plays all steps.
pub fn tell(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<()> {
    let shop = people(world, stage)?;
    quote(&shop, stage)?;
    top_up(world, &shop, stage)?;
    messages(world, &shop, stage)?;
    data(world, stage)?;
    bundle(world, stage)?;
    call(world, stage)?;
    statement(world, stage)
}

/// What the audit says.
pub fn tell_audit(audited: &Audited, stage: &mut Stage) {
    let report = &audited.report;
    stage.step("The audit replays the journal from nothing");
    stage.fact(&format!(
        "{} batches, {} events in {} partitions",
        report.batches, report.events, report.partitions
    ));
    for problem in report.problems.iter().chain(&audited.read_models) {
        stage.fact(&format!("problem: {problem}"));
    }
    stage.check("hash chain whole, snapshots and read models equal", audited.ok());
    stage.check(
        "the ledger sums to zero for money, octets, seconds and messages",
        report.sums.iter().all(|sum| *sum == 0),
    );
}

fn people(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<Client> {
    stage.step("Two Jazz subscribers and a corner shop with a float of Rs 5,000");
    let admin = &world.admin;
    for (msisdn, language, imsi) in [(AYESHA, "en", Some(AYESHA_IMSI)), (BILAL, "ur", None)] {
        let made = admin
            .post(
                "/v1/subscribers",
                json!({"msisdn": msisdn, "language": language, "imsi": imsi}),
            )
            .send()?;
        stage.item(
            word(&made, "msisdn"),
            &format!("Rs {}", word(&made, "main")),
            &format!("messages in {language}"),
        );
    }
    let partner =
        json!({"id": SHOP.0, "name": "Corner Shop, Lahore", "code": "corner-shop", "scopes": ["topup"]});
    let made = admin.post("/v1/partners", partner).send()?;
    let key = made["key"]["key"].as_str().context("the shop got no key")?;
    let id = made["partner"]["id"].as_u64().context("the shop got no id")?;
    let float = json!({"amount": "5000", "reference": "bank-deposit-1"});
    let funded = admin
        .post(format!("/v1/partners/{id}/float"), float)
        .once("bank-deposit-1")
        .send()?;
    stage.item(
        "corner-shop",
        &format!("Rs {}", word(&funded, "float")),
        "sells with its own API key",
    );
    stage.check("the float holds the deposit", word(&funded, "float") == "5000.00");
    Ok(Client::to(&world.url, key))
}

fn quote(shop: &Client, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("The shop asks what Rs 100 for 0300 1234567 would bring");
    let quote = shop
        .post("/v1/quotes", json!({"msisdn": AYESHA, "amount": "100"}))
        .send()?;
    price(&quote, stage);
    stage.check("nothing has moved yet", word(&quote, "net_credit") == "86.956522");
    Ok(())
}

fn top_up(world: &World<'_>, shop: &Client, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("The shop sells it, and asks a second time because the answer was slow");
    let body = json!({"msisdn": AYESHA, "amount": "100", "external_id": "receipt-0001"});
    let send = || {
        shop.post("/v1/topups", body.clone())
            .query("wait", &10)
            .once("sale-0001")
            .send()
    };
    let sold = send()?;
    let again = send()?;
    let bought = &sold["price"];
    stage.item("paid", &format!("Rs {}", shown(bought, "gross")), "");
    stage.item(
        "income tax",
        &format!("Rs {}", shown(&bought["tax"][0], "amount")),
        &format!(
            "exactly {}: 15/115, taken from the recharge",
            word(&bought["tax"][0], "amount")
        ),
    );
    let account = balance(world)?;
    stage.item(
        "balance",
        &format!("Rs {}", shown(&account, "main")),
        &format!("exactly {}", word(&account, "main")),
    );
    stage.item("gift", "1 GB", "first recharge");
    stage.item("receipt", word(&sold, "receipt"), "");
    let exact = (word(&bought["tax"][0], "amount"), word(&account, "main"));
    stage.check(
        "tax 13.043478 and balance 86.956522, to the micro-rupee",
        exact == ("13.043478", "86.956522"),
    );
    stage.check("completed", word(&sold, "state") == "COMPLETED");
    stage.check(
        "the second request got the same answer, and nothing moved",
        sold["receipt"] == again["receipt"] && sold["id"] == again["id"],
    );
    let me = shop.get("/v1/partners/me").send()?;
    stage.check(
        "the float went down by Rs 100, once",
        word(&me, "float") == "4900.00",
    );
    Ok(())
}

fn messages(world: &World<'_>, shop: &Client, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("Both are told by SMS, each in their language");
    let body = json!({"msisdn": BILAL, "amount": "200", "external_id": "receipt-0002"});
    shop.post("/v1/topups", body)
        .query("wait", &10)
        .once("sale-0002")
        .send()?;
    for (msisdn, part, encoding) in [(AYESHA, "86.96", "GSM-7"), (BILAL, "173.91", "UCS-2")] {
        let message = world.runtime.block_on(
            world
                .inbox
                .wait_for(msisdn, PATIENCE, |message| message.text.contains(part)),
        );
        if let Some(message) = &message {
            stage.handset(msisdn, &message.from, &plain(&message.text));
        }
        let said = message.is_some_and(|message| message.encoding == encoding);
        stage.check(
            &format!("the handset of {msisdn} has it, as {encoding} text"),
            said,
        );
    }
    Ok(())
}

fn data(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("Her phone watches a video: a gateway reserves and reports over Diameter Gy");
    let before = balance(world)?;
    let session = world.runtime.block_on(async {
        let gateway =
            Gateway::connect(world.diameter, GatewaySettings::new(Profile::Standard, REALM)).await?;
        let mut session = gateway
            .open(Attach::new(AYESHA_IMSI, Some(AYESHA), "41001"))
            .await?;
        let carried = session.use_data(30 << 20).await?;
        session.close().await?;
        gateway.disconnect().await;
        anyhow::Ok((session, carried))
    });
    let (session, carried) = session.context("use data")?;
    let log = session.log();
    for entry in log.iter().take(3) {
        stage.fact(&entry.to_string());
    }
    stage.fact(&format!("... {} requests in all", log.len()));
    let after = balance(world)?;
    let left = |account: &Value| account["buckets"][0]["left"].as_i64().unwrap_or(0);
    stage.item(
        "carried",
        &amount("octets", i64::try_from(carried).unwrap_or(0)),
        "",
    );
    stage.item(
        "gift left",
        &amount("octets", left(&after)),
        "counted in steps of 512 KB",
    );
    stage.check("30 MB were carried", carried >= 30 << 20);
    let taken = left(&before) - left(&after);
    stage.check(
        "the gift paid for exactly the steps begun",
        taken == steps(session.reported_octets()),
    );
    stage.check(
        "no rupee was touched, nothing stays reserved",
        before["main"] == after["main"] && word(&after, "reserved") == "0.00",
    );
    Ok(())
}

fn bundle(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("She buys a bundle from her balance");
    let before = money(&balance(world)?, "main")?;
    let path = format!("/v1/subscribers/{AYESHA}/bundles");
    let bought = world
        .admin
        .post(path, json!({"bundle": BUNDLE}))
        .once("bundle-0001")
        .send()?;
    stage.item(
        word(&bought, "bundle"),
        &format!("Rs {}", shown(&bought, "price")),
        &format!("sales tax {} in it", shown(&bought, "tax")),
    );
    for bucket in bought["buckets"].as_array().into_iter().flatten() {
        let holds = amount(word(bucket, "unit"), bucket["amount"].as_i64().unwrap_or(0));
        stage.item("holds", &holds, "");
    }
    stage.item("balance", &format!("Rs {}", shown(&bought, "balance")), "");
    let after = money(&bought, "balance")?;
    stage.check(
        "the balance went down by the price",
        before - after == money(&bought, "price")?,
    );
    Ok(())
}

fn call(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("She calls a friend and talks until the money ends: a call server asks over Diameter Ro");
    let before = money(&balance(world)?, "main")?;
    let record = world.runtime.block_on(async {
        // Kamailio cuts one second late, and the second would be told as overrun; this one is on time.
        let settings = CallServerSettings {
            cut_late_s: 0,
            ..CallServerSettings::new(REALM)
        };
        let server = CallServer::connect(world.diameter, settings).await?;
        let record = server
            .call(&Call::new(&format!("+{AYESHA}"), FRIEND, 7_200))
            .await?;
        server.disconnect().await;
        anyhow::Ok(record)
    });
    let record = record.context("call")?;
    let (first, last) = (record.log.iter().take(2), record.log.iter().rev().take(3).rev());
    for entry in first {
        stage.fact(&entry.to_string());
    }
    stage.fact(&format!("... {} requests in all", record.log.len()));
    for entry in last {
        stage.fact(&entry.to_string());
    }
    let after = money(&balance(world)?, "main")?;
    stage.item(
        "talked",
        &amount("seconds", i64::from(record.talked_s)),
        "then the call was cut",
    );
    stage.item(
        "balance",
        &format!("Rs {}", after.shown()),
        "less than a minute costs",
    );
    stage.check(
        "the call was cut when the last grant was used",
        record.end == CallEnd::Cut,
    );
    stage.check(
        "the last grant said that it is the last (Final-Unit-Indication)",
        record.log.iter().any(|entry| entry.is_final),
    );
    let minutes = i64::from(record.talked_s) / 60;
    let setup = Money(150_000);
    let cost = Money(MINUTE.0 * minutes) + setup;
    stage.check(
        "it lasted exactly as long as the money",
        record.talked_s.is_multiple_of(60) && before - after == cost && after < MINUTE,
    );
    stage.check("the balance did not go below zero", after >= Money::ZERO);
    let low = world
        .runtime
        .block_on(world.inbox.wait_for(AYESHA, PATIENCE, |message| {
            message.text.contains("balance is low")
        }));
    if let Some(message) = &low {
        stage.handset(AYESHA, &message.from, &plain(&message.text));
    }
    stage.check("she was warned by SMS", low.is_some());
    Ok(())
}

fn statement(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<()> {
    stage.step("Her statement explains every line");
    let path = format!("/v1/subscribers/{AYESHA}/statement");
    let started = Instant::now();
    let lines = loop {
        let page = world.admin.get(path.clone()).query("limit", &20).send()?;
        let lines = page["lines"].as_array().cloned().unwrap_or_default();
        let complete = lines.len() >= 4 && lines.iter().all(|line| line["ended"] != json!(false));
        if complete || started.elapsed() > PATIENCE {
            break lines;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut sum = Money::ZERO;
    for line in lines.iter().rev() {
        sum += money(line, "amount")?;
        stage.fact(&format!(
            "{:<10} {:>12} {}",
            word(line, "kind"),
            word(line, "amount"),
            line["title"].as_str().or(line["called"].as_str()).unwrap_or("")
        ));
        for why in explanation(world, line)? {
            stage.fact(&format!("    {}", plain(&why)));
        }
    }
    let left = money(&balance(world)?, "main")?;
    stage.check("recharge, data, bundle and call are there", lines.len() == 4);
    stage.check(
        "every line has a reason",
        lines
            .iter()
            .all(|line| line["why"].as_array().is_some_and(|why| !why.is_empty())),
    );
    stage.check("the lines add up to the balance", sum == left);
    Ok(())
}

fn price(quote: &Value, stage: &mut Stage) {
    stage.item("pays", &format!("Rs {}", shown(quote, "gross")), "");
    for tax in quote["tax"].as_array().into_iter().flatten() {
        stage.item(
            "tax",
            &format!("Rs {}", shown(tax, "amount")),
            &format!(
                "{} {} %, {}",
                word(tax, "name"),
                word(tax, "rate"),
                word(tax, "calculation")
            ),
        );
    }
    stage.item("gets", &format!("Rs {}", shown(quote, "net_credit")), "");
}

/// The sentences of a line. A session has many reports: of a call the last is told, of data the first with use.
fn explanation(world: &World<'_>, line: &Value) -> anyhow::Result<Vec<String>> {
    let events: Vec<&str> = line["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let position = if word(line, "kind") == "voice" {
        events.len().saturating_sub(1)
    } else {
        1.min(events.len().saturating_sub(1))
    };
    let Some(event) = events.get(position) else {
        return Ok(Vec::new());
    };
    let told = world
        .admin
        .get(format!("/v1/explain/{event}"))
        .language("en")
        .send()?;
    let sentences = told["why"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let which = (events.len() > 1).then(|| format!("(report {} of {}, {event})", position + 1, events.len()));
    Ok(which.into_iter().chain(sentences).collect())
}

/// What buckets give for reported octets: whole steps of 512 KB.
fn steps(octets: u64) -> i64 {
    let step = 512 << 10;
    i64::try_from(octets.div_ceil(step) * step).unwrap_or(i64::MAX)
}

fn balance(world: &World<'_>) -> anyhow::Result<Value> {
    world
        .admin
        .get(format!("/v1/subscribers/{AYESHA}/balance"))
        .send()
}

pub fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("-")
}

fn money(value: &Value, name: &str) -> anyhow::Result<Money> {
    Money::parse(word(value, name)).with_context(|| format!("read the amount {name}"))
}

/// An amount with two decimals.
fn shown(value: &Value, name: &str) -> String {
    money(value, name).map_or_else(|_| "-".to_owned(), Money::shown)
}

/// Without the marks of direction, which terminals show as boxes.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|mark| !matches!(mark, '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'))
        .collect()
}
