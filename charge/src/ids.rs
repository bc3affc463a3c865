//! Names of things: accounts, numbers, partners, sessions, sources of commands.

use crate::account::Account;
use crate::auto::{AutoRecharge, BudgetTold};
use crate::card::{CardBatch, CardCopy, CardGuard, CardRegister, CardShelf};
use crate::codec::{Codec, CodecError, Reader};
use crate::partner::{NumberRecord, Partner, PublishedCatalog, TopUp};
use crate::payment::{Payment, PaymentId};
use crate::promotion::{Budget, Shares};
use crate::seller::{ChainSale, Seller, StockMove};
use crate::terms::PartnerTerms;
use sha2::{Digest, Sha256};
use std::fmt;

/// A subscriber's account. Sequential, never reused; not the phone number, which can change hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u64);

/// A partner that sells recharges and holds a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerId(pub u32);

/// An operator (tenant).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u16);

/// A lot of one account, numbered from 1 in order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotId(pub u32);

/// An E.164 number without the plus: 4 to 15 digits, first digit not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(u64);

impl Msisdn {
    /// Reads an international number, with or without `+` or a `tel:` prefix.
    ///
    /// # Errors
    /// [`NumberError`] when it is not 4 to 15 digits or begins with 0.
    pub fn parse(text: &str) -> Result<Msisdn, NumberError> {
        let digits = text.strip_prefix("tel:").unwrap_or(text);
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let number = digits_of(digits, 4..=15)?;
        if digits.starts_with('0') {
            Err(NumberError)
        } else {
            Ok(Msisdn(number))
        }
    }

    /// A number from its digits as an integer.
    ///
    /// # Errors
    /// [`NumberError`] outside 4 to 15 digits.
    pub fn new(number: u64) -> Result<Msisdn, NumberError> {
        if (1_000..1_000_000_000_000_000).contains(&number) {
            Ok(Msisdn(number))
        } else {
            Err(NumberError)
        }
    }

    /// No number: of money that nobody has claimed yet. The directory has no such entry.
    pub const NOBODY: Msisdn = Msisdn(0);

    /// The digits as an integer.
    pub fn number(self) -> u64 {
        self.0
    }

    /// For logs: country code and last two digits only (design rule 10).
    pub fn masked(self) -> String {
        let text = self.0.to_string();
        let keep = text.len().saturating_sub(2);
        format!(
            "{}{}{}",
            &text[..3.min(keep)],
            "*".repeat(keep.saturating_sub(3)),
            &text[keep..]
        )
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An International Mobile Subscriber Identity: 6 to 15 digits (E.212). Leading zeros belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Imsi(u64);

impl Imsi {
    /// Reads the digits. The length is kept beside them, so that a leading zero is not lost.
    ///
    /// # Errors
    /// [`NumberError`] when it is not 6 to 15 digits.
    pub fn parse(text: &str) -> Result<Imsi, NumberError> {
        let number = digits_of(text, 6..=15)?;
        let length = u64::try_from(text.len()).map_err(|_| NumberError)?;
        Ok(Imsi(length << 56 | number))
    }

    /// The packed form: length in the top byte, digits below. For keys and codecs.
    pub fn packed(self) -> u64 {
        self.0
    }

    /// From the packed form; checked.
    ///
    /// # Errors
    /// [`NumberError`] when the packed form cannot come from [`Imsi::packed`].
    pub fn from_packed(packed: u64) -> Result<Imsi, NumberError> {
        let imsi = Imsi(packed);
        let text = imsi.to_string();
        if Imsi::parse(&text)? == imsi {
            Ok(imsi)
        } else {
            Err(NumberError)
        }
    }
}

impl fmt::Display for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = usize::try_from(self.0 >> 56).unwrap_or(0);
        let digits = self.0 & 0x00ff_ffff_ffff_ffff;
        write!(f, "{digits:0width$}")
    }
}

fn digits_of(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Result<u64, NumberError> {
    if !lengths.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError);
    }
    text.parse().map_err(|_| NumberError)
}

/// Text that is not a number of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid number: digits only, in international form")]
pub struct NumberError;

/// A short name stored in place: at most 23 bytes of UTF-8. Codes of tariff rows, offers, promotions and channels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    bytes: [u8; 23],
    length: u8,
}

impl Code {
    /// No name.
    pub const EMPTY: Code = Code {
        bytes: [0; 23],
        length: 0,
    };
    /// Longest name in bytes.
    pub const MAX: usize = 23;

    /// Takes a name of at most 23 bytes.
    pub fn new(text: &str) -> Option<Code> {
        let mut bytes = [0; 23];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Code {
            bytes,
            length: u8::try_from(text.len()).ok()?,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or("")
    }

    /// The name as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// True when there is no name.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Default for Code {
    fn default() -> Code {
        Code::EMPTY
    }
}
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 128 bits of SHA-256 over labelled parts; lengths are hashed too, so that parts cannot run together.
pub fn digest128(label: &str, parts: &[&[u8]]) -> u128 {
    let mut hasher = Sha256::new();
    hasher.update(label.as_bytes());
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize()[..16]);
    u128::from_be_bytes(first)
}

/// A charging session: digest of its Diameter Session-Id (or of another front's session name).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub u128);

impl SessionKey {
    /// The key of a session by its name on the wire.
    pub fn of(session_id: &[u8]) -> SessionKey {
        SessionKey(digest128("session", &[session_id]))
    }
}

/// Who asked, uniquely: the id that makes a command that moves value safe to repeat (design rule 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u128);

impl SourceId {
    /// A credit-control request: session and CC-Request-Number (RFC 8506 section 8.2). Immediate events have ids of their own:
    /// a session does not know their numbers, so one that reuses a session's name must not be taken for its request.
    pub fn of_request(session: SessionKey, number: u32, immediate: bool) -> SourceId {
        let start = if immediate { !session.0 } else { session.0 };
        SourceId(
            start.wrapping_add(
                (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            ),
        )
    }

    /// A reference given by a named party, for example a rail's payment id.
    pub fn of_reference(party: &str, reference: &str) -> SourceId {
        SourceId(digest128("reference", &[party.as_bytes(), reference.as_bytes()]))
    }
}

/// The name of an entity. Every entity lives in exactly one partition, found from its key alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKey {
    /// A subscriber's account.
    Account(AccountId),
    /// A phone number in the directory.
    Number(Msisdn),
    /// A SIM in the directory.
    Imsi(Imsi),
    /// A partner with its float.
    Partner(PartnerId),
    /// A top-up, by partner and digest of its external_id: unique for ever.
    TopUp(PartnerId, u128),
    /// An Idempotency-Key of a partner (digest), pointing to its top-up.
    Idempotency(PartnerId, u128),
    /// The catalog of an operator, as last published.
    Catalog(OperatorId),
    /// A payment, beside the account that it is for.
    Payment(PaymentId),
    /// The budget of a promotion.
    Budget(OperatorId, Code),
    /// What a partition may spend of an operator's promotions.
    Shares(OperatorId, u16),
    /// Terms of a partner; `true`: those of its sandbox.
    Terms(PartnerId, bool),
    /// The auto-recharge of an account.
    Auto(AccountId),
    /// What the owner of an account was told of a month's budget.
    BudgetTold(AccountId),
    /// A partner's place in the selling chain.
    Seller(PartnerId),
    /// What the chain knows of a top-up, by partner and digest of its external_id.
    Sale(PartnerId, u128),
    /// A movement of stock, by giver and digest of its reference: unique for ever.
    Move(PartnerId, u128),
    /// How many batches of scratch cards there are.
    CardRegister,
    /// A batch of scratch cards.
    CardBatch(u32),
    /// What a partition knows of a batch.
    CardCopy(u32, u16),
    /// A shelf of an operator's scratch cards.
    CardShelf(OperatorId, u16),
    /// Wrong tries with scratch cards; `true`: by the number itself.
    CardGuard(AccountId, bool),
}

impl EntityKey {
    /// Which of `partitions` owns the key. Partition 0 holds the directory, so that a number and a SIM are claimed
    /// together; the others share accounts and partners. With one partition, it holds everything.
    pub fn partition(self, partitions: u16) -> u16 {
        let spread = |id: u64| match partitions {
            0 | 1 => 0,
            n => 1 + u16::try_from(id % u64::from(n - 1)).unwrap_or(0),
        };
        match self {
            EntityKey::Number(_) | EntityKey::Imsi(_) | EntityKey::Catalog(_) => 0,
            EntityKey::Account(account) | EntityKey::Auto(account) | EntityKey::BudgetTold(account) => {
                spread(account.0)
            }
            EntityKey::Payment(payment) => spread(payment.home()),
            EntityKey::Partner(partner)
            | EntityKey::Terms(partner, _)
            | EntityKey::TopUp(partner, _)
            | EntityKey::Seller(partner)
            | EntityKey::Sale(partner, _)
            | EntityKey::Move(partner, _)
            | EntityKey::Idempotency(partner, _) => spread(u64::from(partner.0)),
            EntityKey::Budget(operator, promotion) => {
                let bytes = promotion.as_bytes().iter();
                spread(bytes.fold(u64::from(operator.0), |sum, byte| {
                    sum * 31 % 65_521 + u64::from(*byte)
                }))
            }
            EntityKey::Shares(_, home) | EntityKey::CardCopy(_, home) => home % partitions.max(1),
            // Together, so that a number and its batch are made in one decision.
            EntityKey::CardRegister | EntityKey::CardBatch(_) => spread(0),
            EntityKey::CardShelf(_, shelf) => spread(u64::from(shelf)),
            EntityKey::CardGuard(account, _) => spread(account.0),
        }
    }
}

impl EntityKey {
    /// The partner that an entity belongs to.
    pub fn partner(self) -> Option<PartnerId> {
        match self {
            EntityKey::Partner(partner)
            | EntityKey::TopUp(partner, _)
            | EntityKey::Idempotency(partner, _)
            | EntityKey::Terms(partner, _)
            | EntityKey::Seller(partner)
            | EntityKey::Sale(partner, _)
            | EntityKey::Move(partner, _) => Some(partner),
            _ => None,
        }
    }
}

/// The state behind a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// A subscriber's account.
    Account(Box<Account>),
    /// A directory entry of a number or a SIM.
    Number(NumberRecord),
    /// A partner.
    Partner(Box<Partner>),
    /// A top-up.
    TopUp(Box<TopUp>),
    /// The top-up digest that an Idempotency-Key made.
    Idempotency(u128),
    /// A published catalog.
    Catalog(Box<PublishedCatalog>),
    /// A payment.
    Payment(Box<Payment>),
    /// The budget of a promotion.
    Budget(Budget),
    /// What a partition may spend of promotions.
    Shares(Box<Shares>),
    /// Terms of a partner.
    Terms(Box<PartnerTerms>),
    /// An auto-recharge.
    Auto(Box<AutoRecharge>),
    /// What somebody was told of a month's budget.
    BudgetTold(BudgetTold),
    /// A seller.
    Seller(Box<Seller>),
    /// What the chain knows of a top-up.
    Sale(Box<ChainSale>),
    /// A movement of stock.
    Move(Box<StockMove>),
    /// How many batches of scratch cards there are.
    CardRegister(Box<CardRegister>),
    /// A batch of scratch cards.
    CardBatch(Box<CardBatch>),
    /// What a partition knows of a batch.
    CardCopy(Box<CardCopy>),
    /// A shelf of scratch cards.
    CardShelf(Box<CardShelf>),
    /// Wrong tries.
    CardGuard(Box<CardGuard>),
}

impl Entity {
    /// The account, if it is one.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Entity::Account(account) => Some(account),
            _ => None,
        }
    }

    /// The partner, if it is one.
    pub fn partner(&self) -> Option<&Partner> {
        match self {
            Entity::Partner(partner) => Some(partner),
            _ => None,
        }
    }

    /// The top-up, if it is one.
    pub fn top_up(&self) -> Option<&TopUp> {
        match self {
            Entity::TopUp(top_up) => Some(top_up),
            _ => None,
        }
    }

    /// The payment, if it is one.
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Entity::Payment(payment) => Some(payment),
            _ => None,
        }
    }

    /// The terms of a partner, if it is that.
    pub fn terms(&self) -> Option<&PartnerTerms> {
        match self {
            Entity::Terms(terms) => Some(terms),
            _ => None,
        }
    }

    /// The auto-recharge, if it is one.
    pub fn auto(&self) -> Option<&AutoRecharge> {
        match self {
            Entity::Auto(auto) => Some(auto),
            _ => None,
        }
    }

    /// The seller, if it is one.
    pub fn seller(&self) -> Option<&Seller> {
        match self {
            Entity::Seller(seller) => Some(seller),
            _ => None,
        }
    }

    /// What the chain knows of a top-up, if it is that.
    pub fn sale(&self) -> Option<&ChainSale> {
        match self {
            Entity::Sale(sale) => Some(sale),
            _ => None,
        }
    }

    /// The movement of stock, if it is one.
    pub fn stock_move(&self) -> Option<&StockMove> {
        match self {
            Entity::Move(asked) => Some(asked),
            _ => None,
        }
    }

    /// The directory entry, if it is one.
    pub fn number(&self) -> Option<&NumberRecord> {
        match self {
            Entity::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The budget of a promotion, if it is one.
    pub fn budget(&self) -> Option<&Budget> {
        match self {
            Entity::Budget(budget) => Some(budget),
            _ => None,
        }
    }

    /// What a partition may spend, if it is that.
    pub fn shares(&self) -> Option<&Shares> {
        match self {
            Entity::Shares(shares) => Some(shares),
            _ => None,
        }
    }

    /// When this entity next needs a [`crate::Command::Tick`], if ever (design rule 8).
    pub fn next_due(&self) -> Option<crate::Timestamp> {
        match self {
            Entity::Account(account) => account.next_due(),
            Entity::TopUp(top_up) => crate::sandbox::next_due(top_up),
            Entity::Auto(auto) => auto.next_due(),
            Entity::CardBatch(batch) => batch.next_due(),
            _ => None,
        }
    }

    /// Reads a little of every line of the entity itself. Done for a queue of commands before the first is decided, and then
    /// [`Entity::touch_parts`] for all of them, it lets the memory fetch side by side what it would fetch one after the other.
    pub fn touch(&self) -> usize {
        match self {
            Entity::Account(account) => account.touch(),
            _ => 0,
        }
    }

    /// Reads a little of every line of what hangs on the entity: see [`Entity::touch`].
    pub fn touch_parts(&self) -> usize {
        match self {
            Entity::Account(account) => account.touch_parts(),
            _ => 0,
        }
    }

    /// Rough bytes held in memory, for bounded caches.
    pub fn weight(&self) -> usize {
        match self {
            Entity::Account(account) => account.weight(),
            Entity::Partner(partner) => 400 + partner.keys.len() * 120,
            Entity::TopUp(top_up) => 480 + top_up.external_id.len() + top_up.details.callback_url.len(),
            Entity::Terms(terms) => terms.weight(),
            Entity::Seller(seller) => seller.weight(),
            Entity::Sale(sale) => 140 + sale.overrides.len() * 24,
            Entity::Move(asked) => 220 + asked.reference.len(),
            Entity::Payment(payment) => payment.weight(),
            // They lie in their owner's table itself.
            Entity::Number(_) | Entity::Idempotency(_) | Entity::Budget(_) | Entity::BudgetTold(_) => 0,
            Entity::Auto(auto) => auto.weight(),
            Entity::Catalog(catalog) => 100 + catalog.text.len(),
            Entity::CardRegister(register) => 64 + register.locks.len() * 48,
            Entity::CardBatch(batch) => batch.weight(),
            Entity::CardCopy(copy) => 100 + copy.ranges.len() * 40,
            Entity::CardShelf(shelf) => shelf.weight(),
            Entity::CardGuard(_) => 56,
            Entity::Shares(shares) => 100 + shares.shares.len() * 120 + shares.claims.len() * 400,
        }
    }
}

impl Codec for EntityKey {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            EntityKey::Account(account) => {
                out.push(1);
                account.encode(out);
            }
            EntityKey::Number(number) => {
                out.push(2);
                number.encode(out);
            }
            EntityKey::Imsi(imsi) => {
                out.push(3);
                imsi.encode(out);
            }
            EntityKey::Partner(partner) => {
                out.push(4);
                partner.encode(out);
            }
            EntityKey::TopUp(partner, external) => {
                out.push(5);
                (*partner, *external).encode(out);
            }
            EntityKey::Catalog(operator) => {
                out.push(7);
                operator.encode(out);
            }
            EntityKey::Idempotency(partner, key) => {
                out.push(6);
                (*partner, *key).encode(out);
            }
            EntityKey::Payment(payment) => {
                out.push(8);
                payment.encode(out);
            }
            EntityKey::Budget(operator, promotion) => {
                out.push(20);
                (*operator, *promotion).encode(out);
            }
            EntityKey::Shares(operator, home) => {
                out.push(21);
                (*operator, *home).encode(out);
            }
            EntityKey::Auto(account) => {
                out.push(40);
                account.encode(out);
            }
            EntityKey::BudgetTold(account) => {
                out.push(41);
                account.encode(out);
            }
            EntityKey::Terms(partner, test) => {
                out.push(30);
                (*partner, *test).encode(out);
            }
            EntityKey::Seller(partner) => {
                out.push(70);
                partner.encode(out);
            }
            EntityKey::Sale(partner, digest) => {
                out.push(71);
                (*partner, *digest).encode(out);
            }
            EntityKey::Move(partner, digest) => {
                out.push(72);
                (*partner, *digest).encode(out);
            }
            EntityKey::CardRegister => out.push(90),
            EntityKey::CardBatch(batch) => {
                out.push(91);
                batch.encode(out);
            }
            EntityKey::CardCopy(batch, home) => {
                out.push(92);
                (*batch, *home).encode(out);
            }
            EntityKey::CardShelf(operator, shelf) => {
                out.push(93);
                (*operator, *shelf).encode(out);
            }
            EntityKey::CardGuard(account, own) => {
                out.push(94);
                (*account, *own).encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<EntityKey, CodecError> {
        Ok(match input.take(1)?[0] {
            1 => EntityKey::Account(Codec::decode(input)?),
            2 => EntityKey::Number(Msisdn::decode(input)?),
            3 => EntityKey::Imsi(Imsi::decode(input)?),
            4 => EntityKey::Partner(Codec::decode(input)?),
            5 => {
                let (partner, external) = Codec::decode(input)?;
                EntityKey::TopUp(partner, external)
            }
            6 => {
                let (partner, key) = Codec::decode(input)?;
                EntityKey::Idempotency(partner, key)
            }
            7 => EntityKey::Catalog(Codec::decode(input)?),
            8 => EntityKey::Payment(Codec::decode(input)?),
            20 => {
                let (operator, promotion) = Codec::decode(input)?;
                EntityKey::Budget(operator, promotion)
            }
            21 => {
                let (operator, home) = Codec::decode(input)?;
                EntityKey::Shares(operator, home)
            }
            30 => {
                let (partner, test) = Codec::decode(input)?;
                EntityKey::Terms(partner, test)
            }
            40 => EntityKey::Auto(Codec::decode(input)?),
            41 => EntityKey::BudgetTold(Codec::decode(input)?),
            70 => EntityKey::Seller(Codec::decode(input)?),
            71 => {
                let (partner, digest) = Codec::decode(input)?;
                EntityKey::Sale(partner, digest)
            }
            72 => {
                let (partner, digest) = Codec::decode(input)?;
                EntityKey::Move(partner, digest)
            }
            90 => EntityKey::CardRegister,
            91 => EntityKey::CardBatch(Codec::decode(input)?),
            92 => {
                let (batch, home) = Codec::decode(input)?;
                EntityKey::CardCopy(batch, home)
            }
            93 => {
                let (operator, shelf) = Codec::decode(input)?;
                EntityKey::CardShelf(operator, shelf)
            }
            94 => {
                let (account, own) = Codec::decode(input)?;
                EntityKey::CardGuard(account, own)
            }
            _ => return Err(CodecError::Invalid("entity key")),
        })
    }
}

impl Codec for Entity {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Entity::Account(account) => {
                out.push(1);
                account.encode(out);
            }
            Entity::Number(number) => {
                out.push(2);
                number.encode(out);
            }
            Entity::Partner(partner) => {
                out.push(3);
                partner.encode(out);
            }
            Entity::TopUp(top_up) if top_up.is_long() => {
                out.push(60);
                top_up.encode_long(out);
            }
            Entity::TopUp(top_up) if !top_up.is_plain() => {
                out.push(30);
                top_up.encode_detailed(out);
            }
            Entity::Terms(terms) if !terms.planned.is_empty() => {
                out.push(61);
                terms.encode_planned(out);
            }
            Entity::Terms(terms) => {
                out.push(31);
                terms.encode(out);
            }
            Entity::Seller(seller) => {
                out.push(70);
                seller.encode(out);
            }
            Entity::Sale(sale) => {
                out.push(71);
                sale.encode(out);
            }
            Entity::Move(asked) => {
                out.push(72);
                asked.encode(out);
            }
            Entity::TopUp(top_up) => {
                out.push(4);
                top_up.encode(out);
            }
            Entity::Catalog(catalog) => {
                out.push(6);
                catalog.encode(out);
            }
            Entity::Idempotency(external) => {
                out.push(5);
                external.encode(out);
            }
            Entity::Payment(payment) => {
                out.push(7);
                payment.encode(out);
            }
            Entity::Auto(auto) => {
                out.push(40);
                auto.encode(out);
            }
            Entity::BudgetTold(told) => {
                out.push(41);
                told.encode(out);
            }
            Entity::Budget(budget) => {
                out.push(20);
                budget.encode(out);
            }
            Entity::Shares(shares) => {
                out.push(21);
                shares.encode(out);
            }
            Entity::CardRegister(register) => {
                out.push(90);
                register.encode(out);
            }
            Entity::CardBatch(batch) => {
                out.push(91);
                batch.encode(out);
            }
            Entity::CardCopy(copy) => {
                out.push(92);
                copy.encode(out);
            }
            Entity::CardShelf(shelf) => {
                out.push(93);
                shelf.encode(out);
            }
            Entity::CardGuard(guard) => {
                out.push(94);
                guard.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Entity, CodecError> {
        match input.take(1)?[0] {
            1 => Codec::decode(input).map(Entity::Account),
            2 => Codec::decode(input).map(Entity::Number),
            3 => Codec::decode(input).map(Entity::Partner),
            4 => Codec::decode(input).map(Entity::TopUp),
            5 => Codec::decode(input).map(Entity::Idempotency),
            6 => Codec::decode(input).map(Entity::Catalog),
            7 => Codec::decode(input).map(Entity::Payment),
            20 => Codec::decode(input).map(Entity::Budget),
            21 => Codec::decode(input).map(Entity::Shares),
            30 => TopUp::decode_detailed(input).map(|top_up| Entity::TopUp(Box::new(top_up))),
            31 => Codec::decode(input).map(Entity::Terms),
            40 => Codec::decode(input).map(Entity::Auto),
            41 => Codec::decode(input).map(Entity::BudgetTold),
            61 => PartnerTerms::decode_planned(input).map(|terms| Entity::Terms(Box::new(terms))),
            60 => TopUp::decode_long(input).map(|top_up| Entity::TopUp(Box::new(top_up))),
            70 => Codec::decode(input).map(Entity::Seller),
            71 => Codec::decode(input).map(Entity::Sale),
            72 => Codec::decode(input).map(Entity::Move),
            90 => Codec::decode(input).map(Entity::CardRegister),
            91 => Codec::decode(input).map(Entity::CardBatch),
            92 => Codec::decode(input).map(Entity::CardCopy),
            93 => Codec::decode(input).map(Entity::CardShelf),
            94 => Codec::decode(input).map(Entity::CardGuard),
            _ => Err(CodecError::Invalid("entity")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            Msisdn::parse("+923001234567").unwrap().to_string(),
            "923001234567"
        );
        assert_eq!(Msisdn::parse("tel:+923001234567"), Msisdn::parse("923001234567"));
        assert_eq!(Msisdn::parse("923001234567").unwrap().masked(), "923*******67");
        for bad in ["", "+", "0300123", "92300123456789012", "92-300", "９２３００１"] {
            assert!(Msisdn::parse(bad).is_err(), "{bad}");
        }
        let imsi = Imsi::parse("001010000000001").unwrap();
        assert_eq!(imsi.to_string(), "001010000000001");
        assert_eq!(Imsi::from_packed(imsi.packed()), Ok(imsi));
        assert!(Imsi::from_packed(u64::MAX).is_err());
    }

    #[test]
    fn partitions_separate_the_directory() {
        let number = EntityKey::Number(Msisdn::parse("923001234567").unwrap());
        assert_eq!(number.partition(16), 0);
        for id in 0..100 {
            let partition = EntityKey::Account(AccountId(id)).partition(16);
            assert!((1..16).contains(&partition));
        }
        assert_eq!(EntityKey::Account(AccountId(7)).partition(1), 0);
    }
}
