//! The selling chain as rows: the tree, movements of stock, sales with who sold, days.

use super::query::{ReadsReader, code};
use super::rows::code_of;
use crate::sql::{chain as statements, sqlite};
use crate::traits::StoreError;
use charge::partner::TopUpState;
use charge::reply::Receipt;
use charge::seller::{ChainEvent, ChainSale, MoveState, SellerChange, StockKind, StockMove};
use charge::{AccountId, EntityKey, Money, Msisdn, OperatorId, PartnerId, Timestamp};
use rusqlite::types::FromSqlError;
use rusqlite::{Row, Transaction, params};

/// A change of the chain's tables.
#[derive(Debug)]
pub struct ChainChange {
    /// The entity.
    pub key: EntityKey,
    /// When.
    pub at: Timestamp,
    /// What happened to it.
    pub event: Box<ChainEvent>,
}

/// What a seller earned beside its own commission with each sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Earned {
    /// Commission on its own sales, and target bonuses.
    Commission,
    /// Commission on top of stock.
    Stock,
    /// Shares of sales below.
    Override,
}

impl Earned {
    const ALL: [(Earned, i64); 3] = [(Earned::Commission, 1), (Earned::Stock, 2), (Earned::Override, 3)];

    fn code(self) -> i64 {
        Earned::ALL
            .iter()
            .find(|(known, _)| *known == self)
            .map_or(0, |(_, code)| *code)
    }
}

/// A seller as lists need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerRow {
    /// The seller.
    pub partner: PartnerId,
    /// Directly above it; `None` for a root.
    pub parent: Option<PartnerId>,
    /// Its grade.
    pub grade: String,
    /// Reference of its outlet.
    pub outlet: String,
    /// Its number.
    pub msisdn: Option<Msisdn>,
    /// It is blocked itself.
    pub blocked: bool,
    /// So many above it are blocked.
    pub above_blocked: u32,
    /// Most that it may owe.
    pub credit_line: Money,
    /// What it owes.
    pub owed: Money,
    /// Below this its float is low.
    pub low_mark: Money,
    /// It is low.
    pub low: bool,
    /// Since when it is a seller.
    pub opened_at: Timestamp,
    /// Name for people.
    pub name: String,
    /// Channel code.
    pub code: String,
    /// Its float.
    pub float: Money,
    /// Sold or moved, and not confirmed yet.
    pub in_transit: Money,
}

/// A movement of stock as lists need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRow {
    /// Its id.
    pub id: u128,
    /// What it is.
    pub kind: StockKind,
    /// Who gave.
    pub from: PartnerId,
    /// Who received.
    pub to: PartnerId,
    /// Who asked; `None`: the operator's staff.
    pub by: Option<PartnerId>,
    /// The source's reference.
    pub reference: String,
    /// Left the giver's float.
    pub amount: Money,
    /// The part of it that went back to the commission account.
    pub back: Money,
    /// Commission on top for the receiver.
    pub commission: Money,
    /// Where it stands.
    pub state: MoveState,
    /// Why it was declined.
    pub reason: Option<u32>,
    /// Accepted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// A sale of a seller as lists need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleRow {
    /// Id of the top-up.
    pub id: u128,
    /// The channel's reference.
    pub reference: String,
    /// The number.
    pub msisdn: Msisdn,
    /// Its operator.
    pub operator: OperatorId,
    /// What was paid.
    pub gross: Money,
    /// Where it stands.
    pub state: TopUpState,
    /// Accepted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Its receipt, once credited.
    pub receipt: Option<Receipt>,
    /// Why it was declined.
    pub reason: Option<u32>,
    /// Who sold; empty: the seller's own key.
    pub staff: String,
    /// On which device; empty: none.
    pub device: String,
    /// Local day that it counts on.
    pub day: i32,
    /// Reversed so far.
    pub reversed: Money,
}

/// Sales of one day by one person that ended the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayLine {
    /// Who sold; empty: the seller's own key.
    pub staff: String,
    /// How they ended, or that they have not.
    pub state: TopUpState,
    /// How many.
    pub count: u64,
    /// What was paid.
    pub gross: Money,
    /// What of it was reversed.
    pub reversed: Money,
}

pub(super) fn write(tx: &Transaction<'_>, changes: &[ChainChange]) -> rusqlite::Result<()> {
    for change in changes {
        let at = change.at.0;
        match (change.key, change.event.as_ref()) {
            (EntityKey::Seller(seller), event) => write_seller(tx, seller, event, at)?,
            (EntityKey::Move(..), ChainEvent::MoveCreated(asked)) => put_move(tx, change.key, asked)?,
            (EntityKey::Move(from, digest), ChainEvent::MoveSettled(result)) => {
                let state = match result {
                    Ok(_) => MoveState::Completed,
                    Err(_) => MoveState::Declined,
                };
                tx.prepare_cached(&sqlite(statements::MOVE_SETTLE))?
                    .execute(params![
                        from.0,
                        digest.to_be_bytes(),
                        code_of(&state),
                        result.as_ref().map_or(0, |commission| commission.0),
                        result.as_ref().err().map(|refusal| refusal.code()),
                        at,
                    ])?;
            }
            (EntityKey::Sale(partner, digest), ChainEvent::SaleKept(sale)) => {
                put_sale(tx, partner, digest, sale)?;
            }
            (EntityKey::Sale(partner, digest), ChainEvent::SaleTaken { gross, .. }) => {
                tx.prepare_cached(&sqlite(statements::SALE_TAKEN))?
                    .execute(params![partner.0, digest.to_be_bytes(), gross.0])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Adds up what sellers earned by local day.
pub(super) fn write_earned(
    tx: &Transaction<'_>,
    earned: &std::collections::BTreeMap<(PartnerId, i32, Earned), Money>,
) -> rusqlite::Result<()> {
    let mut add = tx.prepare_cached(&sqlite(statements::EARNED_ADD))?;
    for ((partner, day, what), amount) in earned {
        add.execute(params![partner.0, day, what.code(), amount.0])?;
    }
    Ok(())
}

fn put_move(tx: &Transaction<'_>, key: EntityKey, asked: &StockMove) -> rusqlite::Result<()> {
    let EntityKey::Move(_, digest) = key else {
        return Ok(());
    };
    tx.prepare_cached(&sqlite(statements::MOVE_PUT))?
        .execute(params![
            asked.id.to_be_bytes(),
            code_of(&asked.kind),
            asked.from.0,
            asked.to.0,
            asked.by.map(|by| by.0),
            asked.reference,
            digest.to_be_bytes(),
            asked.amount.0,
            asked.back.0,
            asked.created_at.0,
        ])?;
    Ok(())
}

fn put_sale(
    tx: &Transaction<'_>,
    partner: PartnerId,
    digest: u128,
    sale: &ChainSale,
) -> rusqlite::Result<()> {
    tx.prepare_cached(&sqlite(statements::SALE_PUT))?
        .execute(params![
            partner.0,
            digest.to_be_bytes(),
            sale.when.day,
            sale.staff.as_str(),
            sale.device.as_str(),
        ])?;
    Ok(())
}

fn write_seller(
    tx: &Transaction<'_>,
    seller: PartnerId,
    event: &ChainEvent,
    at: i64,
) -> rusqlite::Result<()> {
    let set = |statement: &str, value: &dyn rusqlite::ToSql| -> rusqlite::Result<()> {
        tx.prepare_cached(&sqlite(statement))?
            .execute(params![seller.0, value, at])?;
        Ok(())
    };
    match event {
        ChainEvent::Placed(placed) => {
            tx.prepare_cached(&sqlite(statements::SELLER_PUT))?
                .execute(params![
                    seller.0,
                    placed.place.parent().map(|parent| parent.0),
                    placed.place.grade.as_str(),
                    placed.outlet,
                    placed.number.map(|number| number.number().cast_signed()),
                    placed.above_blocked.len() as i64,
                    at,
                ])?;
            Ok(())
        }
        ChainEvent::Blocked(on) => set(statements::SELLER_BLOCK, on),
        ChainEvent::AboveBlocked { on, .. } => set(statements::SELLER_ABOVE, &if *on { 1 } else { -1 }),
        ChainEvent::Owed(amount) => set(statements::SELLER_OWED, &amount.0),
        ChainEvent::Sold(sold) => set(statements::SELLER_LOW, &sold.low),
        ChainEvent::Gave(gave) => set(statements::SELLER_LOW, &gave.low),
        ChainEvent::Received { low, .. } => set(statements::SELLER_LOW, low),
        ChainEvent::Changed(SellerChange::Outlet(outlet)) => set(statements::SELLER_OUTLET, outlet),
        ChainEvent::Changed(SellerChange::Number(number, ..)) => {
            let number = number.map(|number| number.number().cast_signed());
            set(statements::SELLER_NUMBER, &number)
        }
        ChainEvent::Changed(SellerChange::CreditLine(line)) => set(statements::SELLER_LINE, &line.0),
        ChainEvent::Changed(SellerChange::LowMark(mark)) => set(statements::SELLER_MARK, &mark.0),
        _ => Ok(()),
    }
}

impl ReadsReader {
    /// The seller that has a number, as far as the tables know.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seller_by_number(&mut self, number: Msisdn) -> Result<Option<PartnerId>, StoreError> {
        let values = [number.number().cast_signed()];
        self.one(statements::SELLER_BY_NUMBER, values, |row| {
            Ok(PartnerId(row.get(0)?))
        })
    }

    /// A seller.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seller(&mut self, id: PartnerId) -> Result<Option<SellerRow>, StoreError> {
        self.one(&statements::seller("s.partner = $1"), [id.0], seller)
    }

    /// Those directly below a seller, or the roots, by id, behind `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sellers_below(
        &mut self,
        parent: Option<PartnerId>,
        after: Option<PartnerId>,
        limit: usize,
    ) -> Result<Vec<SellerRow>, StoreError> {
        let after = after.map_or(-1, |after| i64::from(after.0));
        let limit = super::query::page(limit);
        match parent {
            Some(parent) => self.many(
                &statements::seller("s.parent = $1 and s.partner > $2 order by s.partner limit $3"),
                params![parent.0, after, limit],
                seller,
            ),
            None => self.many(
                &statements::seller("s.parent is null and s.partner > $1 order by s.partner limit $2"),
                params![after, limit],
                seller,
            ),
        }
    }

    /// Movements that a seller gave or received, the newest first, below `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stock_moves(
        &mut self,
        seller: PartnerId,
        before: Option<u128>,
        limit: usize,
    ) -> Result<Vec<MoveRow>, StoreError> {
        let before = before.unwrap_or(u128::MAX).to_be_bytes();
        let values = params![seller.0, before, super::query::page(limit)];
        self.many(
            &statements::stock_move(statements::MOVES_OF_WHERE),
            values,
            stock_move,
        )
    }

    /// Sales of a seller, the newest first, below `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seller_sales(
        &mut self,
        seller: PartnerId,
        before: Option<u128>,
        limit: usize,
    ) -> Result<Vec<SaleRow>, StoreError> {
        let before = before.unwrap_or(u128::MAX).to_be_bytes();
        let values = params![seller.0, before, super::query::page(limit)];
        self.many(statements::SALES, values, sale)
    }

    /// Sales of a seller on one local day, by who sold and how they ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seller_day(&mut self, seller: PartnerId, day: i32) -> Result<Vec<DayLine>, StoreError> {
        self.many(statements::DAY, params![seller.0, day], |row| {
            Ok(DayLine {
                staff: row.get(0)?,
                state: code(row, 1)?,
                count: row.get::<_, i64>(2)?.cast_unsigned(),
                gross: Money(row.get(3)?),
                reversed: Money(row.get(4)?),
            })
        })
    }

    /// What a seller earned on one local day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seller_earned(&mut self, seller: PartnerId, day: i32) -> Result<Vec<(Earned, Money)>, StoreError> {
        let rows = self.many(statements::EARNED, params![seller.0, day], |row| {
            Ok((row.get::<_, i64>(0)?, Money(row.get(1)?)))
        })?;
        let known = |(code, amount): (i64, Money)| {
            let what = Earned::ALL.iter().find(|(_, known)| *known == code)?.0;
            Some((what, amount))
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }
}

fn seller(row: &Row<'_>) -> rusqlite::Result<SellerRow> {
    let parent: Option<u32> = row.get(1)?;
    let number: Option<i64> = row.get(4)?;
    Ok(SellerRow {
        partner: PartnerId(row.get(0)?),
        parent: parent.map(PartnerId),
        grade: row.get(2)?,
        outlet: row.get(3)?,
        msisdn: number.and_then(|number| Msisdn::new(number.cast_unsigned()).ok()),
        blocked: row.get(5)?,
        above_blocked: row.get(6)?,
        credit_line: Money(row.get(7)?),
        owed: Money(row.get(8)?),
        low_mark: Money(row.get(9)?),
        low: row.get(10)?,
        opened_at: Timestamp(row.get(11)?),
        name: row.get(12)?,
        code: row.get(13)?,
        float: Money(row.get(14)?),
        in_transit: Money(row.get(15)?),
    })
}

fn stock_move(row: &Row<'_>) -> rusqlite::Result<MoveRow> {
    let by: Option<u32> = row.get(4)?;
    Ok(MoveRow {
        id: id(row, 0)?,
        kind: code(row, 1)?,
        from: PartnerId(row.get(2)?),
        to: PartnerId(row.get(3)?),
        by: by.map(PartnerId),
        reference: row.get(5)?,
        amount: Money(row.get(6)?),
        back: Money(row.get(7)?),
        commission: Money(row.get(8)?),
        state: code(row, 9)?,
        reason: row.get(10)?,
        created_at: Timestamp(row.get(11)?),
        updated_at: Timestamp(row.get(12)?),
    })
}

fn sale(row: &Row<'_>) -> rusqlite::Result<SaleRow> {
    let number = row.get::<_, i64>(2)?;
    let receipt: Option<i64> = row.get(8)?;
    let account = AccountId(row.get::<_, i64>(9)?.cast_unsigned());
    Ok(SaleRow {
        id: id(row, 0)?,
        reference: row.get(1)?,
        msisdn: Msisdn::new(number.cast_unsigned()).map_err(|_| FromSqlError::OutOfRange(number))?,
        operator: OperatorId(row.get(3)?),
        gross: Money(row.get(4)?),
        state: code(row, 5)?,
        created_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
        receipt: receipt.map(|event| Receipt {
            account,
            event: event.cast_unsigned(),
        }),
        reason: row.get(10)?,
        staff: row.get(11)?,
        device: row.get(12)?,
        day: row.get(13)?,
        reversed: Money(row.get(14)?),
    })
}

fn id(row: &Row<'_>, index: usize) -> rusqlite::Result<u128> {
    row.get(index).map(u128::from_be_bytes)
}
