//! Messages between partitions.

use super::{OpenAccount, Recharge};
use crate::card::{CardLock, CardNote, CopyEvent, PinHash, Serial};
use crate::ids::{EntityKey, LotId, OperatorId, PartnerId};
use crate::money::Money;
use crate::payment::PaymentId;
use crate::promotion::BudgetMessage;
use crate::reply::{Receipt, RechargeOutcome, Refusal};
use crate::reversal::{TakeBack, Taken};
use crate::seller::ChainMessage;

/// A message between partitions: journalled by the sender, applied once by the receiver (design section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Directory to account: a number and a SIM are claimed, open the account.
    Open(Box<OpenAccount>),
    /// Partner to account: credit this; the money is in transit.
    Credit {
        /// Digest of the external_id: with the partner, the key of the top-up.
        external: u128,
        /// The credit.
        recharge: Recharge,
    },
    /// Account to partner: how the credit went.
    Credited {
        /// The partner.
        partner: PartnerId,
        /// Digest of the external_id.
        external: u128,
        /// The outcome, or why it was refused.
        outcome: Result<RechargeOutcome, Refusal>,
        /// The lot that the credit became.
        lot: Option<LotId>,
    },
    /// Partner to account: take back what is unused of a credit.
    TakeBack(Box<TakeBack>),
    /// Account to partner: what was taken back is in transit.
    TakenBack {
        /// The partner.
        partner: PartnerId,
        /// Digest of the external_id.
        external: u128,
        /// What, or why nothing.
        result: Result<Taken, Refusal>,
    },
    /// Account to suspense: how the credit of assigned money went.
    SuspenseCredited {
        /// What holds the money.
        payment: PaymentId,
        /// The outcome, or why it was refused.
        outcome: Result<RechargeOutcome, Refusal>,
    },
    /// Partition to budget: may I spend so much more?
    BudgetAsked(BudgetMessage),
    /// Budget to partition: the answer.
    BudgetAnswered {
        /// What was asked.
        asked: BudgetMessage,
        /// May be spent; zero: the budget cannot give what was asked.
        granted: Money,
        /// All that the budget held at that time, spent or not.
        budget: Money,
    },
    /// Partition to budget: this will not be spent.
    BudgetReturned(BudgetMessage),
    /// Between sellers.
    Chain(ChainMessage),
    /// Batch of scratch cards to a partition: what has become of it.
    CardCopy {
        /// The batch.
        batch: u32,
        /// The partition.
        home: u16,
        /// The operator.
        operator: OperatorId,
        /// What.
        event: CopyEvent,
    },
    /// Partition to batch: I have that change.
    CardConfirmed {
        /// The batch.
        batch: u32,
        /// The partition.
        home: u16,
        /// The change.
        version: u32,
    },
    /// Account to shelf: how the credit of a card went.
    CardCredited {
        /// The operator.
        operator: OperatorId,
        /// The card.
        hash: PinHash,
        /// Its value.
        face: Money,
        /// The receipt, or why it was refused.
        outcome: Result<Receipt, Refusal>,
    },
    /// To batch: something about one of its cards.
    CardNoted {
        /// Which.
        serial: Serial,
        /// Its value, when it moved.
        face: Money,
        /// What.
        note: CardNote,
    },
    /// Guard to register: a number was locked.
    CardLocked(CardLock),
}

impl Message {
    /// The entity it goes to.
    pub fn route(&self) -> EntityKey {
        match self {
            Message::Open(open) => EntityKey::Account(open.account),
            Message::Credit { recharge, .. } => EntityKey::Account(recharge.account),
            Message::Credited { partner, .. } | Message::TakenBack { partner, .. } => {
                EntityKey::Partner(*partner)
            }
            Message::TakeBack(asked) => EntityKey::Account(asked.account),
            Message::SuspenseCredited { payment, .. } => EntityKey::Payment(*payment),
            Message::BudgetAsked(asked) | Message::BudgetReturned(asked) => {
                EntityKey::Budget(asked.operator, asked.promotion)
            }
            Message::BudgetAnswered { asked, .. } => match asked.claim {
                Some(claim) => EntityKey::Account(claim.account),
                None => EntityKey::Shares(asked.operator, asked.home),
            },
            Message::Chain(message) => message.route(),
            Message::CardCopy { batch, home, .. } => EntityKey::CardCopy(*batch, *home),
            Message::CardConfirmed { batch, .. } => EntityKey::CardBatch(*batch),
            Message::CardCredited { operator, hash, .. } => hash.key(*operator),
            Message::CardNoted { serial, .. } => EntityKey::CardBatch(serial.batch),
            Message::CardLocked(_) => EntityKey::CardRegister,
        }
    }
}
