//! Any bytes at the doors of the wallets: no panic, and nothing is learned from what the rail did not sign.

use charge::Timestamp;
use proptest::prelude::*;
use rails::http::Later;
use rails::{HttpAnswer, HttpRequest, Method, Rail, RailError, Told, Transport, TransportError};

/// A rail that is away.
struct Away;

impl Transport for Away {
    fn send(&self, _request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
        Box::pin(std::future::ready(Err(TransportError::NotSent)))
    }
}

fn jazzcash() -> Box<dyn Rail> {
    let config = serde_json::json!({
        "host": "https://jc.test", "merchant_id": "MC12345", "password": "pw123", "salt": "TESTSALT12",
    });
    Box::new(rails::jazzcash::JazzCash::new(serde_json::from_value(config).unwrap()).unwrap())
}

fn easypaisa() -> Box<dyn Rail> {
    let config = serde_json::json!({
        "host": "https://ep.test", "flow": "hosted-checkout", "store_id": "43", "account": "20099", "username": "u",
        "password": "p", "hash_key": "ABCDEFGHIJKLMNOP",
    });
    Box::new(rails::easypaisa::Easypaisa::new(serde_json::from_value(config).unwrap()).unwrap())
}

/// What comes at once.
fn now<T>(mut later: Later<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match later.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

/// Bytes that look a little like messages of the rails, and bytes that do not.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("pp_TxnRefNo".to_owned()),
        Just("pp_SecureHash".to_owned()),
        Just("pp_ResponseCode".to_owned()),
        Just("pp_Amount".to_owned()),
        Just("pp_MerchantID".to_owned()),
        Just("auth_token".to_owned()),
        Just("url".to_owned()),
        Just("orderRefNumber".to_owned()),
        "[a-z_%+]{0,8}",
    ];
    let value = prop_oneof![
        Just("MC12345".to_owned()),
        Just("000".to_owned()),
        "[0-9A-Fa-f]{0,64}",
        ".{0,20}"
    ];
    let pairs = prop::collection::vec((name, value), 0..8);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        pairs
            .clone()
            .prop_map(|pairs| rails::form::encode(&pairs).into_bytes()),
        pairs.prop_map(|pairs| {
            let members: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{}:{}", serde_json::json!(name), serde_json::json!(value)))
                .collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_learned_from_strangers(body in body(), get in any::<bool>(), what in "ipn|confirm|return|[a-z/.]{0,6}") {
        let request = HttpRequest {
            method: if get { Method::Get } else { Method::Post },
            url: format!("/rails/x/{what}?{}", String::from_utf8_lossy(&body)),
            headers: vec![("host".to_owned(), "raseed.test".to_owned())],
            body,
            timeout_ms: 0,
        };
        for rail in [jazzcash(), easypaisa()] {
            let heard = now(rail.callback(&Away, &what, &request, Timestamp(0)));
            prop_assert!(heard.is_err() || heard.is_ok_and(|heard| heard.told == Told::Ask));
            if let Ok(heard) = rail.returned(&request, Timestamp(0)) {
                prop_assert_eq!(heard.told, Told::Ask);
            }
        }
    }

    #[test]
    fn settlement_files_of_any_bytes(file in prop::collection::vec(any::<u8>(), 0..400), rows in "[a-zA-Z0-9,\"\n. :-]{0,200}") {
        for rail in [jazzcash(), easypaisa()] {
            let _ = rail.settlement(&file);
            let text = format!("order,reference,type,amount,fee,currency,time\n{rows}");
            if let Ok(lines) = rail.settlement(text.as_bytes()) {
                prop_assert!(lines.iter().all(|line| line.gross.amount.micros() >= 0 && line.reference.len() <= 64));
            }
        }
    }
}

#[test]
fn the_soap_form_of_the_ipn_is_not_pretended() {
    let request = HttpRequest {
        method: Method::Post,
        url: "/rails/jazzcash/soap".to_owned(),
        headers: Vec::new(),
        body: b"<soap:Envelope/>".to_vec(),
        timeout_ms: 0,
    };
    let heard = now(jazzcash().callback(&Away, "soap", &request, Timestamp(0)));
    assert_eq!(heard, Err(RailError::Unsupported));
}
