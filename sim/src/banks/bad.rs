//! A bank that behaves badly at a biller of 1LINK 1BILL: each message with what the protocol says to it. Nothing may move.

use super::onebill::{INQUIRY, PAYMENT, Payment, Profile, head};
use serde_json::{Value, json};

/// What a message must be answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `response_Code`.
    Code(&'static str),
    /// A status without a word of the protocol.
    Status(u16),
    /// No word at all is enough: the line may be closed.
    Anything,
}

/// A bad message.
#[derive(Clone, Debug)]
pub struct Bad {
    /// What is wrong with it.
    pub what: String,
    /// As it goes on the line.
    pub octets: Vec<u8>,
    /// What must be answered.
    pub wanted: Wanted,
}

/// Bad messages of a bank that is known by this profile, about a payment that would be good.
pub fn messages(profile: &Profile, good: &Payment) -> Vec<Bad> {
    let mut all = strangers(profile, good);
    all.extend(shapes(profile, good));
    all.extend(fields(profile, good));
    all
}

fn posted(profile: &Profile, path: &str, body: &[u8]) -> Vec<u8> {
    let headers = [
        ("username", profile.username.as_str()),
        ("password", profile.password.as_str()),
    ];
    let mut octets = head("POST", path, &headers, body.len());
    octets.extend_from_slice(body);
    octets
}

/// Credentials and places.
fn strangers(profile: &Profile, good: &Payment) -> Vec<Bad> {
    let body = good.body(profile).to_string();
    let with = |what: &str, method: &str, path: &str, headers: &[(&str, &str)], status: u16| {
        let mut octets = head(method, path, headers, body.len());
        octets.extend_from_slice(body.as_bytes());
        Bad {
            what: what.to_owned(),
            octets,
            wanted: Wanted::Status(status),
        }
    };
    let (user, word) = (profile.username.as_str(), profile.password.as_str());
    let right = [("username", user), ("password", word)];
    let long = "x".repeat(4_000);
    let upper = word.to_uppercase();
    vec![
        with("no credentials", "POST", PAYMENT, &[], 401),
        with("no password", "POST", PAYMENT, &right[..1], 401),
        with("no user", "POST", PAYMENT, &right[1..], 401),
        with(
            "an empty password",
            "POST",
            PAYMENT,
            &[right[0], ("password", "")],
            401,
        ),
        with(
            "a long password",
            "POST",
            PAYMENT,
            &[right[0], ("password", &long)],
            401,
        ),
        with(
            "another password",
            "POST",
            PAYMENT,
            &[right[0], ("password", &upper)],
            401,
        ),
        with(
            "another user",
            "POST",
            PAYMENT,
            &[("username", "root"), right[1]],
            401,
        ),
        with(
            "credentials the other way round",
            "POST",
            PAYMENT,
            &[("username", word), ("password", user)],
            401,
        ),
        with(
            "two passwords, the wrong one first",
            "POST",
            PAYMENT,
            &[right[0], ("password", "x"), right[1]],
            401,
        ),
        with("an inquiry without credentials", "POST", INQUIRY, &[], 401),
        with("a GET", "GET", PAYMENT, &right, 405),
        with("another path", "POST", "/api/1.0/Payments/Refund", &right, 404),
        with("the API of partners", "POST", "/v1/topups", &right, 404),
    ]
}

/// Bodies that are no message.
fn shapes(profile: &Profile, good: &Payment) -> Vec<Bad> {
    let body = good.body(profile).to_string();
    let code = |what: &str, body: &[u8]| Bad {
        what: what.to_owned(),
        octets: posted(profile, PAYMENT, body),
        wanted: Wanted::Code("04"),
    };
    let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
    let nested = format!("{{\"reserved\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    let mut bad_text = body.clone().into_bytes();
    bad_text[20] = 0xff;
    let half = &body[..body.len() / 2];
    let mut all = vec![
        code("nothing", b""),
        code("a half", half.as_bytes()),
        code("twice", format!("{body}{body}").as_bytes()),
        code("a list", b"[1]"),
        code("null", b"null"),
        code("a number", b"1e999"),
        code("deep lists", deep.as_bytes()),
        code("deep objects", nested.as_bytes()),
        code("no UTF-8", &bad_text),
        code(
            "XML",
            b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>",
        ),
        code(
            "a field twice",
            body.replacen('{', "{\"transaction_amount\":\"000000000100\",", 1)
                .as_bytes(),
        ),
    ];
    for path in [PAYMENT, INQUIRY] {
        all.push(Bad {
            what: format!("64 kB to {path}"),
            octets: posted(profile, path, "x".repeat(64 << 10).as_bytes()),
            wanted: Wanted::Status(413),
        });
    }
    let mut lying = posted(profile, PAYMENT, body.as_bytes());
    let at = lying
        .windows(16)
        .position(|some| some == b"content-length: ")
        .unwrap_or(0)
        + 16;
    lying.splice(at..at, b"999999".iter().copied());
    all.push(Bad {
        what: "a length that lies".to_owned(),
        octets: lying,
        wanted: Wanted::Status(413),
    });
    for (what, octets) in [
        ("no HTTP", b"0200\x00\x00\x00\x00\r\n\r\n".to_vec()),
        ("endless headers", {
            let name = format!("POST {PAYMENT} HTTP/1.1\r\n");
            let mut octets = name.into_bytes();
            for at in 0..3_000 {
                octets.extend(format!("x-{at}: {}\r\n", "y".repeat(200)).into_bytes());
            }
            octets
        }),
    ] {
        all.push(Bad {
            what: what.to_owned(),
            octets,
            wanted: Wanted::Anything,
        });
    }
    all
}

/// One field that is wrong.
fn fields(profile: &Profile, good: &Payment) -> Vec<Bad> {
    let long = "x".repeat(516);
    let wrong: [(&str, Value, &str); 34] = [
        ("transaction_amount", json!("000000000000"), "02"),
        ("transaction_amount", json!("            "), "02"),
        ("transaction_amount", json!(""), "02"),
        ("transaction_amount", json!("000000000001"), "02"),
        ("transaction_amount", json!("999999999999"), "02"),
        ("transaction_amount", json!("-00000010000"), "04"),
        ("transaction_amount", json!("+00000010000"), "04"),
        ("transaction_amount", json!("0000000100.0"), "04"),
        ("transaction_amount", json!("1e9"), "04"),
        ("transaction_amount", json!("0x0000002710"), "04"),
        ("transaction_amount", json!("0000000010000"), "04"),
        ("transaction_amount", json!("١٠٠٠٠"), "04"),
        ("transaction_amount", json!(10_000), "04"),
        ("tran_date", json!("20260230"), "04"),
        ("tran_date", json!("00000000"), "04"),
        ("tran_date", json!(""), "04"),
        ("tran_date", json!("2026-9-1"), "04"),
        ("tran_time", json!("246060"), "04"),
        ("tran_time", json!("٢٠٠٠٠٠"), "04"),
        ("tran_auth_id", json!(""), "04"),
        ("tran_auth_id", json!("0000001"), "04"),
        ("tran_auth_id", json!("1.2/3"), "04"),
        ("tran_auth_id", json!({"$gt": ""}), "04"),
        ("consumer_number", json!(""), "04"),
        ("consumer_number", json!("0300-1234500"), "04"),
        ("consumer_number", json!("' or 1=1 --"), "04"),
        ("consumer_number", json!("٠٣٠٠١٢٣٤٥٠٠"), "04"),
        ("consumer_number", json!("030012345000300123450"), "04"),
        ("consumer_number", json!("12"), "01"),
        ("consumer_number", json!("02135678901"), "01"),
        ("consumer_number", json!("14155550123"), "01"),
        ("bank_mnemonic", json!("NOBODY"), "04"),
        ("reserved", json!("BundleID=NOTSOLD"), "04"),
        ("reserved", json!(long), "04"),
    ];
    // Each has a key of its own, so that no refusal is the repeat of another.
    let numbered = |at: usize| {
        let mut body = good.body(profile);
        body["tran_time"] = json!(format!("17{:02}{:02}", at / 60 % 60, at % 60));
        body
    };
    let bad = |(at, (field, value, code)): (usize, (&str, Value, &'static str))| {
        let what = format!("{field} {value}");
        let mut body = numbered(at);
        body[field] = value;
        Bad {
            what,
            octets: posted(profile, PAYMENT, body.to_string().as_bytes()),
            wanted: Wanted::Code(code),
        }
    };
    wrong.into_iter().enumerate().map(bad).collect()
}
