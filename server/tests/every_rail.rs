//! Every rail through the real binary: wherever a message is lost between the payer, the rail and us, there is one credit or
//! one refund, the rail's book agrees with ours, and no log at any level and no file holds a secret.

mod harness;
mod rail;
mod shop;

use charge::Money;
use charge::payment::PaymentState;
use rail::{Scene, Way};
use sim::rails::{Direction, Misbehaviour};

/// What Rs 100 buy, less advance income tax.
const CREDITED: Money = Money(86_956_522);

/// The moments at which something is lost while money is on its way to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The request: the rail never hears of it.
    BeforeSend,
    /// The rail's answer and all its messages: money has moved and nobody says so.
    AfterTheirCommit,
    /// We are killed when the rail has said it and we have booked it; the rail says it again.
    AfterOurCommit,
}

fn paid(way: Way, lost: Lost) {
    let mut scene = Scene::new(way);
    scene.misbehave(match lost {
        Lost::BeforeSend => Misbehaviour {
            drop_before_commit: 1,
            ..Misbehaviour::default()
        },
        Lost::AfterTheirCommit => Misbehaviour {
            drop_after_commit: 1,
            callback_copies: 0,
            ..Misbehaviour::default()
        },
        Lost::AfterOurCommit => Misbehaviour {
            callback_copies: 3,
            ..Misbehaviour::default()
        },
    });
    let begun = scene.begin("100");
    scene.let_pay(&begun);
    // A rail whose request was lost is asked again, or heard from; where nothing was ever taken, the payer tries again.
    if lost != Lost::BeforeSend || !scene.is_credited_soon(&begun, CREDITED) {
        let begun = if lost == Lost::BeforeSend {
            assert_eq!(
                scene.book(&begun, Direction::Payment),
                0,
                "{way:?}: taken and not credited"
            );
            assert_eq!(scene.balance(), Money::ZERO, "{way:?}: credited and not taken");
            let again = scene.begin("100");
            scene.let_pay(&again);
            again
        } else {
            begun
        };
        scene.until_balance(&begun, CREDITED);
    }
    if lost == Lost::AfterOurCommit {
        scene.crash();
        scene.say_again();
        scene.come_back_again();
        assert_eq!(scene.balance(), CREDITED, "{way:?}: credited again after a crash");
    }
    let rows = scene.end();
    let credited = rows.iter().filter(|row| row.state == PaymentState::Succeeded);
    assert_eq!(credited.count(), 1, "{way:?} {lost:?}: {rows:?}");
}

fn undone(way: Way, lost: Lost) {
    let mut scene = Scene::new(way);
    let begun = scene.begin("100");
    scene.let_pay(&begun);
    scene.until_balance(&begun, CREDITED);
    scene.misbehave(match lost {
        Lost::BeforeSend => Misbehaviour {
            drop_before_commit: 1,
            ..Misbehaviour::default()
        },
        Lost::AfterTheirCommit => Misbehaviour {
            drop_after_commit: 1,
            callback_copies: 0,
            ..Misbehaviour::default()
        },
        Lost::AfterOurCommit => Misbehaviour::default(),
    });
    scene.undo(&begun);
    scene.until_balance(&begun, Money::ZERO);
    if lost == Lost::AfterOurCommit {
        scene.until_booked(&begun, Direction::Refund);
        scene.crash();
        scene.say_again();
    }
    scene.until_decided(&begun);
    assert_eq!(scene.balance(), Money::ZERO);
    let rows = scene.end();
    assert_eq!(
        (rows.len(), rows[0].state),
        (1, PaymentState::Refunded),
        "{way:?} {lost:?}"
    );
}

/// All moments of a rail, payments and, where the rail takes them, refunds: each scene has a server of its own.
fn matrix(way: Way) {
    std::thread::scope(|threads| {
        for lost in [Lost::BeforeSend, Lost::AfterTheirCommit, Lost::AfterOurCommit] {
            threads.spawn(move || paid(way, lost));
            if way.refunds() {
                threads.spawn(move || undone(way, lost));
            }
        }
    });
}

macro_rules! matrices {
    ($($name:ident: $way:expr;)*) => {$(
        #[test]
        fn $name() {
            matrix($way);
        }
    )*};
}

matrices! {
    jazzcash_page: Way::JazzcashPage;
    jazzcash_wallet: Way::JazzcashWallet;
    easypaisa_wallet: Way::EasypaisaWallet;
    easypaisa_shop: Way::EasypaisaShop;
    easypaisa_page: Way::EasypaisaPage;
    card_page: Way::Card;
    paypal_page: Way::Paypal;
    bank_transfer: Way::Bank;
    raast_qr: Way::Raast;
}
