//! Bad input: each case gets its code, and nothing changes.

mod common;

use common::{NUMBER, Service};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn keys_and_scopes_are_checked() {
    let service = Service::start();
    let path = format!("/v1/subscribers/{NUMBER}/balance");
    let forged = format!("{}A", &service.shop[..service.shop.len() - 1]);
    let of_another = service.shop.replacen("rsd_2_", "rsd_3_", 1);
    for key in ["", "nonsense", "rsd_1_abc_def", &forged, &of_another] {
        let answer = service.api(key, "GET", &path, "");
        if key != service.shop {
            assert_eq!(answer.problem(), (401, 1_000_401), "{key}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(service.send("GET", &path, &[], "").problem(), (401, 1_000_401));
    assert_eq!(
        service.api(&service.shop, "GET", &path, "").problem(),
        (403, 1_000_402)
    );
}

#[test]
fn wrong_keys_are_slowed_down() {
    let service = Service::start();
    let last = (0..80)
        .map(|_| service.api("rsd_x", "GET", "/v1/lookup/0300", ""))
        .last()
        .unwrap();
    assert_eq!(last.problem(), (429, 1_000_429));
    assert!(last.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(
        service
            .api(&service.shop, "GET", "/v1/lookup/03001234567", "")
            .status,
        200
    );
}

#[test]
fn a_good_key_that_asks_too_often_is_slowed_down_and_no_other() {
    let service = Service::start();
    let path = "/v1/lookup/03001234567";
    let address = service.url.trim_start_matches("http://").to_owned();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n",
        service.shop
    );
    // Many at once on each connection: one at a time would not reach the limit on a busy machine.
    let found = AtomicBool::new(false);
    let ask = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        for _ in 0..200 {
            if found.load(Ordering::Relaxed) {
                return;
            }
            stream.write_all(request.repeat(20).as_bytes()).unwrap();
            let (mut heard, mut piece) = (String::new(), [0; 16 * 1024]);
            while heard.matches("\r\n\r\n").count() < 20 {
                let count = stream.read(&mut piece).unwrap();
                assert!(count > 0, "{heard}");
                heard.push_str(&String::from_utf8_lossy(&piece[..count]));
            }
            if heard.contains("HTTP/1.1 429 ") {
                assert!(
                    heard.to_ascii_lowercase().contains("\r\nretry-after: "),
                    "{heard}"
                );
                found.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(ask))));
    assert!(found.into_inner());
    let key = service.other.as_str();
    assert_eq!(
        service.api(key, "GET", path, "").status,
        200,
        "each key counts alone"
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(service.api(&service.shop, "GET", path, "").status, 200);
}

#[test]
fn errors_speak_the_language_of_the_caller() {
    let service = Service::start();
    let ask = |language: &str| {
        let answer = service.send("GET", "/v1/nothing", &[("accept-language", language)], "");
        assert_eq!(answer.problem(), (404, 1_000_404));
        assert_eq!(answer.json()["instance"], "/v1/nothing");
        assert_eq!(answer.json()["type"], "urn:raseed:problem:not-found");
        (
            answer.header("content-language").to_owned(),
            answer.json()["title"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        ask("en"),
        ("en".into(), "There is nothing at this address".into())
    );
    assert_eq!(ask("ur-PK"), ("ur".into(), "اس پتے پر کچھ نہیں ہے".into()));
    assert_eq!(ask("zh-CN,zh;q=0.9"), ("zh".into(), "此地址没有内容".into()));
    assert_eq!(ask("fr").0, "en");
}

/// Each line: body, expected status and code.
#[test]
fn bad_top_ups_change_nothing() {
    let service = Service::start();
    let good = json!({"msisdn": NUMBER, "amount": "100", "external_id": "a"});
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    let cases = [
        ("{".to_owned(), 400, 1_000_400),
        ("[]".to_owned(), 400, 1_000_400),
        (
            json!({"msisdn": NUMBER, "amount": "100"}).to_string(),
            400,
            1_000_400,
        ),
        (with("amount", json!(100)), 400, 1_000_400),
        (with("amount", json!(100.5)), 400, 1_000_400),
        (with("amount", json!("1e3")), 400, 1_000_400),
        (with("amount", json!("100.1234567")), 400, 1_000_400),
        (with("amount", json!("99999999999999")), 400, 1_000_400),
        (with("extra", json!(1)), 400, 1_000_400),
        (with("amount", json!("-100")), 422, 1_003_002),
        (with("amount", json!("0")), 422, 1_003_002),
        (with("amount", json!("1")), 422, 1_003_002),
        (with("amount", json!("1000000")), 422, 1_003_003),
        (with("amount", json!("5000")), 402, 1_006_001),
        (with("msisdn", json!("hello")), 422, 1_005_001),
        (with("msisdn", json!("")), 422, 1_005_001),
        (with("msisdn", json!("03009999999")), 404, 1_005_002),
        (with("msisdn", json!("+447700900123")), 404, 1_005_002),
        (with("external_id", json!("")), 422, 1_000_422),
        (with("external_id", json!("x".repeat(65))), 422, 1_000_422),
        (with("external_id", json!("a\nb")), 422, 1_000_422),
        (with("quote", json!("q_x")), 409, 1_007_020),
        (with("external_id", json!("x".repeat(70_000))), 413, 1_000_413),
    ];
    for (body, status, code) in &cases {
        let answer = service.once(&service.shop, "/v1/topups", "k", body);
        let shown: String = body.chars().take(200).collect();
        assert_eq!(answer.problem(), (*status, *code), "{shown}: {}", answer.body);
    }
    let body = good.to_string();
    let no_key = service.api(&service.shop, "POST", "/v1/topups", &body);
    assert_eq!(no_key.problem(), (400, 1_007_012));
    let too_long = service.once(&service.shop, "/v1/topups", &"k".repeat(256), &body);
    assert_eq!(too_long.problem(), (400, 1_007_012));
    let long_wait = service.once(&service.shop, "/v1/topups?wait=21", "k", &body);
    assert_eq!(long_wait.problem(), (422, 1_000_422));
    let bad_wait = service.once(&service.shop, "/v1/topups?wait=x", "k", &body);
    assert_eq!(bad_wait.problem(), (400, 1_000_400));
    let text = [
        ("authorization", format!("Bearer {}", service.shop)),
        ("idempotency-key", "k".to_owned()),
        ("content-type", "text/plain".to_owned()),
    ];
    let text: Vec<(&str, &str)> = text.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        service.send("POST", "/v1/topups", &text, &body).problem(),
        (415, 1_000_415)
    );
    let method = service.api(&service.shop, "DELETE", "/v1/topups", "");
    assert_eq!(method.problem(), (405, 1_000_405));
    assert!(method.header("allow").contains("POST"));

    assert_eq!(service.main_balance(), "0.00");
    let me = service.api(&service.shop, "GET", "/v1/partners/me", "").json();
    assert_eq!(
        (&me["float"], &me["in_transit"]),
        (&json!("1000.00"), &json!("0.00"))
    );
    let sold = service.once(&service.shop, "/v1/topups?wait=5", "k", &body);
    assert_eq!(
        sold.status, 201,
        "none of the refused ones used up the key: {}",
        sold.body
    );
}

#[test]
fn large_headers_are_refused() {
    let service = Service::start();
    let answer = service.send("GET", "/healthz", &[("x-large", &"x".repeat(20_000))], "");
    assert_eq!(answer.problem(), (431, 1_000_431));
}

#[test]
fn health_and_metrics_are_there() {
    let service = Service::start();
    assert_eq!(service.send("GET", "/healthz", &[], "").body, "ok\n");
    assert_eq!(service.send("GET", "/readyz", &[], "").body, "ready\n");
    service.api(&service.shop, "GET", "/v1/lookup/03001234567", "");
    let metrics = service.send("GET", "/metrics", &[], "").body;
    for line in [
        "raseed_http_requests_total{method=\"GET\",route=\"/v1/lookup/{msisdn}\",status=\"200\"} 1",
        "raseed_http_request_duration_seconds_count{route=\"/v1/lookup/{msisdn}\"} 1",
        "raseed_queue_depth_commands 0",
        "raseed_read_models_lag_batches ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n") && metrics.matches("# EOF").count() == 1);
    assert!(!metrics.contains("3001234567"), "no numbers in metrics");
}

#[test]
fn card_numbers_are_refused_before_anything_reads_them() {
    let service = Service::start();
    let before = service.main_balance();
    for number in ["4111111111111111", "5123 4500 0000 0008", "4508-7500-1574-1019"] {
        let encoded = number.replace(' ', "+");
        for (method, path, kind, body) in [
            (
                "POST",
                "/recharge/pay",
                "application/x-www-form-urlencoded",
                format!("wallet={encoded}"),
            ),
            (
                "POST",
                "/code",
                "application/x-www-form-urlencoded",
                format!("number={encoded}"),
            ),
            (
                "POST",
                "/v1/quotes",
                "application/json",
                json!({"msisdn": NUMBER, "amount": "100", "x": number}).to_string(),
            ),
            (
                "GET",
                &format!("/recharge?number={encoded}"),
                "text/plain",
                String::new(),
            ),
        ] {
            let answer = service.send(method, path, &[("content-type", kind)], &body);
            assert_eq!(answer.problem(), (422, 1_000_423), "{method} {path} {number}");
            assert!(!answer.body.contains(number), "the answer does not repeat it");
        }
    }
    // Numbers that people do type.
    for number in ["03001234567", "+92 300 1234567", "3520212345671"] {
        let answer = service.send(
            "GET",
            &format!(
                "/recharge?number={}",
                number.replace('+', "%2B").replace(' ', "+")
            ),
            &[],
            "",
        );
        assert_ne!(answer.status, 500);
        assert!(!answer.body.contains("1000423"), "{number}");
    }
    assert_eq!(service.main_balance(), before);
}
