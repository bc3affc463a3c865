//! What sellers ask by USSD and by message, done: the same function, the same guards as at every other channel.

use crate::desk::{Asked, Shop};
use crate::menu::Secret;
use crate::say::Say;
use crate::shop::{By, Order};
use charge::catalog::Language;
use charge::command::TopUpRequest;
use charge::partner::TopUpState;
use charge::promotion::ChannelClass;
use charge::seller::limits::REPEAT_WINDOW;
use charge::seller::{Again, MoveState, MoveStock, Role, Seller};
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
/// Sales among which those of the last two minutes to one number are looked for.
const SALES_LOOKED_AT: usize = 50;
/// Equal movements that came back, within two minutes; after that each message is one of its own.
const ATTEMPTS_MAX: u8 = 16;

/// Sells from the floats of sellers.
pub struct Till(pub Web);

impl Shop for Till {
    fn order(&self, from: Msisdn, order: Order, asked: Asked, language: Language) -> Pending<String> {
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
            match done(&web, from, order, asked, say).await {
                Ok(said) => said,
                Err(problem) => say.p(&problem.fault.key()),
            }
        })
    }
}

async fn done(web: &Web, from: Msisdn, order: Order, asked: Asked, say: Say<'_>) -> Result<String, Problem> {
    let Some(seller) = web.seller_by_number(from).await? else {
        return Ok(say.p("keypad-no-shop"));
    };
    let staff = who_sells(&seller).ok_or(Refusal::NoSuchStaff)?;
    let id = seller.place.id;
    match order {
        Order::Load {
            number,
            amount,
            pin,
            again,
        } => {
            let goods = Wish {
                number,
                amount,
                again,
            };
            load(web, (&seller, staff, &pin), goods, asked, say).await
        }
        Order::Send {
            number,
            amount,
            pin,
            again,
        } => {
            let seller = login(web, &seller, staff, &pin).await?;
            let stock = Wish {
                number,
                amount,
                again,
            };
            send(web, &seller, stock, asked, say).await
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

/// To whom, how much, and which one of its kind within two minutes.
#[derive(Clone, Copy)]
struct Wish {
    number: Msisdn,
    amount: Money,
    again: Option<u8>,
}

impl Wish {
    /// The same was done so often within two minutes that nothing was done now: says how to do it once more.
    fn repeated(self, web: &Web, (key, made): (&str, usize), by: By, say: Say<'_>) -> String {
        // Whoever is asked for a higher counter than needed would be asked again.
        let asked = self.again.unwrap_or(1);
        let next = u8::try_from(made).unwrap_or(u8::MAX).max(asked).saturating_add(1);
        let mut values = vec![
            ("amount", say.money(self.amount).into()),
            ("number", say.number(self.number, web.catalogs()).into()),
        ];
        match by.counted(next) {
            Some(how) => {
                values.push(("how", how.into()));
                say.with(key, &values)
            }
            None => say.with(&format!("{key}-enough"), &values),
        }
    }
}

/// Sells a recharge.
async fn load(
    web: &Web,
    (seller, staff, pin): (&Seller, Code, &Secret),
    wish: Wish,
    asked: Asked,
    say: Say<'_>,
) -> Result<String, Problem> {
    let id = seller.place.id;
    let own = reference(asked.source);
    let (reference, made) = match (wish.again, asked.by) {
        (None, _) => (own, false),
        (Some(_), By::Message) => (own, has_sold(web, id, &asked.before).await?),
        (Some(_), By::Code) => {
            let what = (format!("{}-{}", wish.number, wish.amount.0), wish.again);
            a_moment_ago(web, (id, Kind::Sale), what, own).await?
        }
    };
    if made {
        login(web, seller, staff, pin).await?;
        return not_again(web, id, wish, asked.by, say).await;
    }
    let sale = SaleAsked {
        class: ChannelClass::Ussd,
        seller: id,
        staff: Some(staff.as_str()),
        pin: Some(pin.reveal()),
        device: None,
        number: &wish.number.to_string(),
        goods: Goods::Amount(wish.amount),
        again: wish.again.map_or(Again::No, Again::Nth),
        reference: &reference,
        wait: WAIT,
    };
    let sold = match chain::sell(web, &sale).await {
        Err(problem) if problem.fault == Fault::RecentlyRecharged => {
            return not_again(web, id, wish, asked.by, say).await;
        }
        other => other?,
    };
    let top_up = &sold.top_up;
    let key = match top_up.state {
        // Asked again long after it was sold: whoever asked must not take it for a sale of now.
        TopUpState::Completed if sold.replayed && top_up.created_at <= web.now().plus(-REPEAT_WINDOW) => {
            "keypad-sold-before"
        }
        TopUpState::Completed => "keypad-sold",
        TopUpState::Declined | TopUpState::Reversed => {
            let refusal = top_up.reason.and_then(Refusal::from_code);
            return Ok(say.p(&Fault::Refused(refusal.unwrap_or(Refusal::Declined)).key()));
        }
        _ => "keypad-selling",
    };
    let receipt = top_up.outcome.as_ref().map(|outcome| outcome.receipt.to_string());
    let values = [
        ("amount", say.money(top_up.gross).into()),
        ("number", say.number(wish.number, web.catalogs()).into()),
        ("stock", say.money(float(web, seller).await?).into()),
        ("receipt", receipt.unwrap_or_default().into()),
    ];
    Ok(say.with(key, &values))
}

/// Why a sale like one of the last two minutes was not made.
async fn not_again(
    web: &Web,
    seller: PartnerId,
    wish: Wish,
    by: By,
    say: Say<'_>,
) -> Result<String, Problem> {
    let sales = web
        .parts
        .reads
        .ask(move |reader| reader.models.seller_sales(seller, None, SALES_LOOKED_AT))
        .await?;
    let since = web.now().plus(-REPEAT_WINDOW);
    let equal: Vec<_> = sales
        .iter()
        .filter(|sale| (sale.msisdn, sale.gross) == (wish.number, wish.amount) && sale.created_at > since)
        .collect();
    // It was not sold at all: why not is what helps.
    if let Some(reason) = equal.iter().find_map(|sale| sale.reason)
        && equal.iter().all(|sale| sale.state == TopUpState::Declined)
    {
        let refusal = Refusal::from_code(reason).unwrap_or(Refusal::Declined);
        return Ok(say.p(&Fault::Refused(refusal).key()));
    }
    let seller = web.seller(seller).await?;
    let made = seller.map_or(1, |seller| seller.made(wish.number, wish.amount, web.now()));
    Ok(wish.repeated(web, ("keypad-not-sold-again", made), by, say))
}

/// Gives stock to another seller.
async fn send(web: &Web, seller: &Seller, wish: Wish, asked: Asked, say: Say<'_>) -> Result<String, Problem> {
    let id = seller.place.id;
    let to = web
        .seller_by_number(wish.number)
        .await?
        .ok_or(Refusal::NoSuchSeller)?;
    let what = (format!("{}-{}", to.place.id.0, wish.amount.0), wish.again);
    let (reference, known) = a_moment_ago(web, (id, Kind::Move), what, reference(asked.source)).await?;
    let move_asked = MoveAsked {
        from: id,
        to: to.place.id,
        amount: wish.amount,
        reference: &reference,
        by: Some(id),
    };
    let moved = chain::move_stock(web, move_asked, WAIT).await?;
    let key = match moved.state {
        MoveState::Completed if known => {
            return Ok(wish.repeated(web, ("keypad-not-sent-again", 1), asked.by, say));
        }
        MoveState::Completed => "keypad-sent",
        MoveState::Submitted => "keypad-selling",
        _ => {
            let refusal = moved.reason.and_then(Refusal::from_code);
            return Ok(say.p(&Fault::Refused(refusal.unwrap_or(Refusal::Declined)).key()));
        }
    };
    let values = [
        ("amount", say.money(moved.amount).into()),
        ("number", say.number(wish.number, web.catalogs()).into()),
        ("stock", say.money(float(web, seller).await?).into()),
        ("receipt", String::new().into()),
    ];
    Ok(say.with(key, &values))
}

fn reference(source: SourceId) -> String {
    format!("keypad-{:032x}", source.0)
}

/// What a reference may name.
#[derive(Clone, Copy)]
enum Kind {
    Sale,
    Move,
}

/// What stands under a reference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Something that came back: another try may follow.
    Back,
    /// Something of the last two minutes.
    Fresh,
    /// Something from before.
    Old,
}

async fn look(web: &Web, (seller, kind): (PartnerId, Kind), reference: &str) -> Result<Found, Problem> {
    let key = match kind {
        Kind::Sale => EntityKey::TopUp(seller, TopUpRequest::digest_of(reference, false)),
        Kind::Move => EntityKey::Move(seller, MoveStock::digest_of(reference)),
    };
    let (back, at) = match web.parts.core.read(key).await? {
        Some(Entity::TopUp(known)) => {
            let back = matches!(known.state, TopUpState::Declined | TopUpState::Reversed);
            (back, known.created_at)
        }
        Some(Entity::Move(known)) => (known.state == MoveState::Declined, known.created_at),
        _ => return Ok(Found::Nothing),
    };
    Ok(match back {
        true => Found::Back,
        false if at > web.now().plus(-REPEAT_WINDOW) => Found::Fresh,
        false => Found::Old,
    })
}

/// The reference of what is dialled, and whether it is there already: an equal one of the last two minutes with the same
/// counter has the same, so that dialling again after a lost answer moves nothing.
async fn a_moment_ago(
    web: &Web,
    (seller, kind): (PartnerId, Kind),
    (what, again): (String, Option<u8>),
    otherwise: String,
) -> Result<(String, bool), Problem> {
    let stretch = web.now().0.div_euclid(REPEAT_WINDOW);
    let counter = again.map(|count| format!("-{count}")).unwrap_or_default();
    for at in [stretch - 1, stretch] {
        // One that came back is followed by another try.
        for attempt in 0..ATTEMPTS_MAX {
            let reference = format!("keypad-{what}-{at}-{attempt}{counter}");
            match look(web, (seller, kind), &reference).await? {
                Found::Back => {}
                Found::Fresh => return Ok((reference, true)),
                Found::Nothing if at == stretch => return Ok((reference, false)),
                Found::Nothing | Found::Old => break,
            }
        }
    }
    Ok((otherwise, false))
}

/// Whether one of these messages sold something within two minutes.
async fn has_sold(web: &Web, seller: PartnerId, messages: &[SourceId]) -> Result<bool, Problem> {
    for source in messages {
        if look(web, (seller, Kind::Sale), &reference(*source)).await? == Found::Fresh {
            return Ok(true);
        }
    }
    Ok(false)
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
