//! One suite for every payment rail: the client of `rails` against its sandbox, over sockets.
//!
//! A new rail adds a file with its [`stage::Stage`] and one line below.

mod bank;
mod card;
mod easypaisa;
mod jazzcash;
mod paypal;
mod stage;
mod suite;

macro_rules! conformance {
    ($($rail:ident: $stage:expr;)*) => {$(
        mod $rail {
            conformance!(@ $stage, success, decline, abandon, never_reached, unknown_then_known, slow_inquiry, dropped, timeouts,
                clock_skew,
                begun_twice, callback_again, callback_for_another_order, tampered, wrong_signature, wrong_price, garbage,
                refund, refund_part, refund_refused, settlement, hostile_order, buttons);
        }
    )*};
    (@ $stage:expr, $($case:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            crate::suite::$case(&$stage.await).await;
        }
    )*};
}

conformance! {
    bank_transfer: crate::bank::transfer();
    raast_qr: crate::bank::raast();
    card_page: crate::card::page();
    paypal_orders: crate::paypal::orders();
    jazzcash_page: crate::jazzcash::page();
    jazzcash_wallet: crate::jazzcash::wallet();
    easypaisa_wallet_v4: crate::easypaisa::stage("mobile-account", false);
    easypaisa_wallet_v5: crate::easypaisa::stage("mobile-account", true);
    easypaisa_shop: crate::easypaisa::stage("over-the-counter", false);
    easypaisa_page: crate::easypaisa::stage("hosted-checkout", false);
}
