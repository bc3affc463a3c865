//! Public offers: the page, the feeds, caches and limits; and a campaign code from quote to receipt.

mod common;

use common::{NUMBER, Service};
use serde_json::json;
use std::time::Duration;

#[test]
fn offers_are_public_and_filtered_by_operator() {
    let service = Service::start();
    let feed = service.send("GET", "/offers.json", &[], "").json();
    let offers = feed["offers"].as_array().unwrap();
    let of = |code: &str| offers.iter().filter(|offer| offer["operator"] == code).count();
    assert!(of("jazz") >= 4, "{feed:#}");
    let coming = offers
        .iter()
        .find(|offer| offer["code"] == "wallet-december")
        .unwrap();
    assert_eq!(
        (coming["state"].as_str(), coming["from"].as_str()),
        (Some("coming"), Some("2026-11-30T19:00:00Z"))
    );
    let load = offers.iter().find(|offer| offer["code"] == "load-500").unwrap();
    assert_eq!(
        (load["state"].as_str(), load["minimum"].as_str()),
        (Some("current"), Some("500.00"))
    );
    assert_eq!(load["gifts"][0]["amount"], 1i64 << 30);
    assert_eq!(load["limit"], json!({"times": 1, "per": "week"}));
    assert_eq!(load["synthetic"], true);

    let jazz = service
        .send("GET", "/offers.json?operator=jazz&lang=ur", &[], "")
        .json();
    let all = jazz["offers"].as_array().unwrap();
    assert!(!all.is_empty() && all.iter().all(|offer| offer["operator"] == "jazz"));
    assert!(
        all[0]["name"]
            .as_str()
            .unwrap()
            .chars()
            .any(|c| ('\u{0600}'..='\u{06ff}').contains(&c))
    );
    let bad = |path: &str| service.send("GET", path, &[], "").status;
    assert_eq!(bad("/offers.json?operator=nobody"), 404);
    assert_eq!(bad("/offers.json?lang=xx"), 422);
    assert_eq!(bad("/offers?operator=%3Cscript%3E"), 404);
}

#[test]
fn feeds_are_kept_by_caches_until_they_change() {
    let service = Service::start();
    for path in ["/offers.json", "/offers.rss"] {
        let first = service.send("GET", path, &[], "");
        let tag = first.header("etag").to_owned();
        assert_eq!(first.header("cache-control"), "public, max-age=300");
        assert_eq!(first.header("set-cookie"), "", "nothing of anybody");
        let again = service.send(
            "GET",
            path,
            &[("if-none-match", &format!("\"other\", W/{tag}"))],
            "",
        );
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), tag);
        // In December another promotion is on, and the tag is another one.
        service.pass(Duration::from_secs(11 * 86_400));
        let later = service.send("GET", path, &[("if-none-match", &tag)], "");
        if path.ends_with("json") {
            assert_eq!(later.status, 200);
            assert_ne!(later.header("etag"), tag);
        }
    }
}

#[test]
fn the_feed_is_well_formed_and_speaks_three_languages() {
    let service = Service::start();
    for (lang, word) in [("en", "Offers"), ("ur", "پیشکشیں"), ("zh", "优惠")] {
        let feed = service.send("GET", &format!("/offers.rss?lang={lang}"), &[], "");
        assert_eq!(feed.header("content-type"), "application/rss+xml; charset=utf-8");
        let body = &feed.body;
        assert!(
            body.starts_with("<?xml version=\"1.0\"") && body.contains(&format!("<title>{word}</title>")),
            "{body}"
        );
        let count = |tag: &str| body.matches(tag).count();
        assert!(count("<item>") >= 16);
        assert_eq!(
            (count("<item>"), count("<guid ")),
            (count("</item>"), count("</guid>"))
        );
        assert!(!body.contains("<bdi>") && !body.contains("<script"));
    }
}

#[test]
fn the_page_speaks_three_languages_and_is_open_to_everybody() {
    let service = Service::start();
    for (lang, word) in [("en", "Happy hour"), ("ur", "ہیپی آور"), ("zh", "夜间套餐")] {
        let headers = [("accept", "text/html"), ("accept-language", lang)];
        let page = service.send("GET", "/offers?operator=jazz", &headers, "");
        assert_eq!(page.status, 200);
        assert!(page.body.contains(word), "{lang}: {}", page.body);
        assert!(page.body.contains("id=\"jazz-happy-hour\"") && !page.body.contains("id=\"zong-"));
    }
}

#[test]
fn feeds_are_limited_by_address() {
    let service = Service::start();
    let mut refused = 0;
    for _ in 0..200 {
        refused += u32::from(service.send("GET", "/offers.json", &[], "").status == 429);
    }
    assert!((40..=90).contains(&refused), "{refused} of 200 were refused");
}

#[test]
fn a_campaign_code_goes_from_quote_to_receipt() {
    let service = Service::start();
    let ask = |campaign: &str| json!({"msisdn": NUMBER, "amount": "200", "campaign": campaign}).to_string();
    let quote = service
        .api(&service.shop, "POST", "/v1/quotes", &ask("jazz winter"))
        .json();
    let codes = |answer: &serde_json::Value| -> Vec<String> {
        let all = answer["promotions"].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|line| line["code"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(codes(&quote), ["winter-code", "first-recharge"], "by priority");
    assert_eq!(quote["promotions"][0]["status"], "offered");
    // Ten percent of the credit of 173.913043, rounded down to hundredths.
    assert_eq!(quote["promotions"][0]["lots"][0]["amount"], 17_390_000);
    assert_eq!(
        service
            .api(&service.shop, "POST", "/v1/quotes", &ask("<b>"))
            .problem()
            .0,
        422
    );

    let sell = |reference: &str, campaign: &str| {
        let body = json!({"msisdn": NUMBER, "amount": "200", "external_id": reference, "campaign": campaign,
            "quote": quote["id"]});
        service.once(&service.shop, "/v1/topups?wait=20", reference, &body.to_string())
    };
    assert_eq!(
        sell("a", "").problem(),
        (409, 1_007_021),
        "without the code it is another offer"
    );
    let sold = sell("b", "JAZZ-WINTER");
    assert_eq!(sold.status, 201, "{}", sold.body);
    let price = &sold.json()["price"];
    assert_eq!(codes(price), ["winter-code", "first-recharge"]);
    let status = price["promotions"][0]["status"].as_str().unwrap();
    assert!(["given", "pending"].contains(&status), "{status}");

    // Nothing was leased before, so the gifts come a moment later, from their budgets.
    let path = format!("/v1/subscribers/{NUMBER}/balance");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let balance = service.api(&service.admin, "GET", &path, "").json();
        let buckets = balance["buckets"].as_array().unwrap();
        let from = |source: &str| buckets.iter().find(|bucket| bucket["source"] == source);
        if let (Some(money), Some(data)) = (from("winter-code"), from("first-recharge")) {
            assert_eq!(
                (money["origin"].as_str(), data["origin"].as_str()),
                (Some("bonus"), Some("bonus"))
            );
            assert_eq!(money["initial"], 17_390_000);
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "the gifts never came: {balance:#}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
