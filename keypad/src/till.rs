//! What sellers ask by USSD and by message, done: the same function, the same guards as at every other channel.

use crate::desk::Shop;
use crate::menu::Secret;
use crate::say::Say;
use crate::shop::Order;
use charge::catalog::Language;
use charge::partner::TopUpState;
use charge::promotion::ChannelClass;
use charge::seller::limits::REPEAT_WINDOW;
use charge::seller::{MoveState, MoveStock, Role, Seller};
use charge::{Code, Entity, EntityKey, Money, Msisdn, PartnerId, Refusal, SourceId};
use std::time::Duration;
use web::Web;
use web::chain::{self, Goods, MoveAsked, SaleAsked, pin};
use web::core::Pending;
use web::problem::{Fault, Problem};

/// How long a phone waits for the end of a sale.
const WAIT: Duration = Duration::from_secs(8);
/// Sales that are told.
const SALES: usize = 5;
/// Equal movements that came back, within two minutes; after that each message is one of its own.
const ATTEMPTS_MAX: u8 = 16;

/// Sells from the floats of sellers.
pub struct Till(pub Web);

impl Shop for Till {
    fn order(&self, from: Msisdn, order: Order, source: SourceId, language: Language) -> Pending<String> {
        let web = self.0.clone();
        Box::pin(async move {
            // Whoever sells has an account at one of the operators; its words are as good as another's.
            let Some(catalog) = web.catalogs().operator_by_prefix(from).map(std::sync::Arc::clone) else {
                return web::text::plain(language, "keypad-no-shop", &[]);
            };
            let say = Say {
                language,
                catalog: &catalog,
            };
            match done(&web, from, order, source, say).await {
                Ok(said) => said,
                Err(problem) => say.p(&problem.fault.key()),
            }
        })
    }
}

async fn done(
    web: &Web,
    from: Msisdn,
    order: Order,
    source: SourceId,
    say: Say<'_>,
) -> Result<String, Problem> {
    let Some(seller) = web.seller_by_number(from).await? else {
        return Ok(say.p("keypad-no-shop"));
    };
    let staff = who_sells(&seller).ok_or(Refusal::NoSuchStaff)?;
    let id = seller.place.id;
    let reference = format!("keypad-{:032x}", source.0);
    match order {
        Order::Load {
            number,
            amount,
            pin,
            again,
        } => {
            let asked = SaleAsked {
                class: ChannelClass::Ussd,
                seller: id,
                staff: Some(staff.as_str()),
                pin: Some(pin.reveal()),
                device: None,
                number: &number.to_string(),
                goods: Goods::Amount(amount),
                again: again.is_some(),
                reference: &reference,
                wait: WAIT,
            };
            let sold = chain::sell(web, &asked).await?;
            let key = match sold.top_up.state {
                TopUpState::Completed => "keypad-sold",
                TopUpState::Declined | TopUpState::Reversed => {
                    let refusal = sold.top_up.reason.and_then(Refusal::from_code);
                    return Ok(say.p(&Fault::Refused(refusal.unwrap_or(Refusal::Declined)).key()));
                }
                _ => "keypad-selling",
            };
            let receipt = sold
                .top_up
                .outcome
                .as_ref()
                .map(|outcome| outcome.receipt.to_string());
            let values = [
                ("amount", say.money(sold.top_up.gross).into()),
                ("number", say.number(number, web.catalogs()).into()),
                ("stock", say.money(float(web, &seller).await?).into()),
                ("receipt", receipt.unwrap_or_default().into()),
            ];
            Ok(say.with(key, &values))
        }
        Order::Send {
            number,
            amount,
            pin,
            again,
        } => {
            let seller = login(web, &seller, staff, &pin).await?;
            send(web, &seller, (number, amount), (again, reference), say).await
        }
        Order::Stock { pin } => {
            login(web, &seller, staff, &pin).await?;
            stock(web, &seller, say).await
        }
        Order::Last { pin } => {
            login(web, &seller, staff, &pin).await?;
            last(web, &seller, say).await
        }
        Order::ChangePin { old, new } => {
            pin::change_own(web, id, staff, (old.reveal(), new.reveal())).await?;
            Ok(say.p("keypad-pin-changed"))
        }
    }
}

/// Gives stock to another seller.
async fn send(
    web: &Web,
    seller: &Seller,
    (number, amount): (Msisdn, Money),
    (again, reference): (Option<u8>, String),
    say: Say<'_>,
) -> Result<String, Problem> {
    let id = seller.place.id;
    let to = web.seller_by_number(number).await?.ok_or(Refusal::NoSuchSeller)?;
    let reference = match again {
        Some(_) => reference,
        None => sent_a_moment_ago(web, (id, to.place.id), amount, reference).await?,
    };
    let asked = MoveAsked {
        from: id,
        to: to.place.id,
        amount,
        reference: &reference,
        by: Some(id),
    };
    let moved = chain::move_stock(web, asked, WAIT).await?;
    let key = match moved.state {
        MoveState::Completed => "keypad-sent",
        MoveState::Submitted => "keypad-selling",
        _ => {
            let refusal = moved.reason.and_then(Refusal::from_code);
            return Ok(say.p(&Fault::Refused(refusal.unwrap_or(Refusal::Declined)).key()));
        }
    };
    let values = [
        ("amount", say.money(moved.amount).into()),
        ("number", say.number(number, web.catalogs()).into()),
        ("stock", say.money(float(web, seller).await?).into()),
        ("receipt", String::new().into()),
    ];
    Ok(say.with(key, &values))
}

/// The reference of a movement of which nobody said that a second one is meant: an equal one of the last two minutes has the
/// same, so that dialling again after a lost answer moves nothing and is answered with what was done.
async fn sent_a_moment_ago(
    web: &Web,
    (from, to): (PartnerId, PartnerId),
    amount: Money,
    otherwise: String,
) -> Result<String, Problem> {
    let now = web.now();
    let window = now.0.div_euclid(REPEAT_WINDOW);
    for window in [window - 1, window] {
        // One that came back is followed by another try.
        for attempt in 0..ATTEMPTS_MAX {
            let reference = format!("keypad-{}-{}-{window}-{attempt}", to.0, amount.0);
            let key = EntityKey::Move(from, MoveStock::digest_of(&reference));
            let is_now = window == now.0.div_euclid(REPEAT_WINDOW);
            match web.parts.core.read(key).await? {
                Some(Entity::Move(known)) if known.state == MoveState::Declined => {}
                Some(Entity::Move(known)) if known.created_at > now.plus(-REPEAT_WINDOW) => {
                    return Ok(reference);
                }
                None if is_now => return Ok(reference),
                _ => break,
            }
        }
    }
    Ok(otherwise)
}

/// Who sells by the seller's number: its owner; the only one who works there, where nobody is the owner.
fn who_sells(seller: &Seller) -> Option<Code> {
    let owner = seller.staff.iter().find(|staff| staff.role == Role::Owner);
    match (owner, &seller.staff[..]) {
        (Some(owner), _) => Some(owner.code),
        (None, [only]) => Some(only.code),
        _ => None,
    }
}

async fn login(web: &Web, seller: &Seller, staff: Code, pin: &Secret) -> Result<Box<Seller>, Problem> {
    pin::login(web, seller.place.id, staff, pin.reveal()).await
}

async fn float(web: &Web, seller: &Seller) -> Result<Money, Problem> {
    let partner = web.partner(seller.place.id).await?;
    Ok(partner.map_or(Money::ZERO, |partner| partner.float))
}

async fn stock(web: &Web, seller: &Seller, say: Say<'_>) -> Result<String, Problem> {
    let stock = say.money(float(web, seller).await?);
    Ok(say.with("keypad-stock", &[("stock", stock.into())]))
}

async fn last(web: &Web, seller: &Seller, say: Say<'_>) -> Result<String, Problem> {
    let id = seller.place.id;
    let sales = web
        .parts
        .reads
        .ask(move |reader| reader.models.seller_sales(id, None, SALES))
        .await?;
    if sales.is_empty() {
        return Ok(say.p("keypad-no-sales"));
    }
    let lines: Vec<String> = sales
        .iter()
        .map(|sale| {
            let values = [
                ("number", say.number(sale.msisdn, web.catalogs()).into()),
                ("amount", say.money(sale.gross).into()),
                (
                    "state",
                    say.p(&format!("keypad-sale-{}", state_name(sale.state))).into(),
                ),
            ];
            say.with("keypad-sale", &values)
        })
        .collect();
    Ok(lines.join("\n"))
}

fn state_name(state: TopUpState) -> &'static str {
    match state {
        TopUpState::Completed => "completed",
        TopUpState::Declined | TopUpState::Reversed => "failed",
        _ => "pending",
    }
}
