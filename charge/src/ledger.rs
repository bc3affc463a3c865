//! Double entry: every event that moves value as postings that sum to zero per unit (design rule 2).
//!
//! The sign is the subscriber's side of the books: what Raseed owes (balances, floats, taxes) is positive, what it is
//! owed or has given out is negative.

use crate::account::{Lot, Origin};
use crate::card::{BatchEvent, CardState, ShelfEvent};
use crate::command::Funding;
use crate::event::{Charge, ChargedBy, Event, EventBody, Recharged, SetupFee, TakenBack};
use crate::ids::{AccountId, Code, EntityKey, PartnerId};
use crate::money::Money;
use crate::payment::{Credited, Held, PaymentEvent};
use crate::promotion::{Earned, EarnedStatus};
use crate::reversal::CreditOf;
use crate::seller::ChainEvent;
use crate::session::Draw;
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;

/// An account of the general ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// Value that a subscriber holds, by origin.
    Subscriber(AccountId, Origin),
    /// A partner's float.
    Float(PartnerId),
    /// Between a float and a subscriber.
    InTransit,
    /// Money of payers on its way back to them.
    RefundPending,
    /// What a seller owes: drawn from its credit line.
    Owed(PartnerId),
    /// Commission given to the partner of a channel.
    Commission(Code),
    /// Money that came in and named no payment: nobody's yet.
    Suspense,
    /// Owed to the operator behind a connector.
    Connector(Code),
    /// Taken back by a rail after it was used up.
    ChargebackLoss,
    /// A payment rail's clearing account.
    Rail(Code),
    /// Bank money behind the floats.
    FloatFunding,
    /// Balances brought along from another system.
    OpeningBalance,
    /// Tax at recharge, owed to the state.
    RechargeTax,
    /// Tax at use, owed to the state.
    UsageTax,
    /// Fees at recharge.
    FeeRevenue,
    /// Revenue by the pulse.
    UsageRevenue(Service),
    /// Revenue of set-up fees.
    SetupRevenue,
    /// Revenue of bundles.
    BundleRevenue,
    /// Units promised by bundles.
    BundleIssue,
    /// The budget of a promotion: what was put in and not spent.
    PromotionBudget(Code),
    /// Units promised by promotions.
    PromotionIssue,
    /// What budgets pay for units and for lower prices.
    PromotionRevenue,
    /// Where budgets come from.
    MarketingExpense,
    /// Units delivered out of buckets.
    Delivered,
    /// Value that ran out of time.
    Breakage,
    /// Use beyond every grant and balance, at its price: not collected.
    Overrun,
    /// The other side of [`LedgerAccount::Overrun`].
    OverrunUsage,
    /// Face value of scratch cards that can be redeemed and were not.
    Vouchers,
    /// What dealers owe or paid for scratch cards.
    VoucherFunding,
}

impl LedgerAccount {
    /// The name in reports; accounts of one kind share it, so that day totals stay few.
    pub fn class(&self) -> String {
        match self {
            LedgerAccount::Subscriber(_, origin) => format!("subscriber.{}", origin.name()),
            LedgerAccount::Float(partner) => format!("float.{}", partner.0),
            LedgerAccount::InTransit => "in-transit".into(),
            LedgerAccount::RefundPending => "refund-pending".into(),
            LedgerAccount::Owed(partner) => format!("owed.{}", partner.0),
            LedgerAccount::Commission(code) => format!("commission.{code}"),
            LedgerAccount::Suspense => "suspense".into(),
            LedgerAccount::Connector(code) => format!("connector.{code}"),
            LedgerAccount::ChargebackLoss => "chargeback-loss".into(),
            LedgerAccount::Rail(code) => format!("rail.{code}"),
            LedgerAccount::FloatFunding => "float-funding".into(),
            LedgerAccount::OpeningBalance => "opening-balance".into(),
            LedgerAccount::RechargeTax => "tax.recharge".into(),
            LedgerAccount::UsageTax => "tax.usage".into(),
            LedgerAccount::FeeRevenue => "revenue.fee".into(),
            LedgerAccount::UsageRevenue(service) => format!("revenue.usage.{}", service.name()),
            LedgerAccount::SetupRevenue => "revenue.setup".into(),
            LedgerAccount::BundleRevenue => "revenue.bundle".into(),
            LedgerAccount::BundleIssue => "bundle-issue".into(),
            LedgerAccount::PromotionBudget(code) => format!("promotion.{code}"),
            LedgerAccount::PromotionIssue => "promotion-issue".into(),
            LedgerAccount::PromotionRevenue => "revenue.promotion".into(),
            LedgerAccount::MarketingExpense => "marketing-expense".into(),
            LedgerAccount::Delivered => "delivered".into(),
            LedgerAccount::Breakage => "breakage".into(),
            LedgerAccount::Overrun => "overrun".into(),
            LedgerAccount::OverrunUsage => "overrun.usage".into(),
            LedgerAccount::Vouchers => "vouchers".into(),
            LedgerAccount::VoucherFunding => "voucher-funding".into(),
        }
    }
}

/// One side of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: LedgerAccount,
    /// In what.
    pub unit: Unit,
    /// How much; what is owed is positive.
    pub amount: Amount,
}

/// The postings of one event.
pub type Postings = SmallVec<[Posting; 8]>;

/// The postings of an event: empty when it moves no value; otherwise they sum to zero per unit.
pub fn postings(event: &Event) -> Postings {
    let mut book = Book {
        out: SmallVec::new(),
        account: AccountId(0),
    };
    if let EntityKey::Account(account) = event.key {
        book.account = account;
    }
    match &event.body {
        EventBody::Charged(charged) => {
            if let Some(setup) = &charged.setup {
                book.setup(setup);
            }
            for charge in charged.parts.iter().flat_map(|part| &part.charges) {
                book.charge(charged.service, charge);
            }
            if let Some(refund) = &charged.refund {
                book.money(
                    LedgerAccount::Subscriber(book.account, refund.lot.origin),
                    refund.gross,
                );
                book.money(
                    LedgerAccount::UsageRevenue(charged.service),
                    -(refund.gross - refund.tax),
                );
                book.money(LedgerAccount::UsageTax, -refund.tax);
            }
        }
        EventBody::Recharged(recharged) => book.recharged(recharged),
        EventBody::BonusGranted(award) => {
            book.money(LedgerAccount::PromotionBudget(award.promotion), -award.cost);
            book.gifts(&award.lots, award.cost);
        }
        EventBody::BudgetMoved(moved) => {
            if let EntityKey::Budget(_, promotion) = event.key {
                book.money(LedgerAccount::PromotionBudget(promotion), moved.funded);
                book.money(LedgerAccount::MarketingExpense, -moved.funded);
            }
        }
        EventBody::Bought(bought) => {
            book.draws(&bought.draws);
            book.money(LedgerAccount::BundleRevenue, bought.gross - bought.tax);
            book.money(LedgerAccount::UsageTax, bought.tax);
            if let Some(discount) = &bought.discount {
                book.money(
                    LedgerAccount::PromotionBudget(discount.promotion),
                    -discount.amount,
                );
                book.money(LedgerAccount::PromotionRevenue, discount.amount);
            }
            for lot in &bought.lots {
                book.post(
                    LedgerAccount::Subscriber(book.account, lot.origin),
                    lot.unit,
                    lot.initial,
                );
                book.post(LedgerAccount::BundleIssue, lot.unit, Amount(-lot.initial.0));
            }
        }
        EventBody::Expired { lots } => {
            book.draws(lots);
            for draw in lots {
                book.post(LedgerAccount::Breakage, draw.unit, draw.amount);
            }
        }
        EventBody::AccountOpened { lot: Some(lot), .. } => {
            book.post(
                LedgerAccount::Subscriber(book.account, lot.origin),
                lot.unit,
                lot.initial,
            );
            book.post(LedgerAccount::OpeningBalance, lot.unit, Amount(-lot.initial.0));
        }
        EventBody::Chain(happened) => book.chain(event.key.partner().unwrap_or_default(), happened),
        EventBody::Payment(event) => book.payment(event),
        EventBody::CreditTakenBack(taken) => book.taken_back(taken),
        EventBody::CardBatch(_) | EventBody::CardShelf(_) => book.cards(&event.body),
        _ => book.float(event),
    }
    book.out
}

struct Book {
    out: Postings,
    account: AccountId,
}

impl Book {
    fn post(&mut self, account: LedgerAccount, unit: Unit, amount: Amount) {
        if amount != Amount::ZERO {
            self.out.push(Posting {
                account,
                unit,
                amount,
            });
        }
    }

    fn money(&mut self, account: LedgerAccount, amount: Money) {
        self.post(account, Unit::Money, Amount(amount.0));
    }

    fn draws(&mut self, draws: &[Draw]) {
        for draw in draws {
            self.post(
                LedgerAccount::Subscriber(self.account, draw.origin),
                draw.unit,
                Amount(-draw.amount.0),
            );
        }
    }

    /// A movement of a partner's float; nothing for other events.
    fn float(&mut self, event: &Event) {
        match &event.body {
            EventBody::FloatFunded { amount, .. } => {
                self.money(float_of(event.key), *amount);
                self.money(LedgerAccount::FloatFunding, -*amount);
            }
            EventBody::CommissionPaid { amount, channel, .. } => {
                self.money(float_of(event.key), *amount);
                self.money(LedgerAccount::Commission(*channel), -*amount);
            }
            EventBody::FloatDebited { amount, .. } => {
                self.money(float_of(event.key), -*amount);
                self.money(LedgerAccount::InTransit, *amount);
            }
            EventBody::FloatSettled {
                amount,
                credited: false,
                ..
            } => {
                self.money(LedgerAccount::InTransit, -*amount);
                self.money(float_of(event.key), *amount);
            }
            EventBody::FloatReturned { amount, .. } => {
                self.money(LedgerAccount::InTransit, -*amount);
                self.money(float_of(event.key), *amount);
            }
            EventBody::FloatDelivered {
                amount, connector, ..
            } => {
                self.money(LedgerAccount::InTransit, -*amount);
                self.money(LedgerAccount::Connector(*connector), *amount);
            }
            _ => {}
        }
    }

    fn chain(&mut self, owner: PartnerId, happened: &ChainEvent) {
        for (account, amount) in happened.moves(owner) {
            self.money(account, amount);
        }
    }

    fn payment(&mut self, event: &PaymentEvent) {
        match event {
            // The credit to an account posts itself: it is the `Recharged` event of the same decision.
            PaymentEvent::Settled(settled) => match &settled.credit {
                Credited::Account { .. } => {}
                Credited::Connector(code) => {
                    self.money(LedgerAccount::Rail(settled.rail), -settled.gross);
                    self.money(LedgerAccount::Connector(*code), settled.gross);
                }
                Credited::Suspense => {
                    self.money(LedgerAccount::Rail(settled.rail), -settled.gross);
                    self.money(LedgerAccount::Suspense, settled.gross);
                }
                Credited::Refund { .. } => {
                    self.money(LedgerAccount::Rail(settled.rail), -settled.gross);
                    self.money(LedgerAccount::RefundPending, settled.gross);
                }
            },
            // What the account gave back is already in `RefundPending`.
            PaymentEvent::RefundRequested { refund, from } => {
                let from = match from {
                    Held::Account => return,
                    Held::Connector(code) => LedgerAccount::Connector(*code),
                    Held::Rail(code) => LedgerAccount::Rail(*code),
                    Held::Suspense => LedgerAccount::Suspense,
                };
                self.money(from, -refund.gross);
                self.money(LedgerAccount::RefundPending, refund.gross);
            }
            PaymentEvent::RefundEnded {
                result: Ok(_),
                gross,
                rail,
            } => {
                self.money(LedgerAccount::RefundPending, -*gross);
                self.money(LedgerAccount::Rail(*rail), *gross);
            }
            PaymentEvent::Reversed {
                gross,
                recovered,
                rail,
                ..
            } => {
                self.money(LedgerAccount::Rail(*rail), *gross);
                self.money(LedgerAccount::RefundPending, -*recovered);
                self.money(LedgerAccount::ChargebackLoss, *recovered - *gross);
            }
            _ => {}
        }
    }

    fn cards(&mut self, body: &EventBody) {
        match body {
            EventBody::CardBatch(event) => self.card_batch(event),
            EventBody::CardShelf(event) => self.card_shelf(event),
            _ => {}
        }
    }

    fn card_batch(&mut self, event: &BatchEvent) {
        match event {
            BatchEvent::Changed { issued, .. } => {
                self.money(LedgerAccount::Vouchers, *issued);
                self.money(LedgerAccount::VoucherFunding, -*issued);
            }
            BatchEvent::Lapsed { value, state, .. } => self.lapsed(*value, *state),
            BatchEvent::CameBack {
                lapsed: Some(state),
                value,
                ..
            } => self.lapsed(*value, *state),
            _ => {}
        }
    }

    /// Cards that will not be redeemed: dealers get the value of those taken back, what expired is breakage.
    fn lapsed(&mut self, value: Money, state: CardState) {
        let to = match state {
            CardState::Expired => LedgerAccount::Breakage,
            _ => LedgerAccount::VoucherFunding,
        };
        self.money(LedgerAccount::Vouchers, -value);
        self.money(to, value);
    }

    fn card_shelf(&mut self, event: &ShelfEvent) {
        let face = match event {
            ShelfEvent::Taken { face, .. } => *face,
            ShelfEvent::Returned { face, .. } => -*face,
            ShelfEvent::Shelved { .. } | ShelfEvent::Settled { .. } => return,
        };
        self.money(LedgerAccount::Vouchers, -face);
        self.money(LedgerAccount::InTransit, face);
    }

    fn taken_back(&mut self, taken: &TakenBack) {
        self.draws(&taken.draws);
        for draw in taken.draws.iter().filter(|draw| draw.origin == Origin::Bonus) {
            // Not back into the budget: what was spent once is not given to somebody else.
            let back = match draw.unit {
                Unit::Money => LedgerAccount::MarketingExpense,
                _ => LedgerAccount::PromotionIssue,
            };
            self.post(back, draw.unit, draw.amount);
        }
        self.money(LedgerAccount::RechargeTax, -taken.tax);
        let to = match taken.of {
            CreditOf::Payment(_) => LedgerAccount::RefundPending,
            CreditOf::TopUp(_) => LedgerAccount::InTransit,
        };
        self.money(to, taken.gross);
    }

    fn recharged(&mut self, recharged: &Recharged) {
        let outcome = &recharged.outcome;
        self.money(funding_account(&recharged.funding), -outcome.gross);
        self.money(LedgerAccount::RechargeTax, outcome.tax);
        self.money(LedgerAccount::FeeRevenue, outcome.fee);
        let (credit, gifts) = recharged.lots.split_at(recharged.lots.len().min(1));
        for lot in credit {
            self.post(
                LedgerAccount::Subscriber(self.account, lot.origin),
                lot.unit,
                lot.initial,
            );
        }
        let mut paid = Money::ZERO;
        let given = |earned: &&Earned| earned.status == EarnedStatus::Given;
        for earned in outcome.earned.iter().filter(given) {
            self.money(LedgerAccount::PromotionBudget(earned.promotion), -earned.cost);
            paid += earned.cost;
        }
        if outcome.earned.is_empty() {
            // Records of before budgets: marketing paid for the gift itself.
            let money = gifts.iter().filter(|lot| lot.unit == Unit::Money);
            paid = money.map(|lot| Money(lot.initial.0)).sum();
            self.money(LedgerAccount::MarketingExpense, -paid);
        }
        self.gifts(gifts, paid);
    }

    /// Lots that a promotion brings: `paid` by its budget covers the money in them, the rest of it pays for the units.
    fn gifts(&mut self, lots: &[Lot], paid: Money) {
        let mut rest = paid;
        for lot in lots {
            let holder = LedgerAccount::Subscriber(self.account, lot.origin);
            self.post(holder, lot.unit, lot.initial);
            if lot.unit == Unit::Money {
                rest -= Money(lot.initial.0);
            } else {
                self.post(LedgerAccount::PromotionIssue, lot.unit, Amount(-lot.initial.0));
            }
        }
        self.money(LedgerAccount::PromotionRevenue, rest);
    }

    fn setup(&mut self, setup: &SetupFee) {
        self.draws(&setup.draws);
        if setup.uncovered.is_positive() {
            self.overrun(setup.uncovered);
        } else {
            self.money(LedgerAccount::SetupRevenue, setup.gross - setup.tax);
            self.money(LedgerAccount::UsageTax, setup.tax);
        }
    }

    fn charge(&mut self, service: Service, charge: &Charge) {
        self.draws(&charge.draws);
        match &charge.by {
            ChargedBy::PaidAhead | ChargedBy::Free(_) => {}
            ChargedBy::Bucket { .. } => {
                for draw in &charge.draws {
                    self.post(LedgerAccount::Delivered, draw.unit, draw.amount);
                }
            }
            ChargedBy::Tariff(priced) => {
                let gross = Money(priced.gross.0 * charge.pulses);
                let tax = Money(priced.tax.0 * charge.pulses);
                self.money(LedgerAccount::UsageRevenue(service), gross - tax);
                self.money(LedgerAccount::UsageTax, tax);
            }
            ChargedBy::Uncovered(priced) => self.overrun(priced.cost(charge.pulses)),
        }
    }

    fn overrun(&mut self, value: Money) {
        self.money(LedgerAccount::Overrun, -value);
        self.money(LedgerAccount::OverrunUsage, value);
    }
}

fn funding_account(funding: &Funding) -> LedgerAccount {
    match funding {
        Funding::Rail(code) => LedgerAccount::Rail(*code),
        Funding::InTransit { .. } | Funding::Card { .. } => LedgerAccount::InTransit,
        Funding::Suspense { .. } => LedgerAccount::Suspense,
    }
}

fn float_of(key: EntityKey) -> LedgerAccount {
    match key {
        EntityKey::Partner(partner) => LedgerAccount::Float(partner),
        _ => LedgerAccount::FloatFunding,
    }
}

/// The sum per unit, in [`Unit::ALL`] order: all zero for any event.
pub fn sums(postings: &[Posting]) -> [i128; 4] {
    let mut sums = [0i128; 4];
    for posting in postings {
        sums[posting.unit as usize] += i128::from(posting.amount.0);
    }
    sums
}
