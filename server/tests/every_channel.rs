//! Every channel through the real binary: the same request twice, answers and requests lost, `kill -9` at random moments.
//! There is one credit or none, its receipt verifies, and what makes no sense moves nothing and is refused in the caller's
//! own words.
//!
//! A kiosk is not among them: it sells as a [`Channel::Shop`], and has a computer, a box and a line of its own that may stop at
//! each step. Its suite is `kiosk.rs` beside this file (the real programs, killed, with a line that loses requests and
//! answers) and `kiosk/tests/any_moment.rs` (every order of every event).

mod channel;
mod harness;
mod shop;

use channel::{CREDITED, Scene};
use charge::Money;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sim::bench::eid::Channel;
use std::time::Duration;

/// Servers killed for each channel.
const KILLS: u64 = 4;
/// Recharges under way when a server is killed.
const AT_ONCE: usize = 6;

/// The same request, again and again, one after the other and at the same time.
fn twice(scene: &mut Scene) {
    let one = scene.intend();
    scene.until_done(one);
    scene.until_done(one);
    scene.until_balance(one, CREDITED);
    let other = scene.intend();
    scene.both_at_once(other);
    scene.until_done(other);
    scene.until_balance(other, CREDITED);
    scene.stays(one, CREDITED);
}

/// The caller goes away at some moment and comes back with the same request.
fn answers_lost(scene: &mut Scene) {
    for micros in [0, 300, 1_000, 3_000, 8_000, 20_000, 60_000] {
        let intent = scene.intend();
        scene.ask_and_leave(intent, Duration::from_micros(micros));
        scene.until_done(intent);
        scene.until_balance(intent, CREDITED);
    }
}

/// Half of a request, and the line is cut: nothing was asked.
fn requests_lost(scene: &mut Scene) {
    let intent = scene.intend();
    if scene.ask_half(intent) {
        scene.stays(intent, Money::ZERO);
        scene.until_done(intent);
        scene.until_balance(intent, CREDITED);
    }
}

/// Killed while several recharges are under way. Half of the callers ask again; the others do not.
fn killed(scene: &mut Scene) {
    let mut random = StdRng::seed_from_u64(scene.channel as u64);
    for _ in 0..KILLS {
        let intents: Vec<_> = (0..AT_ONCE).map(|_| scene.intend()).collect();
        let after = Duration::from_micros(random.random_range(500..90_000));
        let heard = scene.kill_while_asking(&intents, after);
        for (index, (intent, heard)) in intents.into_iter().zip(heard).enumerate() {
            if heard || index % 2 == 0 {
                if !heard {
                    scene.until_done(intent);
                }
                scene.until_balance(intent, CREDITED);
            } else {
                scene.once_or_not(intent);
            }
        }
    }
}

fn conforms(channel: Channel) {
    let mut scene = Scene::new(channel);
    twice(&mut scene);
    scene.bad_input();
    answers_lost(&mut scene);
    requests_lost(&mut scene);
    killed(&mut scene);
    scene.end();
}

macro_rules! channels {
    ($($name:ident: $channel:expr;)*) => {$(
        #[test]
        fn $name() {
            conforms($channel);
        }
    )*};
}

channels! {
    shops: Channel::Shop;
    partners: Channel::Partner;
    guests: Channel::Guest;
    tills: Channel::Till;
    scratch_cards: Channel::Card;
    scratch_cards_on_the_website: Channel::CardPage;
    scratch_cards_by_voice: Channel::Ivr;
    retailers_who_dial: Channel::UssdShop;
    scratch_cards_by_dialling: Channel::UssdCard;
    retailers_who_text: Channel::SmsShop;
    scratch_cards_by_text: Channel::SmsCard;
    cash_machines: Channel::Atm;
    bills_at_a_bank: Channel::Bill;
}

/// Stock on its way down and up the chain when the server is killed: asked again it arrives once, and all floats together are
/// what they were, and the commission that came with it.
#[test]
fn stock_moves_once_under_kills() {
    channel::stock_under_kills(KILLS);
}
