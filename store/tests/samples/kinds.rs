//! The kinds of events and messages, each by name. The matches are exhaustive on purpose: no `_` here.

use super::Sample;
use charge::EventBody;
use charge::auto::AutoEvent;
use charge::card::{BatchEvent, CardNote, CopyEvent, RegisterEvent, ShelfEvent};
use charge::command::{Funding, Message};
use charge::event::ChargedBy;
use charge::payment::{Credited, Held, PaymentEvent, PaymentFault};
use charge::reversal::{CreditOf, ReversalEvent};
use charge::seller::{ChainEvent, ChainMessage, SellerChange};
use charge::terms::TermsChange;

/// A function that names the variants of a type, and the list of the names.
macro_rules! kinds {
    ($($module:ident: $type:ty { $($pattern:pat => $name:literal,)* })*) => {
        $(mod $module {
            use super::*;
            pub const EVERY: &[&str] = &[$($name),*];
            pub fn of(value: &$type) -> &'static str {
                match value { $($pattern => $name,)* }
            }
        })*
        /// Every name there is, with the type that it belongs to.
        pub fn every() -> Vec<(&'static str, &'static str)> {
            let mut all = Vec::new();
            $(all.extend($module::EVERY.iter().map(|name| (stringify!($module), *name)));)*
            all
        }
    };
}

kinds! {
    event: EventBody {
        EventBody::Charged(_) => "charged",
        EventBody::Recharged(_) => "recharged",
        EventBody::Bought(_) => "bought",
        EventBody::RenewalFailed { .. } => "renewal failed",
        EventBody::RenewalSet { .. } => "renewal set",
        EventBody::Expired { .. } => "expired",
        EventBody::LifeCycleChanged { .. } => "life cycle changed",
        EventBody::AccountOpened { .. } => "account opened",
        EventBody::AccountUpdated { .. } => "account updated",
        EventBody::NumberBound { .. } => "number bound",
        EventBody::PartnerOpened(_) => "partner opened",
        EventBody::KeyAdded(_) => "key added",
        EventBody::KeyRevoked(_) => "key revoked",
        EventBody::FloatFunded { .. } => "float funded",
        EventBody::FloatDebited { .. } => "float debited",
        EventBody::FloatSettled { .. } => "float settled",
        EventBody::TopUpCreated(_) => "top-up created",
        EventBody::TopUpSettled { .. } => "top-up settled",
        EventBody::TopUpDelivered { .. } => "top-up delivered",
        EventBody::CatalogPublished { .. } => "catalog published",
        EventBody::BudgetMoved(_) => "budget moved",
        EventBody::SharesChanged(_) => "shares changed",
        EventBody::BonusGranted(_) => "bonus granted",
        EventBody::BonusRefused { .. } => "bonus refused",
        EventBody::IdempotencyKept { .. } => "idempotency kept",
        EventBody::PaymentCreated(_) => "payment created",
        EventBody::Payment(_) => "payment",
        EventBody::CreditTakenBack(_) => "credit taken back",
        EventBody::TermsChanged(_) => "terms changed",
        EventBody::CallbackDue(_) => "callback due",
        EventBody::CommissionPaid { .. } => "commission paid",
        EventBody::Auto(_) => "auto",
        EventBody::BudgetReached { .. } => "budget reached",
        EventBody::Chain(_) => "chain",
        EventBody::TopUpReversed { .. } => "top-up reversed",
        EventBody::TopUpReversal(_) => "top-up reversal",
        EventBody::FloatReturned { .. } => "float returned",
        EventBody::FloatDelivered { .. } => "float delivered",
        EventBody::CardRegister(_) => "card register",
        EventBody::CardBatch(_) => "card batch",
        EventBody::CardCopy(_) => "card copy",
        EventBody::CardShelf(_) => "card shelf",
        EventBody::CardGuard(_) => "card guard",
        EventBody::SessionEnded(_) => "session ended",
    }
    message: Message {
        Message::Open(_) => "open",
        Message::Credit { .. } => "credit",
        Message::Credited { .. } => "credited",
        Message::TakeBack(_) => "take back",
        Message::TakenBack { .. } => "taken back",
        Message::SuspenseCredited { .. } => "suspense credited",
        Message::BudgetAsked(_) => "budget asked",
        Message::BudgetAnswered { .. } => "budget answered",
        Message::BudgetReturned(_) => "budget returned",
        Message::Chain(_) => "chain",
        Message::CardCopy { .. } => "card copy",
        Message::CardConfirmed { .. } => "card confirmed",
        Message::CardCredited { .. } => "card credited",
        Message::CardNoted { .. } => "card noted",
        Message::CardLocked(_) => "card locked",
    }
    charged_by: ChargedBy {
        ChargedBy::PaidAhead => "paid ahead",
        ChargedBy::Bucket { .. } => "bucket",
        ChargedBy::Tariff(_) => "tariff",
        ChargedBy::Free(_) => "free",
        ChargedBy::Uncovered(_) => "uncovered",
    }
    funding: Funding {
        Funding::Rail(_) => "rail",
        Funding::InTransit { .. } => "in transit",
        Funding::Suspense { .. } => "suspense",
        Funding::Card { .. } => "card",
    }
    payment: PaymentEvent {
        PaymentEvent::Moved { .. } => "moved",
        PaymentEvent::Settled(_) => "settled",
        PaymentEvent::Cancelled => "cancelled",
        PaymentEvent::RefundRequested { .. } => "refund requested",
        PaymentEvent::RefundEnded { .. } => "refund ended",
        PaymentEvent::RefundRetried => "refund retried",
        PaymentEvent::Reversed { .. } => "reversed",
        PaymentEvent::Fault(_) => "fault",
        PaymentEvent::Resolved(_) => "resolved",
        PaymentEvent::Delivered { .. } => "delivered",
        PaymentEvent::Assigned { .. } => "assigned",
        PaymentEvent::AssignEnded(_) => "assign ended",
    }
    credited: Credited {
        Credited::Account { .. } => "account",
        Credited::Connector(_) => "connector",
        Credited::Suspense => "suspense",
        Credited::Refund { .. } => "refund",
    }
    held: Held {
        Held::Account => "account",
        Held::Connector(_) => "connector",
        Held::Rail(_) => "rail",
        Held::Suspense => "suspense",
    }
    fault: PaymentFault {
        PaymentFault::Mismatch { .. } => "mismatch",
        PaymentFault::ChargedTwice { .. } => "charged twice",
        PaymentFault::Contradiction { .. } => "contradiction",
    }
    taken_back: CreditOf {
        CreditOf::Payment(_) => "payment",
        CreditOf::TopUp(_) => "top-up",
    }
    reversal: ReversalEvent {
        ReversalEvent::Proposed { .. } => "proposed",
        ReversalEvent::Asked { .. } => "asked",
        ReversalEvent::Ended { .. } => "ended",
    }
    terms: TermsChange {
        TermsChange::CallbackUrl(_) => "callback url",
        TermsChange::SecretAdded(_) => "secret added",
        TermsChange::SecretRetired(_) => "secret retired",
        TermsChange::Commission(_) => "commission",
        TermsChange::CommissionFrom(_) => "commission from",
    }
    auto: AutoEvent {
        AutoEvent::Set { .. } => "set",
        AutoEvent::Planned(_) => "planned",
        AutoEvent::Announced { .. } => "announced",
        AutoEvent::Held { .. } => "held",
        AutoEvent::Tried { .. } => "tried",
        AutoEvent::Ended { .. } => "ended",
        AutoEvent::StateSet { .. } => "state set",
    }
    chain: ChainEvent {
        ChainEvent::Placed(_) => "placed",
        ChainEvent::ChildAdded(_) => "child added",
        ChainEvent::Blocked(_) => "blocked",
        ChainEvent::AboveBlocked { .. } => "above blocked",
        ChainEvent::Changed(_) => "changed",
        ChainEvent::Sold(_) => "sold",
        ChainEvent::SaleEnded { .. } => "sale ended",
        ChainEvent::SaleReversed { .. } => "sale reversed",
        ChainEvent::Gave(_) => "gave",
        ChainEvent::Received { .. } => "received",
        ChainEvent::Undone { .. } => "undone",
        ChainEvent::Owed(_) => "owed",
        ChainEvent::BonusPaid(_) => "bonus paid",
        ChainEvent::BonusTaken(_) => "bonus taken",
        ChainEvent::OverrideSent { .. } => "override sent",
        ChainEvent::StockSent(_) => "stock sent",
        ChainEvent::StockReceived(_) => "stock received",
        ChainEvent::StockSettled { .. } => "stock settled",
        ChainEvent::CreditMoved(_) => "credit moved",
        ChainEvent::OverrideReceived { .. } => "override received",
        ChainEvent::MoveCreated(_) => "move created",
        ChainEvent::MoveSettled(_) => "move settled",
        ChainEvent::SaleKept(_) => "sale kept",
        ChainEvent::SaleTaken { .. } => "sale taken",
    }
    seller: SellerChange {
        SellerChange::Outlet(_) => "outlet",
        SellerChange::Number(..) => "number",
        SellerChange::Limits(_) => "limits",
        SellerChange::CreditLine(_) => "credit line",
        SellerChange::LowMark(_) => "low mark",
        SellerChange::Bound(_) => "bound",
        SellerChange::Staff(_) => "staff",
        SellerChange::StaffRemoved(_) => "staff removed",
        SellerChange::Pin { .. } => "pin",
        SellerChange::PinTried(_) => "pin tried",
        SellerChange::PinRight(_) => "pin right",
        SellerChange::Device(_) => "device",
        SellerChange::DeviceRemoved(_) => "device removed",
    }
    chain_message: ChainMessage {
        ChainMessage::Place(_) => "place",
        ChainMessage::Stock(_) => "stock",
        ChainMessage::StockAnswered { .. } => "stock answered",
        ChainMessage::AboveBlocked { .. } => "above blocked",
        ChainMessage::Override { .. } => "override",
    }
    register: RegisterEvent {
        RegisterEvent::Numbered(_) => "numbered",
        RegisterEvent::Locked(_) => "locked",
    }
    batch: BatchEvent {
        BatchEvent::Opened(_) => "opened",
        BatchEvent::Ready => "ready",
        BatchEvent::Exported => "exported",
        BatchEvent::Changed { .. } => "changed",
        BatchEvent::Confirmed { .. } => "confirmed",
        BatchEvent::Lapsed { .. } => "lapsed",
        BatchEvent::Used { .. } => "used",
        BatchEvent::CameBack { .. } => "came back",
        BatchEvent::Tried(_) => "tried",
    }
    copy: CopyEvent {
        CopyEvent::Opened { .. } => "opened",
        CopyEvent::Changed(_) => "changed",
    }
    shelf: ShelfEvent {
        ShelfEvent::Shelved { .. } => "shelved",
        ShelfEvent::Taken { .. } => "taken",
        ShelfEvent::Returned { .. } => "returned",
        ShelfEvent::Settled { .. } => "settled",
    }
    note: CardNote {
        CardNote::Used => "used",
        CardNote::CameBack => "came back",
        CardNote::Tried(_) => "tried",
    }
}

/// The names of a sample: of the event or message, and of what stands in it.
pub fn of(sample: &Sample) -> Vec<(&'static str, &'static str)> {
    match sample {
        Sample::Event(event) => {
            let mut names = vec![("event", event::of(&event.body))];
            names.extend(inside(&event.body));
            names
        }
        Sample::Message(sent) => {
            let mut names = vec![("message", message::of(sent))];
            match sent {
                Message::Chain(inside) => names.push(("chain_message", chain_message::of(inside))),
                Message::CardNoted { note, .. } => names.push(("note", note::of(note))),
                _ => {}
            }
            names
        }
    }
}

fn inside(body: &EventBody) -> Vec<(&'static str, &'static str)> {
    match body {
        EventBody::Charged(charged) => {
            let charges = charged.parts.iter().flat_map(|part| &part.charges);
            charges
                .map(|charge| ("charged_by", charged_by::of(&charge.by)))
                .collect()
        }
        EventBody::Recharged(recharged) => vec![("funding", funding::of(&recharged.funding))],
        EventBody::Payment(event) => {
            let mut names = vec![("payment", payment::of(event))];
            match &**event {
                PaymentEvent::Settled(settled) => names.push(("credited", credited::of(&settled.credit))),
                PaymentEvent::RefundRequested { from, .. } => names.push(("held", held::of(from))),
                PaymentEvent::Fault(fault) => names.push(("fault", fault::of(fault))),
                _ => {}
            }
            names
        }
        EventBody::CreditTakenBack(taken) => vec![("taken_back", taken_back::of(&taken.of))],
        EventBody::TopUpReversal(event) => vec![("reversal", reversal::of(event))],
        EventBody::TermsChanged(change) => vec![("terms", terms::of(change))],
        EventBody::Auto(event) => vec![("auto", auto::of(event))],
        EventBody::Chain(event) => {
            let mut names = vec![("chain", chain::of(event))];
            if let ChainEvent::Changed(change) = &**event {
                names.push(("seller", seller::of(change)));
            }
            names
        }
        EventBody::CardRegister(event) => vec![("register", register::of(event))],
        EventBody::CardBatch(event) => vec![("batch", batch::of(event))],
        EventBody::CardCopy(event) => vec![("copy", copy::of(event))],
        EventBody::CardShelf(event) => vec![("shelf", shelf::of(event))],
        _ => Vec::new(),
    }
}
