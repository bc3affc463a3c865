//! What must be true after an Eid eve: our own book of what was intended against the balances, the floats and the rail's book.

use super::stage::Opening;
use crate::commands::upkeep::audit_live;
use crate::config::Config;
use crate::node::Node;
use anyhow::Context as _;
use charge::payment::PaymentId;
use charge::{Entity, EntityKey, Money, Msisdn, PartnerId};
use sim::bench::eid::{Channel, Measured};
use sim::rails::jazzcash::JazzCash;
use std::collections::{BTreeMap, HashMap};

/// Lines that are told of what is wrong.
const TOLD_MAX: usize = 20;

/// What the books say.
#[derive(Default)]
pub struct Books {
    /// Intended and not credited.
    pub lost: u64,
    /// Credited more than was intended, intended or not.
    pub twice: u64,
    /// Sellers whose float does not agree with what they sold.
    pub floats_wrong: u64,
    /// Guests whose wallet was not charged exactly once.
    pub charged_wrong: u64,
    /// The whole journal was replayed, and everything agrees with it.
    pub audit_ok: bool,
    /// What is wrong, for people.
    pub told: Vec<String>,
}

impl Books {
    /// Opens the killed server's data and looks.
    pub fn read(
        config: &Config,
        opening: &Opening,
        measured: &Measured,
        sandbox: &JazzCash,
    ) -> anyhow::Result<Books> {
        let node = Node::open(config, None)?;
        let mut books = Books::default();
        books.balances(&node, opening, measured)?;
        books.floats(&node, opening, measured)?;
        books.wallets(&node, measured, sandbox)?;
        let audited = audit_live(&node)?;
        books.audit_ok = audited.ok();
        node.stop();
        Ok(books)
    }

    fn say(&mut self, line: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(line);
        }
    }

    /// Every subscriber, also those for whom nothing was intended.
    fn balances(&mut self, node: &Node, opening: &Opening, measured: &Measured) -> anyhow::Result<()> {
        let intended: HashMap<u64, Channel> = measured
            .intents
            .iter()
            .map(|intent| (intent.msisdn, intent.channel))
            .collect();
        for msisdn in opening.target.msisdn..opening.target.msisdn + opening.subscribers {
            let channel = intended.get(&msisdn);
            let wanted = channel.map_or(Money::ZERO, |_| opening.credited);
            let is = balance(node, msisdn)?;
            if is != wanted {
                self.lost += u64::from(is < wanted);
                self.twice += u64::from(is > wanted);
                self.say(format!("{msisdn} ({channel:?}) has {is} and not {wanted}"));
            }
        }
        Ok(())
    }

    /// What each seller sold is missing from its float, and nothing else.
    fn floats(&mut self, node: &Node, opening: &Opening, measured: &Measured) -> anyhow::Result<()> {
        let mut sold: BTreeMap<Channel, Vec<u64>> = BTreeMap::new();
        for (_, channel, _) in &opening.sellers {
            sold.entry(*channel).or_default().push(0);
        }
        for intent in &measured.intents {
            if let Some(counts) = sold.get_mut(&intent.channel) {
                let place = intent.nth % counts.len();
                counts[place] += 1;
            }
        }
        let mut next: BTreeMap<Channel, usize> = BTreeMap::new();
        for (seller, channel, before) in &opening.sellers {
            let place = next.entry(*channel).or_default();
            let count = sold.get(channel).and_then(|counts| counts.get(*place)).copied();
            *place += 1;
            let gross = i64::try_from(count.unwrap_or(0)).unwrap_or(i64::MAX);
            let wanted = Money(before.0 - opening.gross.0.saturating_mul(gross));
            let partner = node
                .engine
                .read(EntityKey::Partner(PartnerId(*seller)), |entity, _| {
                    entity
                        .and_then(Entity::partner)
                        .map(|partner| (partner.float, partner.in_transit))
                });
            let (float, in_transit) = partner
                .context("read a partner")?
                .context("a partner is missing")?;
            if (float, in_transit) != (wanted, Money::ZERO) {
                self.floats_wrong += 1;
                self.say(format!(
                    "{channel:?} {seller} has {float} (in transit {in_transit}) and not {wanted}"
                ));
            }
        }
        Ok(())
    }

    /// Each guest's wallet paid once, for a payment that was credited.
    fn wallets(&mut self, node: &Node, measured: &Measured, sandbox: &JazzCash) -> anyhow::Result<()> {
        let mut paid: HashMap<u64, u64> = HashMap::new();
        for movement in sandbox.desk.movements() {
            let id = PaymentId::parse(&movement.order).context("an order that is no payment of ours")?;
            let number = node.engine.read(id.key(), |entity, _| {
                entity
                    .and_then(Entity::payment)
                    .map(|payment| payment.asked.msisdn.number())
            });
            *paid
                .entry(number.context("read a payment")?.unwrap_or(0))
                .or_default() += 1;
        }
        let guests = measured
            .intents
            .iter()
            .filter(|intent| intent.channel == Channel::Guest);
        for guest in guests {
            let times = paid.remove(&guest.msisdn).unwrap_or(0);
            if times != 1 {
                self.charged_wrong += 1;
                self.say(format!(
                    "the wallet for {} was charged {times} times",
                    guest.msisdn
                ));
            }
        }
        self.charged_wrong += paid.len() as u64;
        Ok(())
    }
}

fn balance(node: &Node, msisdn: u64) -> anyhow::Result<Money> {
    let number = Msisdn::new(msisdn).context("a number")?;
    let account = node.engine.read(EntityKey::Number(number), |entity, _| {
        entity.and_then(Entity::number).and_then(|record| record.account)
    });
    let account = account
        .context("read a number")?
        .context("a number without an account")?;
    let now = crate::node::now();
    let balance = node.engine.read(EntityKey::Account(account), move |entity, _| {
        entity
            .and_then(Entity::account)
            .map(|account| account.main_total(now))
    });
    balance
        .context("read an account")?
        .context("an account is missing")
}
