//! The selling chain at the edge: one way to sell for every channel, PINs, devices, who may act for whom.
//!
//! Every channel (point of sale, USSD, SMS, kiosk, API) calls [`sell`], so that the guards are the same everywhere. The core
//! checks places, limits, repetitions and floats; here is only what the core must not see: PINs and secrets of devices.
//!
//! # Layout
//!
//! * here: reading sellers, and moving stock. [`sale`]: selling. [`pin`]: PINs.

pub mod pin;
pub mod sale;

pub use sale::{Goods, SaleAsked, Sold, sell};

use crate::core::CoreError;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use charge::seller::{ChainCommand, MoveState, MoveStock, Seller, SellerChange, StockMove};
use charge::{Command, Entity, EntityKey, Money, Msisdn, PartnerId, Refusal, Reply};
use std::time::Duration;
use uuid::Uuid;

impl Web {
    /// A seller.
    ///
    /// # Errors
    /// [`CoreError`] when the core cannot say.
    pub async fn seller(&self, id: PartnerId) -> Result<Option<Box<Seller>>, CoreError> {
        match self.parts.core.read(EntityKey::Seller(id)).await? {
            Some(Entity::Seller(seller)) => Ok(Some(seller)),
            _ => Ok(None),
        }
    }

    /// The seller that sells by this number: for USSD and SMS.
    ///
    /// # Errors
    /// What the read models or the core say.
    pub async fn seller_by_number(&self, number: Msisdn) -> Result<Option<Box<Seller>>, Problem> {
        let id = self
            .parts
            .reads
            .ask(move |reader| reader.models.seller_by_number(number))
            .await?;
        let Some(id) = id else { return Ok(None) };
        let seller = self.seller(id).await?;
        // The read models may be a moment behind.
        Ok(seller.filter(|seller| seller.number == Some(number)))
    }
}

/// A seller that must be there.
///
/// # Errors
/// [`Refusal::NoSuchSeller`].
pub async fn existing(web: &Web, id: PartnerId) -> Result<Box<Seller>, Problem> {
    Ok(web.seller(id).await?.ok_or(Refusal::NoSuchSeller)?)
}

/// Whether `by` (`None`: the operator's staff) may look at a seller: itself and everybody below it.
///
/// # Errors
/// [`Refusal::NotBelow`].
pub fn may_see(seller: &Seller, by: Option<PartnerId>) -> Result<(), Problem> {
    match by {
        Some(by) if by != seller.place.id && !seller.place.is_below(by) => Err(Refusal::NotBelow.into()),
        _ => Ok(()),
    }
}

/// Changes a seller.
///
/// # Errors
/// What the core refuses.
pub async fn change(
    web: &Web,
    seller: PartnerId,
    change: SellerChange,
    by: Option<PartnerId>,
) -> Result<(), Problem> {
    let command = ChainCommand::Change { seller, change, by };
    web.parts.core.call(Command::Chain(command)).await?;
    Ok(())
}

/// A movement of stock as somebody asks for it.
#[derive(Clone, Copy, Debug)]
pub struct MoveAsked<'a> {
    /// Who gives.
    pub from: PartnerId,
    /// Who receives.
    pub to: PartnerId,
    /// How much leaves the giver's float.
    pub amount: Money,
    /// Reference, unique for ever for the giver: repeating it moves nothing.
    pub reference: &'a str,
    /// Who asks; `None`: the operator's staff.
    pub by: Option<PartnerId>,
}

/// Moves stock, and waits at most so long for its end. What it is (O2C, C2C, return, withdraw) follows from who stands where.
///
/// # Errors
/// What the core refuses.
pub async fn move_stock(web: &Web, asked: MoveAsked<'_>, wait: Duration) -> Result<Box<StockMove>, Problem> {
    let to = existing(web, asked.to).await?;
    let command = MoveStock {
        id: Uuid::now_v7().as_u128(),
        from: asked.from,
        to: to.place,
        by: asked.by,
        reference: asked.reference.to_owned(),
        amount: asked.amount,
    };
    let key = command.key();
    let reply = web
        .parts
        .core
        .call(Command::Chain(ChainCommand::Move(Box::new(command))))
        .await?;
    let Reply::StockMoved { .. } = reply else {
        return Err(Fault::Internal.into());
    };
    let deadline = tokio::time::Instant::now() + wait;
    let mut pause = Duration::from_millis(2);
    loop {
        let Some(Entity::Move(known)) = web.parts.core.read(key).await? else {
            return Err(Fault::Internal.into());
        };
        if known.state != MoveState::Submitted || tokio::time::Instant::now() >= deadline {
            return Ok(known);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
