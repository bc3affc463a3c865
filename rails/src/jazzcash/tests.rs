//! The vectors of the reference, and what one changed byte does to each.

use super::hash::{Message, sign, text};
use super::*;
use crate::secret::Secret;
use crate::time::parse_rfc3339;
use crate::{HttpAnswer, TransportError};
use charge::payment::FailureClass;
use charge::{Money, Msisdn};
use std::sync::Mutex;

type Pairs = Vec<(&'static str, &'static str)>;

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// (salt, fields, text under the hash, hash).
fn vectors() -> Vec<(&'static str, Pairs, &'static str, &'static str)> {
    vec![
        (
            "0F5DD14AE2",
            vec![
                ("pp_MerchantID", "MER123"),
                ("pp_OrderInfo", "A48cvE28"),
                ("pp_Amount", "2995"),
            ],
            "0F5DD14AE2&2995&MER123&A48cvE28",
            "c7689cda7474eb1adcd343fd0c0b676bad0ba66361cc46db589bdb0da4c1c867",
        ),
        (
            "reallySecretKey",
            vec![
                ("pp_Version", "1.1"),
                ("pp_TxnType", "MWALLET"),
                ("pp_Language", "EN"),
                ("pp_MerchantID", "merchant123"),
                ("pp_SubMerchantID", ""),
                ("pp_Password", "password"),
                ("pp_TxnRefNo", "647cb56c890e4"),
                ("pp_Amount", "2000"),
                ("pp_TxnCurrency", "PKR"),
                ("pp_TxnDateTime", "20231011000000"),
                ("pp_BillReference", "647cb56c890e4"),
                ("pp_Description", "Test Order"),
                ("pp_TxnExpiryDateTime", "20231012000000"),
                ("pp_ReturnURL", "https://example.com/return"),
                ("ppmpf_1", "abcdef"),
            ],
            "reallySecretKey&2000&647cb56c890e4&Test Order&EN&merchant123&password&https://example.com/return&PKR&\
             20231011000000&20231012000000&647cb56c890e4&MWALLET&1.1&abcdef",
            "876B465D21973A96DD4DC7BE69EC129FA1FE529B9CC0FA1D75C8CD6534613FBC",
        ),
        (
            "TESTSALT12",
            vec![
                ("pp_TxnRefNo", "T20260901050000"),
                ("pp_MerchantID", "MC12345"),
                ("pp_Password", "pw123"),
                ("pp_Version", "1.1"),
            ],
            "TESTSALT12&MC12345&pw123&T20260901050000&1.1",
            "C92E0CE23F9AC3FFDACD5D2720A8CABF73090ABA2DA94F9699B6B49601B5E968",
        ),
        (
            "TESTSALT12",
            vec![
                ("pp_Amount", "10000"),
                ("pp_BillReference", "billRef"),
                ("pp_CNIC", "345678"),
                ("pp_Description", "Prepaid recharge"),
                ("pp_Language", "EN"),
                ("pp_MerchantID", "MC12345"),
                ("pp_MobileNumber", "03411728699"),
                ("pp_Password", "pw123"),
                ("pp_TxnCurrency", "PKR"),
                ("pp_TxnDateTime", "20260901050000"),
                ("pp_TxnExpiryDateTime", "20260902050000"),
                ("pp_TxnRefNo", "T20260901050000"),
            ],
            "TESTSALT12&10000&billRef&345678&Prepaid recharge&EN&MC12345&03411728699&pw123&PKR&20260901050000&\
             20260902050000&T20260901050000",
            "0BC53D68DD89C70356361F307D13CD1AE4412AD78A1DD4F0D679A8BCA6866324",
        ),
    ]
}

/// J3: the body of a return, as posted.
const J3: &str = r#"{"ppmbf_1":null,"ppmbf_2":null,"ppmbf_3":null,"ppmbf_4":null,"ppmbf_5":null,"ppmpf_1":null,"ppmpf_2":"zu1vv3","ppmpf_3":null,
"ppmpf_4":null,"ppmpf_5":null,"pp_Amount":"1500","pp_BankID":null,"pp_TxnType":"MWALLET","pp_Version":"1.1",
"pp_AuthCode":"024166247497","pp_Language":"EN","pp_TxnRefNo":"6158408e95098","pp_MerchantID":"00258027",
"pp_SecureHash":"19DAB816503B0EAABE2C48FBE48461CB2ADF685BD417EBEE37C080951DB0F528","pp_TxnCurrency":"PKR",
"pp_TxnDateTime":"20211002162046","pp_ResponseCode":"000","pp_BillReference":"6158408e95098","pp_SubMerchantId":null,
"pp_ResponseMessage":null,"pp_SettlementExpiry":null,"pp_RetreivalReferenceNo":"211002644299"}"#;

fn check(salt: &str, fields: &[(&str, &str)], hash: &str) -> Result<bool, RailError> {
    let hash = [("pp_SecureHash", hash)];
    let fields = fields.iter().chain(&hash);
    let owned = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Message::check(&secret(salt), owned.collect()).map(|message| message.signed)
}

#[test]
fn vectors_j1_j2_j4_j5() {
    for (salt, fields, under, hash) in vectors() {
        assert_eq!(text(salt, fields.iter().copied()), under);
        assert_eq!(sign(&secret(salt), fields.iter().copied()), hash.to_uppercase());
        let mut other_order = fields.clone();
        other_order.reverse();
        for order in [&fields, &other_order] {
            assert_eq!(check(salt, order, hash), Ok(true));
            assert_eq!(check(salt, order, &hash.to_lowercase()), Ok(true));
            assert_eq!(check(salt, order, &hash.to_uppercase()), Ok(true));
        }
    }
}

#[test]
fn one_byte_of_a_vector_changed() {
    for (salt, fields, _, hash) in vectors() {
        for place in 0..hash.len() {
            let mut bytes = hash.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(
                check(salt, &fields, &changed),
                Err(RailError::NotGenuine("secure hash"))
            );
        }
        assert!(check(salt, &fields, &hash[1..]).is_err());
        for index in 0..fields.len() {
            let (name, value) = fields[index];
            for place in 0..value.len() {
                let mut bytes = value.as_bytes().to_vec();
                bytes[place] ^= 1;
                let changed = String::from_utf8(bytes).unwrap();
                let mut mutated: Vec<(&str, &str)> = fields.clone();
                mutated[index] = (name, &changed);
                assert!(check(salt, &mutated, hash).is_err(), "{name} = {changed}");
            }
            if !value.is_empty() {
                let mut emptied = fields.clone();
                emptied[index] = (name, "");
                assert!(check(salt, &emptied, hash).is_err(), "{name} emptied");
            }
        }
        let other_salt = format!("{}x", &salt[1..]);
        assert!(check(&other_salt, &fields, hash).is_err());
    }
}

#[test]
fn vector_j3_as_posted_and_each_byte_changed() {
    let salt = secret("reallySecretKey");
    let message = Message::of_json(&salt, J3.as_bytes()).unwrap();
    assert!(message.signed);
    assert_eq!(message.retrieval_reference(), "211002644299");
    let facts = |message: &Message| {
        [
            "pp_Amount",
            "pp_TxnRefNo",
            "pp_ResponseCode",
            "pp_TxnCurrency",
            "pp_MerchantID",
        ]
        .map(|name| message.get(name).to_owned())
    };
    let genuine = facts(&message);
    for place in 0..J3.len() {
        for flip in [1, 32, 128] {
            let mut bytes = J3.as_bytes().to_vec();
            bytes[place] ^= flip;
            // The hash does not cover names, so a changed name can pass; but then nothing false may be said.
            if let Ok(changed) = Message::of_json(&salt, &bytes) {
                let said = facts(&changed);
                let nothing_new = said
                    .iter()
                    .zip(&genuine)
                    .all(|(said, true_one)| said.is_empty() || said == true_one);
                assert!(!changed.signed || nothing_new, "byte {place} ^ {flip}");
            }
        }
    }
}

#[test]
fn a_field_twice_or_with_a_joint_is_refused() {
    let (salt, mut fields, _, hash) = vectors().swap_remove(0);
    fields.push(("pp_Amount", "2995"));
    assert_eq!(
        check(salt, &fields, hash),
        Err(RailError::Malformed("a field twice"))
    );
    // The same text under the hash from other fields.
    let joined = [("pp_Amount", "2995&MER123"), ("pp_OrderInfo", "A48cvE28")];
    assert_eq!(
        check(salt, &joined, hash),
        Err(RailError::Malformed("a field that could be two"))
    );
}

fn rail(flow: &str) -> JazzCash {
    let config = format!(
        r#"{{"host":"https://jc.test","flow":"{flow}","merchant_id":"MC12345","password":"pw123","salt":"TESTSALT12","mpin":"4321"}}"#
    );
    JazzCash::new(serde_json::from_str(&config).unwrap()).unwrap()
}

fn order() -> Order {
    Order {
        id: PaymentId::new(1, 2).unwrap(),
        price: Price::pkr(Money::from_units(100)),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: crate::Payer {
            wallet: Some(Msisdn::new(923_411_728_699).unwrap()),
            email: None,
            cnic_last6: Some("345678".to_owned()),
            token: None,
        },
        description: "Load: 100% <b>now</b>".to_owned(),
        language: charge::catalog::Language::En,
        created_at: parse_rfc3339("2026-09-01T00:00:00Z").unwrap(),
        expires_at: parse_rfc3339("2026-09-01T01:00:00Z").unwrap(),
        return_url: "https://raseed.test/rails/jazzcash/return".to_owned(),
        presented: String::new(),
        reference: String::new(),
    }
}

/// Answers every call with the next body.
struct Canned(Mutex<Vec<String>>);

impl Transport for Canned {
    fn send(&self, _request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
        let body = self.0.lock().unwrap().pop();
        Box::pin(async move {
            let body = body.ok_or(TransportError::Unknown)?.into_bytes();
            let headers = Vec::new();
            Ok(HttpAnswer {
                status: 200,
                headers,
                body,
            })
        })
    }
}

/// What comes at once.
fn now<T>(mut later: Later<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match later.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

fn signed(fields: &[(&str, &str)]) -> String {
    let hash = sign(&secret("TESTSALT12"), fields.iter().copied());
    let mut object: serde_json::Map<String, serde_json::Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    object.insert("pp_SecureHash".to_owned(), hash.into());
    serde_json::Value::Object(object).to_string()
}

/// What an inquiry with this answer says; `late`: after expiry.
fn inquired(answer: &str, late: bool) -> Result<Statement, RailError> {
    let io = Canned(Mutex::new(vec![answer.to_owned()]));
    let order = order();
    let at = if late {
        order.expires_at.plus(DAY)
    } else {
        order.created_at
    };
    now(rail("hosted-page").inquire(&io, &order, at))
}

#[test]
fn only_a_signed_completed_is_paid() {
    let answer = |code, status, payment| {
        signed(&[
            ("pp_ResponseCode", code),
            ("pp_Status", status),
            ("pp_PaymentResponseCode", payment),
            ("pp_RetrievalReferenceNo", "R1"),
        ])
    };
    let pending = |code: &str| Statement::Pending {
        code: code.to_owned(),
    };
    let failed = |class, code: &str| Statement::Failed {
        class,
        code: code.to_owned(),
    };
    let paid = Statement::Succeeded {
        paid: order().price,
        reference: "R1".to_owned(),
    };
    for (code, status, payment, said, said_late) in [
        ("000", "Completed", "121", paid.clone(), paid),
        // "The inquiry worked" is not "paid".
        ("000", "", "", pending(""), pending("")),
        ("000", "", "121", pending("121"), pending("121")),
        ("000", "Pending", "157", pending("157"), pending("157")),
        ("000", "Completed", "157", pending("157"), pending("157")),
        ("000", "Completed", "777", pending("777"), pending("777")),
        (
            "000",
            "Failed",
            "004",
            failed(FailureClass::Funds, "004"),
            failed(FailureClass::Funds, "004"),
        ),
        (
            "000",
            "Failed",
            "199",
            failed(FailureClass::Transient, "199"),
            failed(FailureClass::Transient, "199"),
        ),
        ("000", "Failed", "157", pending("157"), pending("157")),
        (
            "000",
            "Dropped",
            "129",
            failed(FailureClass::Cancelled, "129"),
            failed(FailureClass::Cancelled, "129"),
        ),
        ("000", "Failed", "117", Statement::Expired, Statement::Expired),
        ("199", "", "199", pending("199"), Statement::Expired),
    ] {
        assert_eq!(
            inquired(&answer(code, status, payment), false),
            Ok(said),
            "{code} {status} {payment}"
        );
        assert_eq!(
            inquired(&answer(code, status, payment), true),
            Ok(said_late),
            "{code} {status} {payment} late"
        );
    }
}

#[test]
fn an_inquiry_without_a_right_hash_proves_nothing() {
    let unsigned = r#"{"pp_SecureHash":"","pp_Status":"Completed","pp_ResponseCode":"000","pp_PaymentResponseCode":"121"}"#;
    let said = Ok(Statement::Pending {
        code: "000".to_owned(),
    });
    assert_eq!(inquired(unsigned, false), said);
    assert_eq!(inquired(unsigned, true), said);
    let forged = unsigned.replace(
        "\"pp_SecureHash\":\"\"",
        &format!("\"pp_SecureHash\":\"{}\"", "A".repeat(64)),
    );
    assert_eq!(
        inquired(&forged, false),
        Err(RailError::NotGenuine("secure hash"))
    );
    let about_another = signed(&[
        ("pp_ResponseCode", "000"),
        ("pp_Status", "Completed"),
        ("pp_PaymentResponseCode", "121"),
        ("pp_TxnRefNo", "00000000000000000000"),
    ]);
    assert!(inquired(&about_another, false).is_err());
    let another_amount = signed(&[
        ("pp_ResponseCode", "000"),
        ("pp_Status", "Completed"),
        ("pp_PaymentResponseCode", "121"),
        ("pp_Amount", "9999"),
        ("pp_TxnCurrency", "PKR"),
    ]);
    let paid = pkr::from_paisa("9999").unwrap();
    assert!(
        matches!(inquired(&another_amount, false), Ok(Statement::Succeeded { paid: told, .. }) if told == paid)
    );
}

#[test]
fn the_form_of_the_hosted_page() {
    let fields = rail("hosted-page").page_form(&order()).unwrap();
    let get = |name: &str| fields.iter().find(|(other, _)| other == name).unwrap().1.as_str();
    assert_eq!(get("pp_Amount"), "10000");
    assert_eq!(get("pp_TxnDateTime"), "20260901050000");
    assert_eq!(get("pp_TxnExpiryDateTime"), "20260901060000");
    assert_eq!(get("pp_TxnRefNo").len(), 20);
    assert_eq!(get("pp_Description"), "Load  100   b now  b ");
    let again = rail("hosted-page").page_form(&order()).unwrap();
    assert_eq!(fields, again, "a repetition is the same");
    assert!(Message::check(&secret("TESTSALT12"), fields).unwrap().signed);
    let mut long = order();
    long.description = "<".repeat(500);
    long.expires_at = long.created_at.plus(91 * DAY);
    assert_eq!(
        rail("hosted-page").page_form(&long),
        Err(RailError::NotTaken("expires too late"))
    );
    assert_eq!(description(&"x".repeat(500)).len(), DESCRIPTION_MAX);
    assert_eq!(description("///"), "Recharge");
}

#[test]
fn secrets_do_not_show() {
    let config = rail("wallet").config;
    let shown = format!("{config:?}");
    for secret in ["pw123", "TESTSALT12", "4321"] {
        assert!(!shown.contains(secret));
    }
    let unknown = r#"{"host":"https://jc.test","merchant_id":"M","password":"p","salt":"s","pasword":"x"}"#;
    assert!(serde_json::from_str::<Config>(unknown).is_err());
}
