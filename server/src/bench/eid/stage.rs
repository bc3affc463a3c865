//! The stage of an Eid eve: a server of its own process, and everybody who sells.

use super::super::OPERATOR;
use super::EidLoad;
use crate::cards::sealed;
use crate::client::Client;
use crate::failure::{Failure, Kind};
use anyhow::{Context as _, anyhow, bail};
use charge::Money;
use serde_json::{Value, json};
use sim::banks::onebill::Profile;
use sim::bench::eid::{AMOUNT, Channel, Counter, EidPlan, Target, Till, count_of};
use sim::rails::jazzcash::Account;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The rail's name.
pub const RAIL: &str = "jazzcash-wallet";
/// The first subscriber's number; others follow, and behind them the retailers'.
pub const MSISDN: u64 = 923_000_000_000;
/// DE32 of the bank.
const INSTITUTION: &str = "100100";
/// The bank's partner.
pub const BANK: u32 = 7_001;
/// The partner of the bank that pays bills; its password and the hash of that.
const BILLER: u32 = 7_002;
const BILLER_PASSWORD: &str = "bench-bank";
const BILLER_HASH: &str = "632186b13e7eeb4c87c88bb9879c27f31f61a2d19390d75a2e5ba40c64203370";
/// The partners, shops and redeemers: each key may ask 500 times a second.
const KEYS: usize = 8;
const SHOPS: usize = 16;
/// Counters with a till in the browser.
const COUNTERS: usize = 8;
/// Who sells at tills and with handsets.
const STAFF: &str = "owner";
/// Sales a minute by one retailer: the limits are 30 times dialled and 10 texts, copies included.
const DIALLED_PER_MINUTE: u64 = 10;
const TEXTS_PER_MINUTE: u64 = 3;
/// What one retailer has to sell, and what all others have.
const TILL_STOCK: &str = "50000";
const STOCK: &str = "20000000";
/// What the root of the chain has.
const EVERYTHING: i64 = 900_000_000;
/// The first PIN of everybody, and the one afterwards.
const FIRST_PIN: &str = "2580";
const PIN: &str = "7391";
/// How long setting up one thing may take.
const SET_UP_MAX: Duration = Duration::from_secs(120);
/// A handset sends its text again when no answer came in this time.
const TEXT_WAIT: Duration = Duration::from_secs(20);
/// Threads that set up.
const HANDS: usize = 4;
/// Most cards in a batch.
const CARDS_AT_ONCE: u64 = 1_000_000;

/// A server in a process of its own; killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub ussd: String,
    pub iso8583: SocketAddr,
    pub onebill: SocketAddr,
    pub key: String,
    pub log: PathBuf,
    // Kept open: a server whose output nobody reads must not break.
    _out: BufReader<ChildStdout>,
}

impl Server {
    /// Writes the configuration and starts this very binary with it.
    pub fn start(dir: &Path, load: &EidLoad, peers: &Peers) -> anyhow::Result<Server> {
        let config = dir.join("raseed.toml");
        std::fs::write(&config, peers.config(load)).context("write the configuration")?;
        let log = dir.join("server.log");
        let to = std::fs::File::create(&log).context("make the log")?;
        let program = std::env::current_exe().context("find this program")?;
        let mut child = Command::new(program)
            .args(["serve", "--json", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(to))
            .spawn()
            .context("start the server")?;
        let mut out = BufReader::new(child.stdout.take().context("the server has no output")?);
        let mut key = None;
        loop {
            let mut line = String::new();
            if out.read_line(&mut line).context("hear the server")? == 0 {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("the server ended: {said}");
            }
            let event: Value = serde_json::from_str(&line).context("understand the server")?;
            let text = |value: &Value| value.as_str().map(str::to_owned).context("an address is missing");
            match event["event"].as_str() {
                Some("admin_key") => key = event["key"].as_str().map(str::to_owned),
                Some("ready") => {
                    let ussd = text(&event["ussd"][0])?;
                    let ussd = ussd.rsplit(' ').next().unwrap_or_default();
                    return Ok(Server {
                        child,
                        url: text(&event["http"][0])?,
                        ussd: format!("http://{ussd}/"),
                        iso8583: text(&event["iso8583"][0])?.parse()?,
                        onebill: text(&event["onebill"][0])?.parse()?,
                        key: key.context("the server has told no key")?,
                        log,
                        _out: out,
                    });
                }
                _ => {}
            }
        }
    }

    /// SIGKILL: nothing is flushed. What was answered is there all the same.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait().context("wait for the server")?;
        Ok(())
    }

    /// Resident memory in bytes and processor time so far in milliseconds, where the system tells.
    pub fn used(&self) -> (u64, u64) {
        let read = |name: &str| {
            std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default()
        };
        let status = read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        let kib = kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
        // Behind the name in brackets: utime and stime are the 12th and 13th, in hundredths of a second.
        let stat = read("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok());
        (kib * 1_024, ticks.sum::<u64>() * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who is outside of the server: message centre, rail and printer.
pub struct Peers {
    pub centre: SocketAddr,
    pub rail: (String, Account),
    /// Private and public key.
    pub printer: (String, String),
}

impl Peers {
    fn config(&self, load: &EidLoad) -> String {
        let (host, account) = &self.rail;
        let Account {
            merchant_id,
            password,
            salt,
            mpin,
        } = account;
        format!(
            "data = 'data'\nlog = 'warn'\n[http]\nlisten = ['127.0.0.1:0']\nconnections_max = 20000\n[diameter]\n\
             listen = []\n[engine]\nthreads = {}\ncache_mib = {}\n[sms.default]\naddress = '{}'\nsender = '443'\n\
             [ussd.http.bench]\nlisten = '127.0.0.1:0'\nconnections_max = 20000\n[banks.iso8583]\n\
             listen = ['127.0.0.1:0']\n[[banks.bank]]\ncode = 'bank'\ninstitution = '{INSTITUTION}'\n\
             partner = {BANK}\naddresses = ['127.0.0.0/8']\n[[banks.bank]]\ncode = 'app'\npartner = {BILLER}\n\
             addresses = ['127.0.0.0/8']\n[banks.bank.onebill]\nmnemonic = 'APP'\nusername = 'bench'\n\
             password_sha256 = '{BILLER_HASH}'\nduplicate = 'original'\n[banks.onebill]\nlisten = ['127.0.0.1:0']\n\
             connections_max = 20000\n[[payments.rail]]\nkind = 'jazzcash'\ncode = '{RAIL}'\n\
             flow = 'wallet'\nhost = '{host}'\nmerchant_id = '{merchant_id}'\npassword = '{password}'\n\
             salt = '{salt}'\nmpin = '{mpin}'\n[cards]\nprinters = {{ press = '{}' }}\n",
            load.threads, load.cache_mib, self.centre, self.printer.1
        )
    }
}

/// What there was before the load.
pub struct Opening {
    /// Whom to load.
    pub target: Target,
    /// Everybody with a float: id, channel and float; those of a channel in the order in which the target has them.
    pub sellers: Vec<(u32, Channel, Money)>,
    /// Subscribers, from the target's first number on.
    pub subscribers: u64,
    /// What one recharge costs.
    pub gross: Money,
    /// What it brings, as a quote says.
    pub credited: Money,
    /// How long it took.
    pub took: Duration,
}

/// Makes subscribers, sellers and cards.
pub fn set_up(server: &Server, load: &EidLoad, plan: &EidPlan, peers: &Peers) -> anyhow::Result<Opening> {
    let began = Instant::now();
    let admin = Client::to(&server.url, &server.key);
    let minutes = plan.rate * 60;
    let share = |channel, a_minute| count_of(&[channel], 100) * minutes / 100 / a_minute + 1;
    let dialling = share(Channel::UssdShop, DIALLED_PER_MINUTE);
    let texting = share(Channel::SmsShop, TEXTS_PER_MINUTE);
    let first_till = MSISDN + load.subscribers;
    import(&admin, load.subscribers + dialling + texting)?;

    let partner = |name: &str, scopes: &[&str], id: Option<u32>| -> anyhow::Result<(u32, String)> {
        let body = json!({"id": id, "name": name, "code": name, "scopes": scopes});
        let made = admin.post("/v1/partners", body).once(name).send()?;
        let id = id_of(&made["partner"])?;
        if scopes.contains(&"topup") {
            let body = json!({"amount": STOCK, "reference": name});
            admin
                .post(format!("/v1/partners/{id}/float"), body)
                .once(name)
                .send()?;
        }
        Ok((id, made["key"]["key"].as_str().unwrap_or_default().to_owned()))
    };
    let (mut sellers, mut partners, mut redeemers) = (Vec::new(), Vec::new(), Vec::new());
    sellers.push((partner("bank", &["topup", "read"], Some(BANK))?.0, Channel::Atm));
    sellers.push((partner("app", &["topup", "read"], Some(BILLER))?.0, Channel::Bill));
    for index in 0..KEYS {
        let (id, key) = partner(&format!("partner-{index}"), &["topup", "read"], None)?;
        sellers.push((id, Channel::Partner));
        partners.push(key);
        redeemers.push(partner(&format!("redeemer-{index}"), &["redeem"], None)?.1);
    }
    let above = Chain::above(&admin)?;
    let mut shops = Vec::new();
    for index in 0..SHOPS {
        let (id, key) = above.open(&format!("shop-{index}"), ("franchise", STOCK), None)?;
        sellers.push((id, Channel::Shop));
        shops.push(key);
    }
    let counters = counters(server, &above)?;
    sellers.extend(counters.iter().map(|(id, _)| (*id, Channel::Till)));
    let tills = tills(server, &above, first_till, dialling + texting)?;
    let pins = cards(&admin, load, plan, &peers.printer.0)?;
    let quote = json!({"msisdn": MSISDN.to_string(), "amount": AMOUNT});
    let quote = Client::to(&server.url, &partners[0])
        .post("/v1/quotes", quote)
        .send()?;
    let credited = money(&quote, "net_credit")?;
    wait_for(server, |metrics| metrics.get("read_models_lag_batches") == 0)?;
    let dialling = usize::try_from(dialling)?;
    let mut all = Vec::new();
    for (index, id) in tills.iter().enumerate() {
        let dials = index < dialling;
        sellers.push((
            *id,
            if dials {
                Channel::UssdShop
            } else {
                Channel::SmsShop
            },
        ));
        all.push(Till {
            msisdn: first_till + index as u64,
            pin: PIN.to_owned(),
        });
    }
    let mut opened = Vec::new();
    for (id, channel) in sellers {
        let partner = patiently(|| admin.get(format!("/v1/partners/{id}")).send())?;
        opened.push((id, channel, money(&partner, "float")?));
    }
    let sms_tills = all.split_off(dialling);
    Ok(Opening {
        target: Target {
            url: server.url.clone(),
            ussd: server.ussd.clone(),
            iso8583: server.iso8583,
            institution: INSTITUTION.to_owned(),
            onebill: server.onebill,
            biller: biller(),
            rail: RAIL.to_owned(),
            short_code: "443".to_owned(),
            codes: ("*500#".to_owned(), "*123#".to_owned()),
            shops,
            partners,
            redeemers,
            counters: counters.into_iter().map(|(_, counter)| counter).collect(),
            ussd_tills: all,
            sms_tills,
            pins,
            text_wait: TEXT_WAIT,
            msisdn: MSISDN,
        },
        sellers: opened,
        subscribers: load.subscribers,
        gross: Money::parse(AMOUNT).map_err(|error| anyhow!("{error:?}"))?,
        credited,
        took: began.elapsed(),
    })
}

/// The bank that pays bills.
fn biller() -> Profile {
    Profile {
        mnemonic: "APP".to_owned(),
        username: "bench".to_owned(),
        password: BILLER_PASSWORD.to_owned(),
    }
}

fn money(value: &Value, name: &str) -> anyhow::Result<Money> {
    let parsed = value[name].as_str().and_then(|text| Money::parse(text).ok());
    parsed.with_context(|| format!("an answer without {name}: {value}"))
}

fn import(admin: &Client, count: u64) -> anyhow::Result<()> {
    let mut lines = String::from("msisdn,operator\n");
    for index in 0..count {
        lines.push_str(&format!("{},{OPERATOR}\n", MSISDN + index));
    }
    let answers = admin.import("text/csv", lines)?;
    match answers.last() {
        Some(total) if total["done"] == true && total["created"] == count => Ok(()),
        other => bail!("the subscribers were not imported: {other:?}"),
    }
}

/// The selling chain: a root, a distributor, and everybody below.
struct Chain<'a> {
    admin: &'a Client,
    distributor: u32,
}

impl<'a> Chain<'a> {
    fn above(admin: &'a Client) -> anyhow::Result<Chain<'a>> {
        let open = |grade: &str, parent: Option<u32>| {
            let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true});
            let made = admin.post("/v1/sellers", body).once(grade).send()?;
            id_of(&made)
        };
        let root = open("operator", None)?;
        let distributor = open("distributor", Some(root))?;
        let chain = Chain { admin, distributor };
        let everything = Money::from_units(EVERYTHING).to_string();
        let body = json!({"amount": everything, "reference": "bank"});
        admin
            .post(format!("/v1/partners/{root}/float"), body)
            .once("root")
            .send()?;
        chain.give(root, distributor, &everything)?;
        Ok(chain)
    }

    fn open(
        &self,
        name: &str,
        (grade, stock): (&str, &str),
        number: Option<u64>,
    ) -> anyhow::Result<(u32, String)> {
        let number = number.map(|number| number.to_string());
        let body = json!({
            "name": name, "code": name, "grade": grade, "parent": self.distributor, "key": true, "number": number,
        });
        let made = patiently(|| self.admin.post("/v1/sellers", body.clone()).once(name).send())?;
        let id = id_of(&made)?;
        self.give(self.distributor, id, stock)?;
        Ok((id, made["key"]["key"].as_str().unwrap_or_default().to_owned()))
    }

    fn give(&self, from: u32, to: u32, amount: &str) -> anyhow::Result<()> {
        let (path, once) = (
            format!("/v1/sellers/{from}/moves?wait=20"),
            format!("{from}-{to}"),
        );
        let body = json!({"to": to, "amount": amount});
        let moved = patiently(|| self.admin.post(path.clone(), body.clone()).once(&once).send())?;
        match moved["state"].as_str() {
            Some("COMPLETED") => Ok(()),
            _ => Err(anyhow!("stock was not moved: {moved}")),
        }
    }
}

/// Retailers with a number and a PIN; their ids in the order of their numbers.
fn tills(server: &Server, above: &Chain<'_>, first: u64, count: u64) -> anyhow::Result<Vec<u32>> {
    let distributor = above.distributor;
    let hand = |part: u64| -> anyhow::Result<Vec<(u64, u32)>> {
        let admin = Client::to(&server.url, &server.key);
        let above = Chain {
            admin: &admin,
            distributor,
        };
        let mut made = Vec::new();
        for index in (part..count).step_by(HANDS) {
            let name = format!("till-{index}");
            let (id, key) = above.open(&name, ("retailer", TILL_STOCK), Some(first + index))?;
            works_here(&Client::to(&server.url, &key))?;
            made.push((index, id));
        }
        Ok(made)
    };
    let mut all = std::thread::scope(|threads| {
        let hands: Vec<_> = (0..HANDS as u64)
            .map(|part| threads.spawn(move || hand(part)))
            .collect();
        let mut all = Vec::new();
        for hand in hands {
            all.extend(
                hand.join()
                    .map_err(|_| anyhow!("setting up retailers panicked"))??,
            );
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, id)| id).collect())
}

/// Shops with a till, and their ids.
fn counters(server: &Server, above: &Chain<'_>) -> anyhow::Result<Vec<(u32, Counter)>> {
    let made = (0..COUNTERS).map(|index| {
        let (id, key) = above.open(&format!("counter-{index}"), ("franchise", STOCK), None)?;
        works_here(&Client::to(&server.url, &key))?;
        let (staff, pin) = (STAFF.to_owned(), PIN.to_owned());
        Ok((
            id,
            Counter {
                seller: id.into(),
                staff,
                pin,
            },
        ))
    });
    made.collect()
}

/// Gives a seller somebody who sells, with a PIN that is not the first one any more.
fn works_here(own: &Client) -> anyhow::Result<()> {
    let path = format!("/v1/sellers/me/staff/{STAFF}");
    let staff = json!({"name": STAFF, "role": "owner", "pin": FIRST_PIN});
    patiently(|| own.put(path.clone(), staff.clone()).send())?;
    let pin = json!({"old": FIRST_PIN, "new": PIN});
    patiently(|| own.post(format!("{path}/pin"), pin.clone()).send())?;
    Ok(())
}

/// PINs of active cards, as many as the plan needs.
fn cards(admin: &Client, load: &EidLoad, plan: &EidPlan, private: &str) -> anyhow::Result<Vec<String>> {
    let mut left = count_of(&Channel::with_cards(), plan.intended()).max(1) + load.more_cards;
    let mut pins = Vec::new();
    while left > 0 {
        let count = left.min(CARDS_AT_ONCE);
        left -= count;
        let body = json!({
            "operator": OPERATOR, "denomination": AMOUNT, "count": count, "expires_at": "2099-01-01T00:00:00Z",
            "printer": "press", "label": "eid",
        });
        let batch = admin.post("/v1/card-batches", body).send()?;
        let path = format!("/v1/card-batches/{}", batch["batch"]);
        let until = |ready: &dyn Fn(&Value) -> bool| -> anyhow::Result<()> {
            let deadline = Instant::now() + SET_UP_MAX;
            while !ready(&admin.get(path.clone()).send()?) {
                anyhow::ensure!(Instant::now() < deadline, "the cards are not ready");
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        };
        until(&|batch| batch["ready"] == true)?;
        let file = admin.post(format!("{path}/export"), Value::Null).bytes()?;
        let opened = sealed::open(private, &file, |lines| {
            let found = lines.lines().filter_map(|line| line.split_once(','));
            pins.extend(found.map(|(_, pin)| pin.to_owned()));
            Ok(())
        });
        opened.map_err(|error| anyhow!(error))?;
        for body in [
            json!({"state": "shipped", "dealer": "bench"}),
            json!({"state": "active"}),
        ] {
            admin.post(format!("{path}/cards"), body).send()?;
        }
        until(&|batch| batch["pending"] == 0)?;
    }
    Ok(pins)
}

/// Figures of `/metrics`.
pub struct Metrics(String);

impl Metrics {
    /// Asks for them.
    pub fn of(server: &Server) -> anyhow::Result<Metrics> {
        let text = Client::to(&server.url, &server.key).get("/metrics").text()?;
        Ok(Metrics(text))
    }

    /// The sum over the labels of a gauge; 0 where there is none.
    pub fn get(&self, name: &str) -> i64 {
        let lines = self.0.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let key = key.strip_prefix("raseed_")?;
            let key = key.split('{').next()?;
            (key == name).then(|| value.parse::<i64>().ok()).flatten()
        });
        lines.sum()
    }
}

/// Waits for something that `/metrics` shows.
pub fn wait_for(server: &Server, ready: impl Fn(&Metrics) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + SET_UP_MAX;
    while !ready(&Metrics::of(server)?) {
        anyhow::ensure!(Instant::now() < deadline, "the server does not come to rest");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn id_of(value: &Value) -> anyhow::Result<u32> {
    let id = value["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    id.with_context(|| format!("an answer without an id: {value}"))
}

/// Does what is safe to repeat again while the server is too busy, or says "too fast".
fn patiently<T>(mut call: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + SET_UP_MAX;
    loop {
        match call() {
            Err(error)
                if error
                    .downcast_ref::<Failure>()
                    .is_some_and(|failure| failure.kind == Kind::Unavailable)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}
