//! The front over real sockets, on an engine on SQLite: what peers send and what they get.
//!
//! # Layout
//! - here: [`World`]: engine, front, clock, subscribers; the audit at its end.
//! - `stories`: sessions as real networks run them.
//! - `rules`: duplicates, several services, places and taxes, events.
//! - `calls`: what holds for calls: places, contexts, thresholds, an end before the beginning is answered.
//! - `errors`: what is wrong and how it is answered.
//! - `links`: connections: limits, TLS, watchdog, goodbye.

mod calls;
mod errors;
mod links;
mod rules;
mod stories;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use charge::account::Account;
use charge::catalog::parse::{SourceFile, parse_all};
use charge::catalog::{Catalogs, Language};
use charge::codec::Codec;
use charge::command::{Buy, Command, Funding, OpenAccount, Recharge};
use charge::event::{Charged, Event, EventBody};
use charge::tax::{RegionCode, TaxClass};
use charge::time::{Timestamp, Zone};
use charge::{AccountId, Code, Entity, EntityKey, Imsi, Money, Msisdn, OperatorId, Reply, SourceId};
use engine::{Clock, Engine, Observer, Settings};
use parking_lot::Mutex;
use sim::diameter::{Answer, Client};
use store::{SqliteOptions, SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use wire::diameter::credit::{
    CreditControlRequest, RequestType, ServiceRequest, ServiceUnits, SubscriptionId, SubscriptionIdType,
    UsedUnits,
};
use wire::diameter::peer::{LocalNode, PeerSettings};

use super::translate::Dialling;
use super::{Front, Limits};

pub const HOST: &str = "ocs.raseed.example";
pub const REALM: &str = "raseed.example";
/// The operator of `proof.toml`.
pub const PROOF: OperatorId = OperatorId(90);
/// The same, but people without credit are sent to a page.
pub const REDIRECT: OperatorId = OperatorId(91);
/// The same, but people without credit may only go where a filter of the network lets them.
pub const RESTRICT: OperatorId = OperatorId(92);
pub const JAZZ: OperatorId = OperatorId(1);
const PARTITIONS: u16 = 3;
const RUPEE: u32 = 586;

/// What differs between worlds.
pub struct Options {
    pub limits: Limits,
    pub peers: PeerSettings,
    pub tls: Option<TlsAcceptor>,
    pub listen: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            peers: PeerSettings::new(LocalNode {
                host: HOST.to_owned(),
                realm: REALM.to_owned(),
                state_id: Some(1),
                product_name: "Raseed".to_owned(),
            }),
            tls: None,
            listen: "127.0.0.1:0",
        }
    }
}

/// A server in this process.
pub struct World {
    pub engine: Arc<Engine>,
    pub front: Arc<Front>,
    pub address: SocketAddr,
    pub clock: Arc<MovableClock>,
    pub stop: watch::Sender<bool>,
    events: Arc<Recorder>,
    store: Arc<dyn Store>,
    server: JoinHandle<()>,
    next: AtomicU64,
    _dir: tempfile::TempDir,
}

/// A subscriber.
#[derive(Clone, Debug)]
pub struct Phone {
    pub account: AccountId,
    pub msisdn: String,
    pub imsi: String,
}

impl World {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), SqliteOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Arc::new(MovableClock::default());
        let events = Arc::new(Recorder::default());
        let settings = Settings {
            sweep_interval_us: 50_000,
            ..Settings::for_tests(PARTITIONS)
        };
        let engine = Engine::open(
            store.clone(),
            catalogs(),
            clock.clone(),
            settings,
            Some(events.clone()),
        );
        let engine = Arc::new(engine.unwrap());
        let dialling = Dialling {
            country: "92".to_owned(),
            trunk: "0".to_owned(),
        };
        let front = Front::new(
            engine.clone(),
            options.peers,
            (dialling, RUPEE),
            options.limits,
            rand::random(),
        );
        let listener = TcpListener::bind(options.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(front.clone().serve(listener, options.tls, stopped));
        Self {
            engine,
            front,
            address,
            clock,
            stop,
            events,
            store,
            server,
            next: AtomicU64::new(1),
            _dir: dir,
        }
    }

    /// Opens an account with this balance in rupees.
    pub fn phone(&self, operator: OperatorId, balance: &str) -> Phone {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let prefix = match operator {
            JAZZ => "92300",
            REDIRECT => "92360",
            RESTRICT => "92350",
            _ => "92390",
        };
        let phone = Phone {
            account: self.engine.new_account_id(),
            msisdn: format!("{prefix}{number:07}"),
            imsi: format!("41099{number:010}"),
        };
        let open = Command::OpenAccount(OpenAccount {
            account: phone.account,
            operator,
            msisdn: Msisdn::parse(&phone.msisdn).unwrap(),
            imsi: Some(Imsi::parse(&phone.imsi).unwrap()),
            language: Language::En,
            tax_class: TaxClass::Standard,
            region: RegionCode::EMPTY,
            opening_balance: Money::parse(balance).unwrap(),
        });
        assert!(matches!(self.engine.call(open), Ok(Reply::Opened(_))));
        phone
    }

    pub fn buy(&self, phone: &Phone, offer: &str) {
        let bought = self.engine.call(Command::Buy(Buy {
            account: phone.account,
            offer: Code::new(offer).unwrap(),
            source: SourceId::of_reference("test", &phone.msisdn),
            renew: false,
            at_most: None,
        }));
        assert!(matches!(bought, Ok(Reply::Bought(_))), "{bought:?}");
    }

    /// Recharges as a rail would, and tells the front, as the node does.
    pub fn recharge(&self, phone: &Phone, rupees: &str, reference: &str) {
        let recharged = self.engine.call(Command::Recharge(Recharge {
            account: phone.account,
            source: SourceId::of_reference("test", reference),
            reference: reference.to_owned(),
            funding: Funding::Rail(Code::new("test").unwrap()),
            gross: Money::parse(rupees).unwrap(),
            region: RegionCode::EMPTY,
            campaign: Code::EMPTY,
            class: charge::promotion::ChannelClass::Unknown,
        }));
        assert!(matches!(recharged, Ok(Reply::Recharged(_))), "{recharged:?}");
        self.front.recharged(phone.account);
    }

    /// Looks at an account.
    pub fn account(&self, phone: &Phone) -> Account {
        let look = |entity: Option<&Entity>, _| entity.and_then(Entity::account).cloned();
        let key = EntityKey::Account(phone.account);
        self.engine
            .read(key, look)
            .unwrap()
            .expect("the account is there")
    }

    /// The balance that is not reserved, as text with all its digits.
    pub fn balance(&self, phone: &Phone) -> String {
        self.account(phone).main_balance(self.engine.now()).exact()
    }

    /// The account to the last byte: equal before and after when nothing moved.
    pub fn bytes(&self, phone: &Phone) -> Vec<u8> {
        self.account(phone).to_bytes()
    }

    /// What was charged to an account, in order.
    pub fn charged(&self, phone: &Phone) -> Vec<Charged> {
        let key = EntityKey::Account(phone.account);
        let events = self.events.0.lock();
        let of_account = events.iter().filter(|event| event.key == key);
        of_account
            .filter_map(|event| match &event.body {
                EventBody::Charged(charged) => Some(charged.as_ref().clone()),
                _ => None,
            })
            .collect()
    }

    /// Units charged to an account, by whatever paid for them.
    pub fn used(&self, phone: &Phone) -> i64 {
        let charged = self.charged(phone);
        let parts = charged.iter().flat_map(|charged| &charged.parts);
        parts
            .flat_map(|part| &part.charges)
            .map(|charge| charge.units.0)
            .sum()
    }

    /// Waits until something holds that happens a moment later.
    pub async fn eventually(&self, what: &str, mut check: impl FnMut(&Self) -> bool) {
        for _ in 0..2_000 {
            if check(self) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("not within ten seconds: {what}");
    }

    /// Stops and audits: the journal is whole and the ledger sums to zero.
    pub async fn finish(self) {
        self.stop.send_replace(true);
        self.server.await.unwrap();
        self.engine.stop();
        let report = engine::audit(&*self.store, PARTITIONS, &mut |_| {}).unwrap();
        assert!(report.ok(), "{:?}", report.problems);
        assert_eq!(report.sums, [0; 4]);
        assert!(report.events > 0 || self.next.load(Ordering::Relaxed) == 1);
    }
}

/// The catalogs inside the binary, and the operators for tests.
fn catalogs() -> Arc<Catalogs> {
    let proof = include_str!("proof.toml");
    let variant = |code: &str, id: &str, prefix: &str, plmn: &str, action: &str| {
        proof
            .replace("code = \"proof\"", &format!("code = \"{code}\""))
            .replace("id = 90", id)
            .replace("prefixes = [\"39\"]", &format!("prefixes = [\"{prefix}\"]"))
            .replace("\"41099\"", &format!("\"{plmn}\""))
            .replace("final_action = \"terminate\"", action)
    };
    let page = "final_action = \"redirect\"\nredirect_to = \"http://topup.example/\"";
    let redirect = variant("redirect", "id = 91", "36", "41098", page);
    let garden = "final_action = \"restrict\"\nfilter_id = \"topup-only\"";
    let restrict = variant("restrict", "id = 92", "35", "41097", garden);
    let file = |name, text| SourceFile { name, text };
    let files = [
        file("pakistan.toml", include_str!("../../../../catalog/pakistan.toml")),
        file("jazz.toml", include_str!("../../../../catalog/jazz.toml")),
        file("telenor.toml", include_str!("../../../../catalog/telenor.toml")),
        file("ufone.toml", include_str!("../../../../catalog/ufone.toml")),
        file("zong.toml", include_str!("../../../../catalog/zong.toml")),
        file("proof.toml", proof),
        file("redirect.toml", &redirect),
        file("restrict.toml", &restrict),
    ];
    let zones = |name: &str| (name == "Asia/Karachi").then(|| Zone::fixed(name, 5 * 3600));
    Arc::new(parse_all(&files, &zones).expect("the catalogs are valid"))
}

/// The system's clock, moved by whole jumps.
#[derive(Default)]
pub struct MovableClock(AtomicI64);

impl MovableClock {
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(now.as_micros()).unwrap() + self.0.load(Ordering::SeqCst))
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn wants(&self, _: &Event) -> bool {
        true
    }
    fn committed(&self, _: u16, _: store::Seq, events: &[Event]) {
        self.0.lock().extend_from_slice(events);
    }
}

/// A client with a name of its own.
pub async fn client(world: &World, host: &str) -> Client {
    let settings = sim::diameter::settings(host, "client.example", "test");
    Client::connect(world.address, settings).await.unwrap()
}

/// A data request for one rating group: `used` and `asked` octets.
pub fn data<'a>(
    client: &'a Client,
    session_id: &'a str,
    msisdn: &'a str,
    (kind, number): (RequestType, u32),
    (used, asked): (Option<u64>, Option<u64>),
) -> CreditControlRequest<'a> {
    let node = client.node();
    let mut request = CreditControlRequest::new(
        client.next_id(),
        session_id,
        (&node.host, &node.realm),
        REALM,
        "32251@3gpp.org",
        (kind, number),
    );
    request.multiple_services = Some(true);
    request.subscriptions.push(SubscriptionId {
        kind: SubscriptionIdType::E164,
        data: msisdn,
    });
    request.services.push(service(1, used, asked));
    request
}

pub fn octets(count: u64) -> ServiceUnits {
    ServiceUnits {
        total_octets: Some(count),
        ..ServiceUnits::default()
    }
}

pub fn service(rating_group: u32, used: Option<u64>, asked: Option<u64>) -> ServiceRequest {
    let used = used.map(|count| UsedUnits {
        units: octets(count),
        ..UsedUnits::default()
    });
    ServiceRequest {
        requested: asked.map(octets),
        used: used.into_iter().collect(),
        rating_group: Some(rating_group),
        ..ServiceRequest::default()
    }
}

/// Octets granted to the first service of an answer.
pub fn granted(answer: &Answer) -> Option<u64> {
    let credit = answer.credit().unwrap();
    credit.services.first()?.granted?.units.octets()
}
