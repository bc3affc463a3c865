//! The rules: what a command does to the entities it names. Pure: nothing is changed here.

mod auto;
mod bundle;
mod card;
mod chain;
mod charge;
mod directory;
mod partner;
mod payment;
mod place;
mod promotion;
mod recharge;
mod reversal;
mod terms;
mod tick;

use crate::account::{Account, Remembered};
use crate::catalog::{Catalog, Catalogs};
use crate::codec::Codec;
use crate::command::{Command, Message};
use crate::event::{Event, EventBody};
use crate::ids::{AccountId, Entity, EntityKey, OperatorId, SourceId};
use crate::reply::{Refusal, Reply};
use crate::time::{SECOND, Timestamp};
use smallvec::SmallVec;

/// The entities that a command may look at, as its partition holds them. Those of [`Command::reads`] are loaded.
pub trait View {
    /// The entity of a key; `None` when it does not exist.
    fn get(&self, key: EntityKey) -> Option<&Entity>;

    /// Number of the partition whose entities these are.
    fn home(&self) -> u16 {
        0
    }
}

/// What a command decided: events to journal and apply in order, messages to other partitions, the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happened; empty when the command was a repetition or a question.
    pub events: SmallVec<[Event; 1]>,
    /// What other partitions must do.
    pub messages: SmallVec<[Message; 1]>,
    /// The answer, to be given once the events are durable.
    pub reply: Reply,
}

impl Decision {
    /// An answer that changes nothing.
    pub fn answer(reply: Reply) -> Decision {
        Decision {
            events: SmallVec::new(),
            messages: SmallVec::new(),
            reply,
        }
    }

    fn event(event: Event, reply: Reply) -> Decision {
        let mut events = SmallVec::new();
        events.push(event);
        Decision {
            events,
            messages: SmallVec::new(),
            reply,
        }
    }
}

/// Most lots that an account may hold.
pub const LOTS_MAX: usize = 64;
/// From this many lots of paid main balance on, the two oldest are joined by the next recharge, when both are older than
/// [`APART`].
pub const MAIN_LOTS_MAX: usize = 8;
/// From this many on they are joined however young they are.
pub const YOUNG_LOTS_MAX: usize = 24;
/// For so long a credit is kept apart, so that it can be taken back by itself: sellers and payers may want it back for half an
/// hour, a bank's reversal may come out of its store and forward file hours later.
pub const APART: i64 = crate::time::DAY;
/// Most sessions that an account may have open or just closed.
pub const SESSIONS_MAX: usize = 64;
/// Most parts of one session.
pub const ELEMENTS_MAX: usize = 32;
/// Most bundles set to renew.
pub const RENEWALS_MAX: usize = 16;
/// Most API keys of a partner.
pub const KEYS_MAX: usize = 16;
/// Largest amount of money in one movement: far above any real one, far below overflow of the sums.
pub const MONEY_MAX: i64 = 1_000_000_000 * crate::money::MICROS;
/// Largest number of units in one report: 2^44 octets (16 TiB) is more than any link carries between two reports, and
/// half a million such reports still add up.
pub const UNITS_MAX: i64 = 1 << 44;

/// Decides a command. The same command on the same state at the same time always gives the same decision.
///
/// # Errors
/// [`Refusal`]: nothing changes. Credit-control requests are answered with a result instead wherever the protocol has one.
pub fn decide(
    view: &impl View,
    catalogs: &Catalogs,
    command: &Command,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    match command {
        Command::Charge(request) => charge::decide(view, catalogs, request, now),
        Command::Recharge(recharge) => recharge::decide(view, catalogs, recharge, now),
        Command::TopUp(request) => partner::top_up(view, catalogs, request, now),
        Command::ReverseTopUp(asked) => reversal::ask(view, asked, now),
        Command::RefuseTopUp(asked) => Ok(reversal::refuse(view, asked, now)),
        Command::TopUpDelivered {
            partner,
            external,
            result,
        } => Ok(partner::delivered(
            view,
            catalogs,
            (*partner, *external),
            result,
            now,
        )),
        Command::Buy(buy) => bundle::buy(view, catalogs, buy, now),
        Command::OpenAccount(open) => directory::claim(view, catalogs, open, now),
        Command::SetNumberOperator { msisdn, operator } => {
            directory::set_operator(view, *msisdn, *operator, now)
        }
        Command::UpdateAccount(update) => directory::update(view, update, now),
        Command::SetRenewal { account, offer, on } => {
            bundle::set_renewal(view, catalogs, (*account, *offer, *on), now)
        }
        Command::OpenPartner(open) => partner::open(view, open, now),
        Command::AddKey { partner, key } => partner::add_key(view, *partner, key, now),
        Command::RevokeKey { partner, key } => partner::revoke_key(view, *partner, *key, now),
        Command::ChangeTerms {
            partner,
            test,
            change,
        } => terms::change(view, (*partner, *test, change), now),
        Command::Rehearse(partner, digest) => {
            terms::rehearse(view, catalogs, EntityKey::TopUp(*partner, *digest), now)
        }
        Command::FundFloat {
            partner,
            amount,
            source,
            reference,
        } => partner::fund(view, (*partner, *amount, *source, reference), now),
        Command::PublishCatalog {
            operator,
            version,
            text,
        } => Ok(directory::publish(view, *operator, *version, text, now)),
        Command::CreatePayment(asked) => payment::create(view, catalogs, asked, now),
        Command::Suspend(came) => payment::suspend(view, came, now),
        Command::Payment { id, action, .. } => payment::act(view, catalogs, *id, action, now),
        Command::TendShares { operator, home } => promotion::tend(view, catalogs, (*operator, *home), now),
        Command::Auto { account, action } => auto::act(view, catalogs, (*account, action), now),
        Command::TellBudget { account, month, mark } => {
            auto::tell_budget(view, (*account, *month, *mark), now)
        }
        Command::Chain(asked) => chain::decide(view, catalogs, asked, now),
        Command::Tick(account) => tick::decide(view, catalogs, *account, now),
        Command::OpenCardBatch(new) => card::open(view, catalogs, new, now),
        Command::ShelveCards(asked) => card::shelve(view, asked, now),
        Command::CardBatchReady(batch) => card::ready(view, *batch, now),
        Command::ExportCards(batch) => card::export(view, *batch, now),
        Command::SetCards(asked) => card::set(view, asked, now),
        Command::ExpireCards { batch, early } => card::expire(view, *batch, *early, now),
        Command::RedeemCard(asked) => card::redeem(view, asked, now),
        Command::NoteCardTry(tried) => Ok(card::tried(view, tried, now)),
        Command::Deliver(message) => deliver(view, catalogs, message, now),
    }
}

/// A message from another partition is always consumed: a refusal becomes part of the answer, never an error.
fn deliver(
    view: &impl View,
    catalogs: &Catalogs,
    message: &Message,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    match message {
        Message::Open(open) => Ok(directory::open(view, catalogs, open, now)),
        Message::Credit { external, recharge } => {
            Ok(recharge::deliver(view, catalogs, *external, recharge, now))
        }
        Message::Credited {
            partner,
            external,
            outcome,
            lot,
        } => Ok(partner::settle(
            view,
            catalogs,
            (*partner, *external),
            (outcome, *lot),
            now,
        )),
        Message::TakeBack(asked) => Ok(reversal::take_back(view, asked, now)),
        Message::TakenBack {
            partner,
            external,
            result,
        } => Ok(reversal::ended(
            view,
            catalogs,
            (*partner, *external),
            *result,
            now,
        )),
        Message::Chain(message) => Ok(chain::deliver(view, catalogs, message, now)),
        Message::SuspenseCredited { payment, outcome } => {
            Ok(payment::assign_ended(view, catalogs, *payment, outcome, now))
        }
        Message::BudgetAsked(asked) => Ok(promotion::lease(view, catalogs, asked, now)),
        Message::BudgetReturned(returned) => Ok(promotion::give_back(view, catalogs, returned, now)),
        Message::BudgetAnswered {
            asked,
            granted,
            budget,
        } => Ok(promotion::settle(view, asked, (*granted, *budget), now)),
        Message::CardCopy {
            batch,
            home,
            operator,
            event,
        } => Ok(card::copy(view, (*batch, *home, *operator), event, now)),
        Message::CardConfirmed { batch, home, version } => {
            Ok(card::confirmed(view, (*batch, *home, *version), now))
        }
        Message::CardCredited {
            operator,
            hash,
            face,
            outcome,
        } => Ok(card::credited(view, (*operator, *hash, *face), *outcome, now)),
        Message::CardNoted { serial, note, .. } => Ok(card::noted(view, (*serial, *note), now)),
        Message::CardLocked(lock) => Ok(card::locked(*lock, now)),
    }
}

fn account_of(view: &impl View, id: AccountId) -> Result<&Account, Refusal> {
    view.get(EntityKey::Account(id))
        .and_then(Entity::account)
        .ok_or(Refusal::NoSuchAccount)
}

fn catalog_of(catalogs: &Catalogs, operator: OperatorId) -> Result<&Catalog, Refusal> {
    catalogs
        .get(operator)
        .map(std::convert::AsRef::as_ref)
        .ok_or(Refusal::NoSuchOperator)
}

fn account_event(account: &Account, at: Timestamp, body: EventBody) -> Event {
    Event {
        key: EntityKey::Account(account.id),
        operator: account.operator,
        at,
        body,
    }
}

/// The stored answer to a repeated command; a conflict when the repetition asks for something else.
fn repeated(account: &Account, source: SourceId, body: u64) -> Result<Option<Decision>, Refusal> {
    let Some(known) = account.recent.iter().rev().find(|known| known.source == source) else {
        return Ok(None);
    };
    if known.body != body {
        return Err(Refusal::Conflict);
    }
    let reply = Reply::from_bytes(&known.reply).map_err(|_| Refusal::Conflict)?;
    Ok(Some(Decision::answer(reply)))
}

/// How many remembered commands fall out when one more comes in: those too old, and those too many.
fn forgets(account: &Account, catalog: &Catalog, now: Timestamp) -> u32 {
    let horizon = now.plus(-i64::from(catalog.policy.duplicate_s) * SECOND);
    let too_old = account
        .recent
        .iter()
        .take_while(|known: &&Remembered| known.at < horizon)
        .count();
    let room = usize::from(catalog.policy.duplicate_count).max(1);
    let too_many = (account.recent.len() + 1).saturating_sub(room);
    u32::try_from(too_old.max(too_many)).unwrap_or(u32::MAX)
}

pub(crate) use bundle::reply_to as bought_reply;
pub use bundle::{BundlePrice, price_for};
pub use chain::reversed as chain_reversed;
pub(crate) use charge::{cost_of, reply_to as charge_reply};
pub use payment::unused;
pub use promotion::{Occasion, also_reads};
pub use recharge::{MAIN_PRIORITY, Quote, Terms, quote, quote_for};
pub use terms::quote_rehearsal;
