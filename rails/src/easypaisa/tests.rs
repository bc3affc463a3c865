//! The vectors of the reference, and what one changed byte does to each.

use super::signature::{Keys, ciphered, plain};
use super::*;
use crate::json::Object;
use crate::time::parse_rfc3339;
use crate::{HttpAnswer, Method, Told, TransportError};
use charge::payment::FailureClass;
use charge::{Money, Msisdn};
use std::sync::Mutex;

const E3: &str = r#"{"orderId":"OP1","storeId":"43","transactionAmount":"10.0","transactionType":"MA","mobileAccountNo":"03001234567","emailAddress":"a@b.test"}"#;
const E3_SIGNATURE: &str = "NPkh2ENp8oiNH1SMX9u98CMhsQccgASpY+7Smy0V+Svt8gcUVAfztuZ/GSTXy+hLKTPY9jTuPRtHCdCz3gIU2LpyHSw7PdKJGkMawg9DYbHoExAe7c0KV1AERWN3fU5Kvgswxv/hpI0Lf2NX2aryugFreop+5qoAeUuPtUadD5p9SWMigipvs0Xiet3MkSxIkpoTvETbxn6Mnn3XLk5Em9ceEbufvNinmuwUUBMbWyshL/ziXcwaqdZZMRdgx9YZA8PnejzbXxLFapt/e0IJZlFnHBMP9GdgnYnYvPopsh5rilS6OT4Uuuol7dGgsZ37o5ejvA1GIKGqNKP6CHAQeg==";
const E3_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsOrJD3PyI/MGvtkptsXh
3u9uAoXHw0yjCrkHrIzkPF7wTHiNpfeuoLaivazhTPUeYbJ3kCZZRuq7eGnZurUb
ZQf9jFFUczz8LYiHVpsZyyWb/OJdgF7VK3DRdac6ZeJbvs3FgT6PQ/WOnn9RuMAi
yJkWVDVntdcPl/Q0I3dL4rJxERbX+xZJW7eNu3r06g2lrf0qnZ/C5K1yFb8NKotX
ku0b/OGe83OSjQhMvaO1yvMuI+DJp1hwyJ9E1nQByro00aQdD87seq0Ps8V/Rqcn
ge4iOIX1KfI0B2DJ20pqTSnWymjwi68x8CJof8XxV6yQPcl81TPYM5q6866aW6gG
swIDAQAB
-----END PUBLIC KEY-----";

/// A throw-away key of our own, so that a pair can be made.
fn private_pem() -> String {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        BASE64_STANDARD.encode(der.as_ref())
    )
}

fn keys() -> Keys {
    Keys::new(&Secret::new(&private_pem()).unwrap(), E3_KEY).unwrap()
}

#[test]
fn vectors_e1_e2() {
    let key = Secret::new("ABCDEFGHIJKLMNOP").unwrap();
    let e1 = [
        ("storeId", "43"),
        ("amount", "10.0"),
        ("postBackURL", "https://x.test/r"),
        ("orderRefNum", "OP1"),
        ("expiryDate", "20260901 050000"),
        ("autoRedirect", "1"),
        ("paymentMethod", ""),
    ];
    let plain_e1 = "amount=10.0&autoRedirect=1&expiryDate=20260901 050000&orderRefNum=OP1&postBackURL=https://x.test/r&storeId=43";
    assert_eq!(plain(&e1), plain_e1);
    let hashed_e1 = "KF1v5+zEuWD4gjNV6Jog6b+tXkmq+LpcZMaaIwLRAHHZw/VaWLnuHkcnlawrWJiJyS6uTpr+cZbtRiEI6GFn6R48uSNT76TFIV76lYJrSN2OwO5P9LbyoVxEylCFgecrzkoH8KxtqXL4sgCPo4QHVQ==";
    assert_eq!(ciphered(&key, plain_e1).unwrap(), hashed_e1);
    let plain_e2 = "amount=100.0&orderRefNum=ABC123&paymentMethod=InitialRequest&postBackURL=https://shop.test/cb&storeId=43&timeStamp=2026-09-01T05:00:00";
    let hashed_e2 = "4WqUwXLXpAbFI1HTAnum8FCV6a6anWCc4t1Zq6N59nKrhfp89Tvc58ZLG6ajmsxm/epHqwrBj+qIweks+wCjTepVad541sbWXxi03npqOt7Ao0gf0Mr8dFtwK1FR3ZzLxUqYPY4vVGh1xe7hajTG8J0u+eHFvaLkJVn9mkDmUmaNHYLxC7k0DDLgXwSlDWAD";
    assert_eq!(ciphered(&key, plain_e2).unwrap(), hashed_e2);
    for text in [plain_e1, plain_e2] {
        let genuine = ciphered(&key, text).unwrap();
        for place in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_ne!(ciphered(&key, &changed).unwrap(), genuine);
        }
        assert_ne!(
            ciphered(&Secret::new("ABCDEFGHIJKLMNOQ").unwrap(), text).unwrap(),
            genuine
        );
    }
    assert_eq!(ciphered(&Secret::new("short").unwrap(), plain_e1), None);
}

#[test]
fn vector_e3_and_each_byte_changed() {
    let keys = keys();
    assert!(keys.is_genuine(E3.as_bytes(), E3_SIGNATURE));
    for place in 0..E3.len() {
        let mut bytes = E3.as_bytes().to_vec();
        bytes[place] ^= 1;
        assert!(!keys.is_genuine(&bytes, E3_SIGNATURE), "byte {place}");
    }
    for place in 0..E3_SIGNATURE.len() - 2 {
        let mut bytes = E3_SIGNATURE.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(!keys.is_genuine(E3.as_bytes(), &changed), "signature {place}");
    }
    // The same members in another order, or with a space, are other bytes.
    assert!(!keys.is_genuine(E3.replace("\":\"", "\": \"").as_bytes(), E3_SIGNATURE));
    assert!(!keys.is_genuine(E3.as_bytes(), ""));
    let request = flow::object(&[
        ("orderId", "OP1"),
        ("storeId", "43"),
        ("transactionAmount", "10.0"),
        ("transactionType", "MA"),
        ("mobileAccountNo", "03001234567"),
        ("emailAddress", "a@b.test"),
    ]);
    assert_eq!(request, E3, "we write what the vector signs");
    let pem = private_pem();
    assert!(Keys::new(&Secret::new("no key").unwrap(), E3_KEY).is_none());
    assert!(Keys::new(&Secret::new(&pem.replace("PRIVATE", "PUBLIC")).unwrap(), E3_KEY).is_none());
}

#[test]
fn the_raw_bytes_of_a_response_are_what_is_signed() {
    let body = format!("{{\"response\":{E3} , \"signature\":\"{E3_SIGNATURE}\"}}");
    let envelope = Object::parse(body.as_bytes()).unwrap();
    let raw = envelope.raw("response").unwrap().get();
    assert!(keys().is_genuine(raw.as_bytes(), &envelope.string("signature").unwrap().unwrap()));
}

fn rail(flow: &str) -> Easypaisa {
    let config = serde_json::json!({
        "host": "https://ep.test", "flow": flow, "store_id": "store123", "account": "account123", "username": "username",
        "password": "password", "hash_key": "ABCDEFGHIJKLMNOP",
    });
    Easypaisa::new(serde_json::from_value(config).unwrap()).unwrap()
}

fn order() -> Order {
    Order {
        id: PaymentId::new(1, 2).unwrap(),
        price: Price::pkr(Money::from_units(10)),
        msisdn: Msisdn::new(923_001_234_567).unwrap(),
        payer: crate::Payer {
            wallet: Some(Msisdn::new(923_001_234_567).unwrap()),
            email: Some("a@b.test".to_owned()),
            cnic_last6: None,
            token: None,
        },
        description: String::new(),
        language: charge::catalog::Language::En,
        created_at: parse_rfc3339("2026-08-31T23:00:00Z").unwrap(),
        expires_at: parse_rfc3339("2026-09-01T00:00:00Z").unwrap(),
        return_url: "https://raseed.test/rails/easypaisa/return".to_owned(),
        presented: String::new(),
        reference: String::new(),
    }
}

/// Answers every call with the next body, and keeps the requests.
struct Canned {
    answers: Mutex<Vec<String>>,
    asked: Mutex<Vec<HttpRequest>>,
}

impl Canned {
    fn new(answers: &[&str]) -> Canned {
        Canned {
            answers: Mutex::new(answers.iter().rev().map(|answer| (*answer).to_owned()).collect()),
            asked: Mutex::default(),
        }
    }
}

impl Transport for Canned {
    fn send(&self, request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
        self.asked.lock().unwrap().push(request);
        let body = self.answers.lock().unwrap().pop();
        Box::pin(async move {
            Ok(HttpAnswer {
                status: 200,
                headers: Vec::new(),
                body: body.ok_or(TransportError::Unknown)?.into_bytes(),
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

#[test]
fn the_request_of_a_wallet() {
    let io = Canned::new(&[]);
    let order = order();
    let said = now(rail("mobile-account").begin(&io, &order, order.created_at)).unwrap();
    assert_eq!(
        said,
        Begun::Said(Statement::Pending {
            code: "timeout".to_owned()
        })
    );
    let asked = io.asked.lock().unwrap();
    assert_eq!(
        asked[0].url,
        "https://ep.test/easypay-service/rest/v4/initiate-ma-transaction"
    );
    assert_eq!(asked[0].header("credentials"), Some("dXNlcm5hbWU6cGFzc3dvcmQ="));
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(asked[0].timeout_ms, crate::limits::PIN_CALL_MS);
    let body = format!(
        r#"{{"orderId":"{}","storeId":"store123","transactionAmount":"10.0","transactionType":"MA","mobileAccountNo":"03001234567","emailAddress":"a@b.test"}}"#,
        order.id
    );
    assert_eq!(asked[0].body, body.as_bytes());
}

#[test]
fn the_token_of_a_shop() {
    let order = order();
    let answer = format!(
        r#"{{"orderId":"{}","storeId":"store123","paymentToken":"7000","responseCode":"0000"}}"#,
        order.id
    );
    let io = Canned::new(&[&answer]);
    let begun = now(rail("over-the-counter").begin(&io, &order, order.created_at)).unwrap();
    assert!(
        matches!(begun, Begun::Show { said: Statement::Presented { reference }, .. } if reference == "7000")
    );
    let body = String::from_utf8(io.asked.lock().unwrap()[0].body.clone()).unwrap();
    assert!(body.contains(r#""msisdn":"03001234567""#), "{body}");
    assert!(body.contains(r#""tokenExpiry":"20260901 050000""#), "{body}");
}

fn inquired(members: &str, late: bool) -> Result<Statement, RailError> {
    let order = order();
    let answer = format!(r#"{{"orderId":"{}","storeId":"store123",{members}}}"#, order.id);
    let at = if late {
        order.expires_at.plus(24 * 60 * MINUTE)
    } else {
        order.created_at
    };
    now(rail("mobile-account").inquire(&Canned::new(&[&answer]), &order, at))
}

#[test]
fn only_paid_is_paid() {
    let pending = |code: &str| {
        Ok(Statement::Pending {
            code: code.to_owned(),
        })
    };
    let failed = |class, code: &str| {
        Ok(Statement::Failed {
            class,
            code: code.to_owned(),
        })
    };
    let paid = |rupees: &str| {
        Ok(Statement::Succeeded {
            paid: Price::pkr(Money::parse(rupees).unwrap()),
            reference: order().id.to_string(),
        })
    };
    for (members, said) in [
        (
            r#""responseCode":"0000","settlementStatus":"FAILED","transactionAmount":3000,"transactionStatus":"PAID""#,
            paid("3000"),
        ),
        (
            r#""responseCode":"0000","transactionAmount":10.50,"transactionStatus":"PAID""#,
            paid("10.5"),
        ),
        (
            r#""responseCode":"0000","transactionAmount":"10.0","transactionStatus":"PAID""#,
            paid("10"),
        ),
        // "The inquiry worked" is not "paid".
        (
            r#""responseCode":"0000","transactionStatus":"FAILED","errorCode":"AUTHORIZATION_SENDER_ACCOUNT_NOT_ACTIVE""#,
            failed(FailureClass::Payer, "AUTHORIZATION_SENDER_ACCOUNT_NOT_ACTIVE"),
        ),
        (
            r#""responseCode":"0000","transactionStatus":"FAILED","errorCode":"NEWS""#,
            failed(FailureClass::Declined, "NEWS"),
        ),
        (r#""responseCode":"0000","responseDesc":"SUCCESS""#, pending("")),
        (
            r#""responseCode":"0000","transactionStatus":"PENDING""#,
            pending("PENDING"),
        ),
        (
            r#""responseCode":"0000","transactionStatus":"BLOCKED""#,
            pending("BLOCKED"),
        ),
        (
            r#""responseCode":"0000","transactionStatus":"paid""#,
            pending("paid"),
        ),
        (
            r#""responseCode":"0000","transactionStatus":"EXPIRED""#,
            Ok(Statement::Expired),
        ),
        (
            r#""responseCode":"0000","transactionStatus":"REVERSED""#,
            Ok(Statement::Reversed {
                code: "REVERSED".to_owned(),
            }),
        ),
        (
            r#""responseCode":"0001","transactionStatus":"PAID","transactionAmount":10"#,
            pending("0001"),
        ),
        (r#""responseCode":"9999""#, pending("9999")),
        (
            r#""responseCode":"0010""#,
            Err(RailError::Configuration("0010".to_owned())),
        ),
    ] {
        assert_eq!(inquired(members, false), said, "{members}");
    }
    assert_eq!(inquired(r#""responseCode":"0003""#, false), pending("0003"));
    assert_eq!(inquired(r#""responseCode":"0003""#, true), Ok(Statement::Expired));
}

#[test]
fn what_is_not_believed() {
    for members in [
        r#""responseCode":"0000","transactionStatus":"PAID""#,
        r#""responseCode":"0000","transactionStatus":"PAID","transactionAmount":-10"#,
        r#""responseCode":"0000","transactionStatus":"PAID","transactionAmount":1e1"#,
        r#""responseCode":"0000","transactionStatus":"PAID","transactionAmount":10.001"#,
        r#""responseCode":"0000","transactionStatus":"FAILED","transactionStatus":"PAID","transactionAmount":10"#,
        r#""transactionStatus":"PAID","transactionAmount":10"#,
    ] {
        assert!(
            matches!(inquired(members, false), Err(RailError::Malformed(_))),
            "{members}"
        );
    }
    let order = order();
    for answer in [
        r#"{"orderId":"00000000000000000000","storeId":"store123","responseCode":"0000","transactionStatus":"PAID","transactionAmount":10}"#.to_owned(),
        r#"{"storeId":"store123","responseCode":"0000","transactionStatus":"PAID","transactionAmount":10}"#.to_owned(),
        format!(r#"{{"orderId":"{}","storeId":"other","responseCode":"0000","transactionStatus":"PAID","transactionAmount":10}}"#, order.id),
    ] {
        let said = now(rail("mobile-account").inquire(&Canned::new(&[&answer]), &order, order.created_at));
        assert!(matches!(said, Err(RailError::NotGenuine(_))), "{answer}");
    }
}

#[test]
fn an_ipn_fetches_from_easypaisa_only() {
    let id = order().id;
    let good = format!("https://ep.test/easypay-service/rest/v1/order-status/20099/{id}");
    let status = format!(r#"{{"order_id":"{id}","store_id":"store123","transaction_status":"PAID"}}"#);
    let inquiry = format!(
        r#"{{"orderId":"{id}","storeId":"store123","responseCode":"0000","transactionStatus":"PAID","transactionAmount":10}}"#
    );
    let notify = |address: &str, answers: &[&str]| {
        let io = Canned::new(answers);
        let request = HttpRequest {
            method: Method::Get,
            url: crate::form::with_query("/rails/easypaisa/ipn", &[("url", address)]),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: 0,
        };
        let heard = now(rail("mobile-account").callback(&io, "ipn", &request, order().created_at));
        (heard, io.asked.into_inner().unwrap().len())
    };
    let (heard, calls) = notify(&good, &[&status, &inquiry]);
    let heard = heard.unwrap();
    assert_eq!((heard.about, calls), (Some(id), 2));
    assert!(matches!(heard.told, Told::Said(Statement::Succeeded { .. })));
    // The status alone is not believed.
    let (heard, _) = notify(&good, &[&status]);
    assert_eq!(heard.unwrap().told, Told::Ask);
    let (heard, _) = notify(
        &good,
        &[&status.replace(&id.to_string(), "00000000000000000000"), &inquiry],
    );
    assert!(heard.is_err());
    for bad in [
        good.replace("https:", "http:"),
        good.replace("ep.test", "ep.test.evil.test"),
        good.replace("ep.test", "ep.test@evil.test"),
        good.replace("ep.test", "ep.test:8443"),
        good.replace("ep.test", "127.0.0.1"),
        good.replace("/rest/v1/order-status/", "/rest/v1/other/"),
        good.replace("/20099/", "/../20099/"),
        good.replace("/20099/", "/%2e%2e/"),
        good.replace("/20099/", "//"),
        format!("{good}/more"),
        format!("{good}?x=1"),
        format!("{good}#x"),
        format!(" {good}"),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let (heard, calls) = notify(&bad, &[&status, &inquiry]);
        assert!(heard.is_err(), "{bad}");
        assert_eq!(calls, 0, "{bad} was fetched");
    }
}

#[test]
fn the_second_leg_goes_back_to_this_site() {
    let leg = |query: &str, host: &str| {
        let request = HttpRequest {
            method: Method::Get,
            url: format!("/rails/easypaisa/confirm?{query}"),
            headers: vec![("host".to_owned(), host.to_owned())],
            body: Vec::new(),
            timeout_ms: 0,
        };
        now(rail("hosted-checkout").callback(&Canned::new(&[]), "confirm", &request, order().created_at))
    };
    let heard = leg("auth_token=Tab-1.2", "raseed.test").unwrap();
    assert_eq!((heard.about, &heard.told), (None, &Told::Ask));
    let page = String::from_utf8(heard.answer.body).unwrap();
    assert!(
        page.contains("action=\"https://ep.test/easypay/Confirm.jsf\""),
        "{page}"
    );
    assert!(
        page.contains("value=\"https://raseed.test/rails/easypaisa/return\""),
        "{page}"
    );
    for bad in [
        "",
        "auth_token=",
        "auth_token=%22%3E%3Cscript%3E",
        "auth_token=a&auth_token=b",
        "x=y",
    ] {
        assert!(leg(bad, "raseed.test").is_err(), "{bad}");
    }
    assert!(leg("auth_token=T", "a\"b").is_err());
    assert!(leg(&format!("auth_token={}", "a".repeat(600)), "raseed.test").is_err());
}

#[test]
fn secrets_do_not_show_and_set_ups_are_checked() {
    let config = rail("hosted-checkout").config;
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("\"password\"") && !shown.contains("ABCDEFGHIJKLMNOP"),
        "{shown}"
    );
    let mut short = config.clone();
    short.hash_key = Secret::new("short");
    assert!(matches!(Easypaisa::new(short), Err(ConfigError::HashKey)));
    let mut open = config.clone();
    open.ipn_path = "/".to_owned();
    assert!(matches!(Easypaisa::new(open), Err(ConfigError::IpnPath)));
    let mut keys = config;
    keys.rsa = Some(Rsa {
        private_key: Secret::new("x").unwrap(),
        public_key: E3_KEY.to_owned(),
    });
    assert!(matches!(Easypaisa::new(keys), Err(ConfigError::Keys)));
}
