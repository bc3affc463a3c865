//! Commands: everything that can be asked of an entity. [`Message`]: what partitions tell each other.

mod message;

use crate::account::LifeCycle;
use crate::auto::{AutoAction, BudgetMark};
use crate::card::{CardTry, NewBatch, PinHash, RedeemCard, SetCards, ShelveCards};
use crate::catalog::{Called, Language};
use crate::codec::{codec_enum, codec_struct};
use crate::ids::{AccountId, Code, EntityKey, Imsi, Msisdn, OperatorId, PartnerId, SessionKey, SourceId};
use crate::money::Money;
use crate::partner::{ApiKey, Scopes};
use crate::payment::{CreatePayment, Destination, PaymentAction, PaymentId, Price};
use crate::promotion::ChannelClass;
use crate::reply::Refusal;
use crate::reversal::{RefuseTopUp, ReverseTopUp};
use crate::seller::{ChainCommand, SoldBy};
use crate::session::ElementKey;
use crate::tax::{RegionCode, TaxClass};
use crate::terms::TermsChange;
use crate::unit::{Amount, Service};
pub use message::Message;
use smallvec::SmallVec;

/// A command. It goes to the partition of [`Command::route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Credit control: reserve, commit, release, immediate events.
    Charge(Box<ChargeRequest>),
    /// Credit an account from a rail.
    Recharge(Recharge),
    /// Sell a recharge from a partner's float.
    TopUp(Box<TopUpRequest>),
    /// Take back what is unused of a top-up.
    ReverseTopUp(ReverseTopUp),
    /// Remember that a top-up which has not come is not to be sold any more.
    RefuseTopUp(RefuseTopUp),
    /// What another operator said of a top-up that a connector handed over: its reference, or why it will never be credited.
    TopUpDelivered {
        /// Who sold it.
        partner: PartnerId,
        /// Digest of its external_id.
        external: u128,
        /// What it said.
        result: Result<String, Refusal>,
    },
    /// Buy a bundle.
    Buy(Buy),
    /// Claim a number and a SIM and open an account for them.
    OpenAccount(OpenAccount),
    /// Record that a number is served by another operator (portability), or forget it.
    SetNumberOperator {
        /// The number.
        msisdn: Msisdn,
        /// Who serves it.
        operator: OperatorId,
    },
    /// Change what staff or the subscriber may change.
    UpdateAccount(UpdateAccount),
    /// Turn a bundle's renewal on or off.
    SetRenewal {
        /// The account.
        account: AccountId,
        /// The offer.
        offer: Code,
        /// On or off.
        on: bool,
    },
    /// Create a partner.
    OpenPartner(Box<OpenPartner>),
    /// Add an API key to a partner.
    AddKey {
        /// The partner.
        partner: PartnerId,
        /// The key.
        key: ApiKey,
    },
    /// Stop an API key.
    RevokeKey {
        /// The partner.
        partner: PartnerId,
        /// The key's public part.
        key: Code,
    },
    /// Change the terms of a partner: callbacks, commission.
    ChangeTerms {
        /// The partner.
        partner: PartnerId,
        /// Those of its sandbox.
        test: bool,
        /// What.
        change: Box<TermsChange>,
    },
    /// Put money into a partner's float, or take it out when negative.
    FundFloat {
        /// The partner.
        partner: PartnerId,
        /// How much.
        amount: Money,
        /// Who says so: repeating it moves nothing.
        source: SourceId,
        /// Reference for people.
        reference: String,
    },
    /// Record the catalog that is in force from now on.
    PublishCatalog {
        /// The operator.
        operator: OperatorId,
        /// Its version.
        version: u32,
        /// Its files, one after the other.
        text: String,
    },
    /// Begin a payment.
    CreatePayment(Box<CreatePayment>),
    /// Book money that came in by a rail and named no payment of ours, once for a rail and reference.
    Suspend(Box<Unmatched>),
    /// Something about a payment: what the rail says, or what people decide.
    Payment {
        /// The payment.
        id: PaymentId,
        /// The account that it is for; `None` for a connector's.
        account: Option<AccountId>,
        /// What.
        action: PaymentAction,
    },
    /// Ask for what promotions need in a partition before they need it, and give back what ended ones left. Done now and
    /// then by the server for every partition; repeating it is harmless.
    TendShares {
        /// The operator.
        operator: OperatorId,
        /// The partition.
        home: u16,
    },
    /// Something about the auto-recharge of an account.
    Auto {
        /// The account.
        account: AccountId,
        /// What.
        action: AutoAction,
    },
    /// Tell the owner of a number of a mark of the month's budget; once for each.
    TellBudget {
        /// The account.
        account: AccountId,
        /// Years times twelve and months.
        month: i64,
        /// Which mark.
        mark: BudgetMark,
    },
    /// Something in the selling chain.
    Chain(ChainCommand),
    /// The time has come for something in this account.
    Tick(AccountId),
    /// The time has come for the next part of a rehearsed top-up.
    Rehearse(PartnerId, u128),
    /// Open a batch of scratch cards.
    OpenCardBatch(Box<NewBatch>),
    /// Put hashed PINs on their shelves: those of one partition.
    ShelveCards(Box<ShelveCards>),
    /// Every hash of a batch is on its shelf.
    CardBatchReady(u32),
    /// Give the export of a batch out.
    ExportCards(u32),
    /// Change the state of cards.
    SetCards(SetCards),
    /// The time of a batch has come, or staff end it early.
    ExpireCards {
        /// The batch.
        batch: u32,
        /// Before its time.
        early: bool,
    },
    /// Redeem a scratch card.
    RedeemCard(RedeemCard),
    /// Remember a try with a scratch card.
    NoteCardTry(CardTry),
    /// A message from another partition.
    Deliver(Message),
}

impl Command {
    /// The entity that decides where the command runs. Every other entity it touches is in the same partition.
    pub fn route(&self) -> EntityKey {
        match self {
            Command::Charge(request) => EntityKey::Account(request.account),
            Command::Recharge(recharge) => EntityKey::Account(recharge.account),
            Command::TopUp(request) => EntityKey::Partner(request.partner),
            Command::ReverseTopUp(asked) => EntityKey::Partner(asked.partner),
            Command::RefuseTopUp(asked) => EntityKey::Partner(asked.partner),
            Command::Buy(buy) => EntityKey::Account(buy.account),
            Command::OpenAccount(open) => EntityKey::Number(open.msisdn),
            Command::SetNumberOperator { msisdn, .. } => EntityKey::Number(*msisdn),
            Command::UpdateAccount(update) => EntityKey::Account(update.account),
            Command::SetRenewal { account, .. } | Command::Tick(account) => EntityKey::Account(*account),
            Command::Auto { account, .. } => EntityKey::Auto(*account),
            Command::TellBudget { account, .. } => EntityKey::BudgetTold(*account),
            Command::OpenPartner(open) => EntityKey::Partner(open.partner),
            Command::AddKey { partner, .. }
            | Command::RevokeKey { partner, .. }
            | Command::ChangeTerms { partner, .. }
            | Command::Rehearse(partner, _)
            | Command::TopUpDelivered { partner, .. }
            | Command::FundFloat { partner, .. } => EntityKey::Partner(*partner),
            Command::PublishCatalog { operator, .. } => EntityKey::Catalog(*operator),
            Command::CreatePayment(asked) => EntityKey::Payment(asked.id),
            Command::Suspend(came) => EntityKey::Payment(came.id()),
            Command::Payment { id, .. } => EntityKey::Payment(*id),
            Command::TendShares { operator, home } => EntityKey::Shares(*operator, *home),
            Command::Chain(asked) => asked.route(),
            Command::OpenCardBatch(_) => EntityKey::CardRegister,
            Command::ShelveCards(asked) => match asked.cards.first() {
                Some((hash, _)) => hash.key(asked.operator),
                None => EntityKey::CardBatch(asked.batch),
            },
            Command::CardBatchReady(batch)
            | Command::ExportCards(batch)
            | Command::ExpireCards { batch, .. } => EntityKey::CardBatch(*batch),
            Command::SetCards(asked) => EntityKey::CardBatch(asked.batch),
            Command::RedeemCard(asked) => asked.hash.key(asked.operator),
            Command::NoteCardTry(tried) => EntityKey::CardGuard(tried.account, tried.own),
            Command::Deliver(message) => message.route(),
        }
    }

    /// Every entity that [`crate::decide`] may look at: they must be loaded before.
    pub fn reads(&self) -> SmallVec<[EntityKey; 3]> {
        let mut keys = SmallVec::new();
        keys.push(self.route());
        match self {
            Command::TopUp(request) => {
                keys.push(request.key());
                keys.push(request.idempotency());
                keys.push(EntityKey::Terms(request.partner, request.test));
                keys.push(EntityKey::Seller(request.partner));
            }
            Command::OpenAccount(OpenAccount { imsi: Some(imsi), .. }) => keys.push(EntityKey::Imsi(*imsi)),
            Command::CreatePayment(asked) => {
                if let Destination::Account(account) = asked.to {
                    keys.push(EntityKey::Account(account));
                }
            }
            Command::Payment {
                account: Some(account),
                ..
            } => keys.push(EntityKey::Account(*account)),
            Command::Deliver(
                Message::Credited {
                    partner, external, ..
                }
                | Message::TakenBack {
                    partner, external, ..
                },
            )
            | Command::TopUpDelivered {
                partner, external, ..
            } => {
                keys.push(EntityKey::TopUp(*partner, *external));
                keys.push(EntityKey::Terms(*partner, false));
                keys.push(EntityKey::Seller(*partner));
                keys.push(EntityKey::Sale(*partner, *external));
            }
            Command::Auto { account, .. } | Command::TellBudget { account, .. } => {
                keys.push(EntityKey::Account(*account));
            }
            Command::ReverseTopUp(asked) => {
                keys.push(asked.key());
                // A sandbox reversal ends at once.
                keys.push(EntityKey::Terms(asked.partner, true));
            }
            Command::FundFloat { partner, .. } => keys.push(EntityKey::Seller(*partner)),
            Command::Chain(asked) => asked.reads(|key| keys.push(key)),
            Command::Deliver(Message::Chain(message)) => message.reads(|key| keys.push(key)),
            Command::RefuseTopUp(asked) => {
                keys.push(asked.key());
                keys.push(asked.idempotency());
            }
            Command::ChangeTerms { partner, test, .. } => keys.push(EntityKey::Terms(*partner, *test)),
            Command::Rehearse(partner, digest) => {
                keys.push(EntityKey::TopUp(*partner, *digest));
                keys.push(EntityKey::Terms(*partner, true));
            }
            Command::Deliver(Message::BudgetAnswered { asked, .. }) if asked.claim.is_some() => {
                keys.push(EntityKey::Shares(asked.operator, asked.home));
            }
            Command::ShelveCards(asked) => {
                let mut shelves: Vec<EntityKey> = asked
                    .cards
                    .iter()
                    .map(|(hash, _)| hash.key(asked.operator))
                    .collect();
                shelves.sort_unstable();
                shelves.dedup();
                keys.extend(shelves);
            }
            _ => {}
        }
        keys
    }
}

/// A credit-control request in the words of the core (RFC 8506, TS 32.299).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest {
    /// The account.
    pub account: AccountId,
    /// Digest of the session's name.
    pub session: SessionKey,
    /// The session's name on the wire; kept when the session opens.
    pub session_id: Box<str>,
    /// The peer's name (Origin-Host); kept when the session opens.
    pub peer: Box<str>,
    /// What is asked.
    pub kind: ChargeKind,
    /// CC-Request-Number.
    pub number: u32,
    /// Kind of use.
    pub service: Service,
    /// Called party.
    pub called: Called,
    /// Operator of the called party when the directory knows it.
    pub called_operator: Option<OperatorId>,
    /// Visited network as MCC-MNC digits, 0 when not told.
    pub plmn: u32,
    /// Location or tracking area code of the serving cell, when told.
    pub area: Option<u32>,
    /// What the peer can do.
    pub traits: PeerTraits,
    /// The parts: one per Multiple-Services-Credit-Control, or one for a request without.
    pub parts: SmallVec<[ChargePart; 1]>,
    /// Set when the balance check or the refund names an amount of money.
    pub money: Option<Money>,
}

impl ChargeRequest {
    /// The id under which this request is remembered.
    pub fn source(&self) -> SourceId {
        SourceId::of_request(self.session, self.number, self.kind.is_immediate())
    }

    /// Digest of what is asked: same id and other digest is a conflict. Mixing, not cryptography: the sender
    /// can only harm its own session.
    pub fn body(&self) -> u64 {
        let mut digest = Mixer::new();
        digest.add(self.kind as u64);
        digest.add(self.service as u64);
        digest.add(self.called.digits());
        for part in &self.parts {
            digest.add(u64::from(part.key.rating_group.map_or(0, |g| g.wrapping_add(1))));
            digest.add(u64::from(part.key.service_id.map_or(0, |g| g.wrapping_add(1))));
            digest.add(
                part.requested
                    .map_or(1, |r| r.map_or(2, |a| a.0.cast_unsigned().wrapping_add(3))),
            );
            for used in &part.used {
                digest.add(used.amount.0.cast_unsigned() ^ (used.period as u64) << 62);
            }
        }
        digest.add(self.money.map_or(0, |m| m.0.cast_unsigned()));
        digest.finish()
    }
}

/// A fast 64-bit mixer for digests of command bodies.
#[derive(Debug)]
pub struct Mixer(u64);

impl Mixer {
    /// The start.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Mixer {
        Mixer(0x51_7c_c1_b7_27_22_0a_95)
    }

    /// Mixes a value in.
    pub fn add(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (mixed >> 32);
    }

    /// Mixes text in.
    pub fn add_text(&mut self, text: &str) {
        self.add(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    /// The digest.
    pub fn finish(self) -> u64 {
        self.0
    }
}

/// What a credit-control request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChargeKind {
    /// CCR INITIAL: open a session and reserve.
    Initial = 1,
    /// CCR UPDATE: commit what was used, reserve anew.
    Update = 2,
    /// CCR TERMINATION: commit, release, close.
    Terminate = 3,
    /// CCR EVENT, DIRECT_DEBITING.
    Debit = 4,
    /// CCR EVENT, REFUND_ACCOUNT.
    Refund = 5,
    /// CCR EVENT, CHECK_BALANCE.
    BalanceCheck = 6,
    /// CCR EVENT, PRICE_ENQUIRY.
    PriceEnquiry = 7,
    /// Nobody reported any more: the core's own closing of a session.
    Supervision = 8,
}
impl ChargeKind {
    /// True for CCR EVENT: it belongs to no session.
    pub fn is_immediate(self) -> bool {
        matches!(
            self,
            ChargeKind::Debit | ChargeKind::Refund | ChargeKind::BalanceCheck | ChargeKind::PriceEnquiry
        )
    }
}
codec_enum!(ChargeKind {
    Initial = 1, Update = 2, Terminate = 3, Debit = 4, Refund = 5, BalanceCheck = 6, PriceEnquiry = 7, Supervision = 8,
});

/// One part of a request: what was used and what is asked for a rating group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChargePart {
    /// Which part.
    pub key: ElementKey,
    /// `None`: no quota asked. `Some(None)`: asked, amount left to the server. `Some(Some(n))`: n units asked.
    pub requested: Option<Option<Amount>>,
    /// Reported use: deltas in the service's unit.
    pub used: SmallVec<[Used; 1]>,
}

/// Reported use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How much.
    pub amount: Amount,
    /// On which side of a tariff change.
    pub period: UsedPeriod,
}

/// Tariff-Change-Usage (RFC 8506 section 8.27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum UsedPeriod {
    /// Not told: the core decides by time.
    #[default]
    NotTold = 0,
    /// Before the change.
    Before = 1,
    /// After the change.
    After = 2,
}

/// What a peer can and cannot do: chosen by observation at the front (reference charging 1 to 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerTraits {
    /// Ignores RAR, so that only a short Validity-Time lets a recharge revive a session.
    pub ignores_reauth: bool,
    /// Understands Tariff-Time-Change and reports both sides.
    pub splits_tariff_change: bool,
    /// Largest grant it understands; zero: no limit.
    pub grant_max: Amount,
}

impl Default for PeerTraits {
    fn default() -> PeerTraits {
        PeerTraits {
            ignores_reauth: false,
            splits_tariff_change: true,
            grant_max: Amount::ZERO,
        }
    }
}

/// A credit from a rail, or the second half of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recharge {
    /// The account.
    pub account: AccountId,
    /// Who says so.
    pub source: SourceId,
    /// Reference for people: payment id, top-up id.
    pub reference: String,
    /// Where the money comes from.
    pub funding: Funding,
    /// What the payer paid.
    pub gross: Money,
    /// Where the sale took place, when it decides the tax; empty: where the subscriber is.
    pub region: RegionCode,
    /// Campaign code that the payer typed; empty: none.
    pub campaign: Code,
    /// Kind of channel.
    pub class: ChannelClass,
}

impl Recharge {
    /// Digest of what is asked.
    pub fn body(&self) -> u64 {
        let mut digest = Mixer::new();
        digest.add(self.account.0);
        digest.add(self.gross.0.cast_unsigned());
        digest.add_text(self.region.as_str());
        digest.add_text(self.funding.channel().as_str());
        // Only when they say something: digests of before promotions asked for them stay what they were.
        if !self.campaign.is_empty() || self.class != ChannelClass::Unknown {
            digest.add_text(self.campaign.as_str());
            digest.add(self.class as u64);
        }
        digest.finish()
    }
}

/// Where the money of a recharge comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    /// A payment rail's clearing account.
    Rail(Code),
    /// A partner's float, by way of the in-transit account.
    InTransit {
        /// The partner.
        partner: PartnerId,
        /// Its code, shown as channel.
        channel: Code,
    },
    /// Money in suspense, for which staff named the account.
    Suspense {
        /// What holds it.
        payment: PaymentId,
        /// The rail by which it came, shown as channel.
        channel: Code,
    },
    /// A scratch card, by way of the in-transit account.
    Card {
        /// Whose card it is.
        operator: OperatorId,
        /// Which.
        hash: PinHash,
        /// How it was redeemed, shown as channel.
        channel: Code,
    },
}

impl Funding {
    /// The channel named on receipts.
    pub fn channel(&self) -> Code {
        match self {
            Funding::Rail(code)
            | Funding::InTransit { channel: code, .. }
            | Funding::Suspense { channel: code, .. }
            | Funding::Card { channel: code, .. } => *code,
        }
    }
}

/// Money that came in by a rail and named no payment, or one that does not want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// The rail.
    pub rail: Code,
    /// The rail's reference of the money: unique.
    pub reference: String,
    /// What came.
    pub paid: Price,
}

impl Unmatched {
    /// The id of the payment that holds it.
    pub fn id(&self) -> PaymentId {
        PaymentId::of_suspense(self.rail, &self.reference)
    }
}

/// A sale of a recharge by a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRequest {
    /// Id made by the front.
    pub id: u128,
    /// Who sells.
    pub partner: PartnerId,
    /// The partner's reference.
    pub external_id: String,
    /// Digest of the Idempotency-Key.
    pub idempotency_key: u128,
    /// The number, as resolved by the directory.
    pub msisdn: Msisdn,
    /// Its account.
    pub account: AccountId,
    /// Its operator.
    pub operator: OperatorId,
    /// What the payer pays.
    pub gross: Money,
    /// Campaign code that the payer typed; empty: none.
    pub campaign: Code,
    /// Kind of channel.
    pub class: ChannelClass,
    /// Where its changes are told; empty: where the partner's terms say.
    pub callback_url: String,
    /// A rehearsal: nothing real moves.
    pub test: bool,
    /// The connector that hands it to another operator; empty: `account` is credited here.
    pub connector: Code,
    /// Who sells, when a seller of the chain does.
    pub by: SoldBy,
}

impl TopUpRequest {
    /// Key of the top-up.
    pub fn key(&self) -> EntityKey {
        EntityKey::TopUp(self.partner, self.external_digest())
    }

    /// Digest of an external_id: real and rehearsed ones do not meet.
    pub fn digest_of(external_id: &str, test: bool) -> u128 {
        let label = if test { "external_id/test" } else { "external_id" };
        crate::ids::digest128(label, &[external_id.as_bytes()])
    }

    /// Digest of the external_id.
    pub fn external_digest(&self) -> u128 {
        TopUpRequest::digest_of(&self.external_id, self.test)
    }

    /// Key of the idempotency entry.
    pub fn idempotency(&self) -> EntityKey {
        let key = match self.test {
            true => crate::ids::digest128("idempotency/test", &[&self.idempotency_key.to_be_bytes()]),
            false => self.idempotency_key,
        };
        EntityKey::Idempotency(self.partner, key)
    }

    /// Digest of what is asked.
    pub fn body(&self) -> u64 {
        let mut digest = Mixer::new();
        digest.add(self.msisdn.number());
        digest.add(self.gross.0.cast_unsigned());
        digest.add_text(&self.external_id);
        if !self.campaign.is_empty() || self.class != ChannelClass::Unknown {
            digest.add_text(self.campaign.as_str());
            digest.add(self.class as u64);
        }
        // Only when there is one: digests of before callbacks stay what they were.
        if !self.callback_url.is_empty() {
            digest.add_text(&self.callback_url);
        }
        if !self.by.bundle.is_empty() {
            digest.add_text("bundle");
            digest.add_text(self.by.bundle.as_str());
        }
        digest.finish()
    }
}

/// A purchase of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buy {
    /// The account.
    pub account: AccountId,
    /// The offer.
    pub offer: Code,
    /// Who says so.
    pub source: SourceId,
    /// Set it to renew by itself.
    pub renew: bool,
    /// The most that the buyer was told; a higher price is refused. `None`: whatever it costs.
    pub at_most: Option<Money>,
}

/// A new subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAccount {
    /// Id for the account, made by the caller; must be new.
    pub account: AccountId,
    /// The tenant.
    pub operator: OperatorId,
    /// The number.
    pub msisdn: Msisdn,
    /// The SIM.
    pub imsi: Option<Imsi>,
    /// Language of messages.
    pub language: Language,
    /// Tax class.
    pub tax_class: TaxClass,
    /// Home region, used until a cell is seen; empty: the operator's default.
    pub region: RegionCode,
    /// Money brought along from another system; no tax, no promotion.
    pub opening_balance: Money,
}
codec_struct!(OpenAccount {
    account,
    operator,
    msisdn,
    imsi,
    language,
    tax_class,
    region,
    opening_balance
});

/// Changes to an account; `None` leaves things as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateAccount {
    /// The account.
    pub account: AccountId,
    /// Language of messages.
    pub language: Option<Language>,
    /// Tax class.
    pub tax_class: Option<TaxClass>,
    /// Suspend, restore, close.
    pub state: Option<LifeCycle>,
}

/// A new partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPartner {
    /// Id made by the caller.
    pub partner: PartnerId,
    /// Name for people.
    pub name: String,
    /// Channel code on receipts.
    pub code: Code,
    /// Operators it may sell for; empty: all.
    pub operators: Vec<OperatorId>,
    /// Smallest top-up; zero: the operator's.
    pub minimum: Money,
    /// Largest top-up; zero: the operator's.
    pub maximum: Money,
    /// Most it may sell on one day (UTC); zero: no limit.
    pub per_day: Money,
    /// Its first key, if any.
    pub key: Option<ApiKey>,
}

impl OpenPartner {
    /// A partner without limits of its own.
    pub fn named(partner: PartnerId, name: &str, code: Code) -> OpenPartner {
        OpenPartner {
            partner,
            name: name.to_owned(),
            code,
            operators: Vec::new(),
            minimum: Money::ZERO,
            maximum: Money::ZERO,
            per_day: Money::ZERO,
            key: None,
        }
    }

    /// True when a key of these scopes is asked for.
    pub fn grants(&self, scopes: Scopes) -> bool {
        self.key.as_ref().is_some_and(|key| key.scopes.allows(scopes))
    }
}

mod codec;
