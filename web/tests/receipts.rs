//! Receipts over HTTP: who sees them, in which forms, and what proves them.

mod common;
#[path = "../../server/tests/browser/paper.rs"]
mod paper;

use charge::catalog::Language;
use charge::reply::Receipt;
use common::{Answer, NUMBER, Service};
use web::receipt::keys::PublicKeys;
use web::receipt::signed::{Flaw, Proof};

const BASE: &str = "https://raseed.example";

/// A shop sells, and the receipt is there.
fn sold(service: &Service, reference: &str, amount: &str) -> serde_json::Value {
    let body =
        serde_json::json!({"msisdn": NUMBER, "amount": amount, "external_id": reference, "again": true});
    let answer = service.once(&service.shop, "/v1/topups?wait=10", reference, &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let receipt = answer.json()["receipt"].as_str().unwrap().to_owned();
    service.eventually(|| {
        let answer = service.api(&service.shop, "GET", &format!("/v1/receipts/{receipt}"), "");
        (answer.status == 200).then(|| answer.json())
    })
}

fn text<'a>(receipt: &'a serde_json::Value, field: &str) -> &'a str {
    receipt[field].as_str().unwrap()
}

fn get(service: &Service, path: &str, cookie: &str) -> Answer {
    service.send("GET", path, &[("cookie", cookie), ("accept", "text/html")], "")
}

/// Signs in as the owner and gives the cookies.
fn owner(service: &Service) -> String {
    let start = get(service, "/", "");
    let field = |page: &str, name: &str| {
        let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let cookie = |answer: &Answer| answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let first = cookie(&start);
    let form = field(&start.body, "form");
    let headers = [
        ("cookie", first.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let sent = service.send(
        "POST",
        "/code",
        &headers,
        &format!("number=03001234567&form={form}"),
    );
    assert_eq!(sent.status, 200, "{}", sent.body);
    let code = service.eventually(|| service.codes.last(NUMBER));
    let body = format!("number=03001234567&code={code}&form={form}");
    let signed_in = service.send("POST", "/session", &headers, &body);
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    cookie(&signed_in)
}

/// The token of the receipt's link, as the owner's page offers it.
fn shared(service: &Service, cookie: &str, number: &str) -> String {
    let page = get(service, &format!("/receipts/{number}"), cookie);
    assert_eq!(page.status, 200, "{}", page.body);
    let rest = page.body.split(&format!("/receipts/{number}?t=")).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_receipt_in_every_form_says_the_same() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let number = text(&receipt, "number");
    assert_eq!(receipt["price"]["gross"], "100.00");
    assert_eq!(receipt["price"]["net_credit"], "86.956522");
    assert_eq!(receipt["balance"], "86.956522");
    let cookie = owner(&service);

    let page = get(&service, &format!("/receipts/{number}"), &cookie).body;
    for part in [
        "Rs\u{a0}100.00",
        "Rs\u{a0}86.96",
        "0300 1234567",
        "shop",
        "13.04",
        number,
        text(&receipt, "check"),
    ] {
        assert!(
            page.contains(&format!("<bdi>{part}</bdi>")) || page.contains(part),
            "{part}: {page}"
        );
    }
    assert!(
        page.contains("<svg") && !page.contains("style=") && !page.contains("<script>"),
        "{page}"
    );
    let json = get(&service, &format!("/receipts/{number}.json"), &cookie);
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), receipt);
    let list = get(&service, "/receipts", &cookie).body;
    assert!(list.contains(&format!("href=\"/receipts/{number}\"")), "{list}");
}

#[test]
fn only_owner_payer_seller_and_staff_see_a_receipt() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let number = text(&receipt, "number");
    for form in ["", ".pdf", ".json"] {
        let path = format!("/receipts/{number}{form}");
        assert_eq!(get(&service, &path, "").status, 404, "a stranger");
        let wrong = format!("{path}?t=AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(get(&service, &wrong, "").status, 404, "a wrong token");
    }
    assert_eq!(get(&service, "/receipts", "").header("location"), "/");
    let cookie = owner(&service);
    let token = shared(&service, &cookie, number);
    let guest = get(&service, &format!("/receipts/{number}?t={token}"), "");
    assert_eq!(guest.status, 200, "the payer's link");
    assert!(guest.body.contains("0300 1234567"));
    assert!(
        guest.body.contains("&#38;lang=ur") || guest.body.contains("&amp;lang=ur"),
        "{}",
        guest.body
    );
    let second = sold(&service, "b", "200");
    let other = format!("/receipts/{}?t={token}", text(&second, "number"));
    assert_eq!(
        get(&service, &other, "").status,
        404,
        "the link of another receipt"
    );

    let path = format!("/v1/receipts/{number}");
    assert_eq!(
        service.api(&service.shop, "GET", &path, "").status,
        200,
        "the seller"
    );
    assert_eq!(
        service.api(&service.other, "GET", &path, "").status,
        404,
        "another seller"
    );
    assert_eq!(service.api(&service.admin, "GET", &path, "").status, 200, "staff");
    assert_eq!(service.send("GET", &path, &[], "").status, 401);
}

#[test]
fn the_published_key_alone_proves_a_receipt() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let published = service.send("GET", "/.well-known/raseed-receipt-keys.json", &[], "");
    assert_eq!(published.header("access-control-allow-origin"), "*");
    assert!(!published.body.contains("seed"));
    let keys = PublicKeys::from_json(&published.body).unwrap();
    let signed = text(&receipt, "signed");
    let proof = Proof::verify(signed, &keys).unwrap();
    assert_eq!(proof.number.to_string(), text(&receipt, "number"));
    assert_eq!(
        (proof.gross.exact(), proof.credited.exact()),
        ("100.00".to_owned(), "86.956522".to_owned())
    );
    assert_eq!(proof.msisdn, "923*******67");
    assert!(!signed.contains(NUMBER), "the number is masked");
    let changed = signed.replace("~100.00~", "~900.00~");
    assert_eq!(Proof::verify(&changed, &keys), Err(Flaw::BadSignature));
}

#[test]
fn verify_tells_genuine_from_false_in_three_languages() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let signed = text(&receipt, "signed");
    let check = text(&receipt, "check");
    let ask = |r: &str, language: &str| {
        let path = format!("/verify?r={}", r.replace(' ', "+"));
        service
            .send(
                "GET",
                &path,
                &[("accept-language", language), ("accept", "text/html")],
                "",
            )
            .body
    };
    let message = format!("Jazz: Rs 100.00 recharged. Receipt raseed.example/r/{check}");
    for (language, genuine, not) in [
        ("en", "Genuine", "Not genuine"),
        ("ur", "اصلی ہے", "اصلی نہیں"),
        ("zh", "真实", "不真实"),
    ] {
        for good in [
            signed,
            check,
            &check.to_uppercase(),
            &message,
            &format!("{BASE}/verify?r={signed}"),
        ] {
            let page = ask(good, language);
            assert!(
                page.contains("verdict genuine") && page.contains(genuine),
                "{good}: {page}"
            );
            assert!(
                page.contains("<bdi>Rs\u{a0}100.00</bdi>") && page.contains("923*******67"),
                "{page}"
            );
            assert!(
                !page.contains(NUMBER) && !page.contains("1234567"),
                "only what is signed"
            );
        }
        for bad in [
            signed.replace("~100.00~", "~900.00~"),
            format!("{}A", &signed[..signed.len() - 2]),
            check.replace('.', ".x").chars().take(check.len()).collect(),
        ] {
            let page = ask(&bad, language);
            assert!(
                page.contains("verdict false") && page.contains(not),
                "{bad}: {page}"
            );
            assert!(
                !page.contains("verdict genuine") && !page.contains("Rs\u{a0}100.00"),
                "{page}"
            );
        }
    }
    assert!(ask("hello", "en").contains("This is not a receipt"));
    let page = ask("%3Cscript%3Ealert(1)%3C/script%3E", "en");
    assert!(!page.contains("<script>alert"), "{page}");
    let short = service.send("GET", &format!("/r/{check}"), &[], "");
    assert_eq!(short.header("location"), format!("/verify?r={check}"));
    let switch = service.send("GET", &format!("/verify?r={signed}&lang=ur"), &[], "");
    assert_eq!(switch.header("location"), format!("/verify?r={signed}"));
}

#[test]
fn guessing_codes_is_slow() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let number = text(&receipt, "number");
    let statuses: Vec<u16> = (0..80)
        .map(|guess| {
            let path = format!("/verify?r={number}.aaaaaa{guess:02}");
            service.send("GET", &path, &[], "").status
        })
        .collect();
    assert!(statuses[..50].iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
}

#[test]
fn a_letter_holds_the_receipt_and_its_link() {
    let service = Service::start();
    let receipt = sold(&service, "a", "100");
    let number = Receipt::parse(text(&receipt, "number")).unwrap();
    let found = service
        .wait(web::receipt::find(&service.web, number, true))
        .unwrap();
    let (view, catalog) = found.unwrap();
    for (language, word) in [
        (Language::En, "New balance"),
        (Language::Ur, "نیا بیلنس"),
        (Language::Zh, "新余额"),
    ] {
        let letter = view.letter(&service.web, catalog, language);
        assert!(letter.subject.contains(text(&receipt, "number")) && letter.subject.contains("100.00"));
        assert!(
            letter.text.contains(word) && letter.html.contains(word),
            "{letter:?}"
        );
        assert!(letter.text.contains("86.96") && letter.html.contains("<bdi>Rs\u{a0}86.96</bdi>"));
        assert!(!letter.html.contains("<script") && !letter.html.contains("style="));
        let link = letter.text.lines().find(|line| line.starts_with(BASE)).unwrap();
        let page = get(&service, link.strip_prefix(BASE).unwrap(), "");
        assert_eq!(page.status, 200, "the link opens the receipt");
    }
}

/// The PDF of a receipt in a language.
fn pdf(service: &Service, number: &str, cookie: &str, language: &str) -> Vec<u8> {
    let cookie = format!("{cookie}; raseed_language={language}");
    let answer = service.bytes(&format!("/receipts/{number}.pdf"), &cookie);
    assert_eq!(answer.0, "application/pdf");
    answer.1
}

#[test]
fn the_pdf_says_the_same_in_three_languages() {
    let service = Service::start();
    let receipt = sold(&service, "a", "950");
    let number = text(&receipt, "number");
    let cookie = owner(&service);
    for (language, words) in [("en", "Added to the balance"), ("ur", "رسید"), ("zh", "充入余额")] {
        let bytes = pdf(&service, number, &cookie, language);
        assert!(
            bytes.starts_with(b"%PDF-") && bytes.len() < 200_000,
            "{} bytes",
            bytes.len()
        );
        assert_eq!(bytes, pdf(&service, number, &cookie, language), "always the same");
        if let Some(directory) = std::env::var_os("RASEED_SCREENSHOTS") {
            let path = std::path::PathBuf::from(directory).join(format!("receipt-{language}.pdf"));
            std::fs::write(path, &bytes).unwrap();
        }
        let Some(found) = paper::text(&bytes) else {
            continue;
        };
        for part in [
            number,
            "950.00",
            "826.09",
            "\u{2013}Rs 123.91",
            "0300 1234567",
            text(&receipt, "check"),
            words,
        ] {
            assert!(found.contains(part), "{language}: {part}: {found}");
        }
    }
}
