//! PINs of people who work at outlets: counted before they are compared, so that many guesses at once are not more than three.

use crate::problem::Problem;
use crate::state::Web;
use charge::seller::{Seller, SellerChange};
use charge::{Code, PartnerId, Refusal};
use std::hash::{BuildHasher, RandomState};
use tokio::sync::{Mutex, MutexGuard};

/// One try at a time for each person: two right ones at once must not look like a guess. Nothing depends on it for safety.
pub struct PinGate {
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// People that fall into the same lane wait for each other.
const LANES: usize = 256;

impl Default for PinGate {
    fn default() -> PinGate {
        PinGate {
            lanes: (0..LANES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl PinGate {
    /// Waits for the turn of somebody.
    pub async fn enter(&self, seller: PartnerId, staff: Code) -> MutexGuard<'_, ()> {
        let lane = self.hasher.hash_one((seller, staff)) % LANES as u64;
        self.lanes[usize::try_from(lane).unwrap_or(0)].lock().await
    }
}

/// Whose PIN it is, for the key of its hash.
fn owner(seller: PartnerId, staff: Code) -> Vec<u8> {
    format!("{}/{staff}", seller.0).into_bytes()
}

/// Counts a try and verifies a PIN. The caller holds the turn of that person, and afterwards either makes a sale that says so
/// or calls [`was_right`].
///
/// # Errors
/// [`Refusal::WrongPin`], [`Refusal::PinLocked`], [`Refusal::NoSuchStaff`].
pub async fn verify(web: &Web, seller: PartnerId, staff: Code, pin: &str) -> Result<(), Problem> {
    super::change(web, seller, SellerChange::PinTried(staff), None).await?;
    let known: Box<Seller> = super::existing(web, seller).await?;
    let hash = known
        .staff(staff)
        .map(|staff| staff.pin.clone())
        .ok_or(Refusal::NoSuchStaff)?;
    let (owner, typed) = (owner(seller, staff), pin.to_owned());
    let right = web
        .people_hashing(move |people| Ok(people.verify_pin(&owner, &typed, &hash)))
        .await?;
    if right {
        Ok(())
    } else if known.staff(staff).is_some_and(charge::seller::Staff::is_locked) {
        Err(Refusal::PinLocked.into())
    } else {
        Err(Refusal::WrongPin.into())
    }
}

/// Forgets earlier wrong tries.
///
/// # Errors
/// What the core says.
pub async fn was_right(web: &Web, seller: PartnerId, staff: Code) -> Result<(), Problem> {
    super::change(web, seller, SellerChange::PinRight(staff), None).await
}

/// Verifies a PIN for something that is no sale: a login, a day close.
///
/// # Errors
/// As [`verify`]; [`Refusal::PinChange`] when the PIN is right and must be changed before anything else.
pub async fn login(web: &Web, seller: PartnerId, staff: Code, pin: &str) -> Result<Box<Seller>, Problem> {
    let _turn = web.pins.enter(seller, staff).await;
    verify(web, seller, staff, pin).await?;
    was_right(web, seller, staff).await?;
    let known = super::existing(web, seller).await?;
    known.check_open()?;
    match known.staff(staff) {
        Some(person) if person.change => Err(Refusal::PinChange.into()),
        Some(_) => Ok(known),
        None => Err(Refusal::NoSuchStaff.into()),
    }
}

/// Somebody changes the own PIN.
///
/// # Errors
/// As [`verify`]; [`crate::problem::Fault::BadField`] for a new one that will not do.
pub async fn change_own(
    web: &Web,
    seller: PartnerId,
    staff: Code,
    (old, new): (&str, &str),
) -> Result<(), Problem> {
    check_new(new, "new")?;
    if old == new {
        return Err(bad("new"));
    }
    let _turn = web.pins.enter(seller, staff).await;
    verify(web, seller, staff, old).await?;
    set(web, seller, staff, (new, false), None).await
}

/// Somebody above (or the owner of the outlet) gives a PIN, which must be changed at its first use.
///
/// # Errors
/// [`crate::problem::Fault::BadField`], or what the core refuses.
pub async fn give(
    web: &Web,
    seller: PartnerId,
    staff: Code,
    pin: &str,
    by: Option<PartnerId>,
) -> Result<(), Problem> {
    check_new(pin, "pin")?;
    let _turn = web.pins.enter(seller, staff).await;
    set(web, seller, staff, (pin, true), by).await
}

async fn set(
    web: &Web,
    seller: PartnerId,
    staff: Code,
    (pin, change): (&str, bool),
    by: Option<PartnerId>,
) -> Result<(), Problem> {
    let (owner, typed) = (owner(seller, staff), pin.to_owned());
    let pin = web
        .people_hashing(move |people| people.hash_pin(&owner, &typed))
        .await?;
    let set = SellerChange::Pin { staff, pin, change };
    super::change(web, seller, set, by).await
}

fn check_new(pin: &str, field: &'static str) -> Result<(), Problem> {
    if people::pins::is_good_pin(pin) {
        Ok(())
    } else {
        Err(bad(field))
    }
}

fn bad(field: &'static str) -> Problem {
    Problem::field(crate::problem::Fault::BadField, field)
        .hint("4 to 8 digits, a new one, neither all the same nor counting up or down")
}
