//! A shop sells by dialling: the same guards as at every other channel, and nothing moves by mistake.

mod harness;

use harness::{Api, PATIENCE, Place};
use serde_json::{Value, json};
use std::time::Instant;

const SHOP: &str = "923001234567";
const BUYER: &str = "923217654321";
const PIN: &str = "7391";

#[test]
fn a_shop_sells_by_dialling() {
    let place = Place::new("[ussd.http.agg]\nlisten = '127.0.0.1:0'\n");
    let server = place.serve();
    let admin = Api::new(&server.url, server.key.as_deref().unwrap());
    for number in [SHOP, BUYER] {
        admin.done(
            "/v1/subscribers",
            number,
            &json!({"msisdn": number, "operator": "jazz"}),
        );
    }
    let (retailer, shop) = admin.retailer(SHOP, "2580");

    let address = server.ussd[0].rsplit(' ').next().unwrap().to_owned();
    let session = std::cell::Cell::new(0);
    let dial = |from: &str, text: &str| -> String {
        session.set(session.get() + 1);
        let body = json!({"sessionId": session.get().to_string(), "phoneNumber": from, "serviceCode": "*500#", "text": text});
        let mut answer = ureq::post(format!("http://{address}/"))
            .header("content-type", "application/json")
            .send(body.to_string())
            .unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    let float = || shop.see("/v1/sellers/me")["float"].as_str().unwrap().to_owned();
    let before = float();

    // With the PIN that somebody else gave nothing is sold: it must be changed first.
    assert_eq!(
        dial(SHOP, "03217654321*100*2580"),
        "END Please change your PIN first"
    );
    assert_eq!(float(), before);
    assert_eq!(dial(SHOP, &format!("3*2580*{PIN}")), "END Your PIN was changed.");
    let stock = dial(SHOP, &format!("1*{PIN}"));
    assert!(stock.starts_with("END Your stock is Rs 1,"), "{stock}");
    assert_eq!(dial(SHOP, &format!("2*{PIN}")), "END No sales yet.");

    // Wrong shape, wrong amount, wrong PIN, another phone: nothing moves.
    for (from, text, begins) in [
        (SHOP, "03217654321*100", "END To sell:"),
        (SHOP, "03217654321*0*7391", "END The amount is not clear."),
        (SHOP, "03217654321*100*1111", "END "),
        (BUYER, "03001234567*100*7391", "END Sales are not made here."),
    ] {
        let said = dial(from, text);
        assert!(
            said.starts_with(begins) && !said.contains("Sold"),
            "{text}: {said}"
        );
    }
    assert_eq!(float(), before);

    let sold = dial(SHOP, &format!("03217654321*100*{PIN}"));
    assert!(sold.starts_with("END Sold: Rs 100.00 to 0321 7654321."), "{sold}");
    let after = float();
    assert_ne!(after, before);
    // The same again within two minutes is no second sale, unless it says so.
    let sale = format!("03217654321*100*{PIN}");
    let speak = |language: &str| {
        let spoken = admin.patch(
            &format!("/v1/subscribers/{SHOP}"),
            &json!({ "language": language }),
        );
        assert_eq!(spoken.unwrap().0, 200);
    };
    for (language, said) in [
        (
            "ur",
            "END Rs \u{2066}100.00\u{2069}، \u{2066}0321 7654321\u{2069}: ابھی بک چکا، دوبارہ نہیں۔ ایک اور: آخر میں \u{2066}*2\u{2069}",
        ),
        (
            "zh",
            "END 未再售：Rs 100.00 至 0321 7654321 刚刚已售。再售请在末尾加 *2。",
        ),
        (
            "en",
            "END Not sold again: Rs 100.00 to 0321 7654321 was sold a moment ago. For one more put *2 behind it.",
        ),
    ] {
        speak(language);
        assert_eq!(dial(SHOP, &sale), said);
    }
    assert_eq!(float(), after);
    let meant = dial(SHOP, &format!("{sale}*2"));
    assert!(meant.starts_with("END Sold: Rs 100.00"), "{meant}");
    // So is the second one when it is dialled again, because its answer was lost.
    let second = float();
    let again = dial(SHOP, &format!("{sale}*2"));
    assert!(again.ends_with("For one more put *3 behind it."), "{again}");
    assert_eq!(float(), second);
    let said = |text: &Value| text["main"].as_str().unwrap().to_owned();
    assert_eq!(
        said(&admin.see(&format!("/v1/subscribers/{BUYER}/balance"))),
        "173.913044"
    );

    // Stock for the shop's outlet: who dials again after a lost answer hears what was done, and only "again" moves more.
    shop.open_seller("outlet", Some(retailer), Some(BUYER));
    let send = format!("4*03217654321*50*{PIN}");
    let deadline = Instant::now() + PATIENCE;
    let full = float();
    let mut sent = dial(SHOP, &send);
    while !sent.starts_with("END Sent") && Instant::now() < deadline {
        assert_eq!(float(), full, "{sent}");
        // Its number is known as soon as the read models are. A phone may dial thirty times a minute, so this is no faster.
        std::thread::sleep(std::time::Duration::from_secs(2));
        sent = dial(SHOP, &send);
    }
    assert!(sent.starts_with("END Sent: Rs 50.00 to 0321 7654321."), "{sent}");
    let once = float();
    assert_ne!(once, full);
    let again = dial(SHOP, &send);
    assert_eq!(
        again,
        "END Not sent again: Rs 50.00 to 0321 7654321 was sent a moment ago. For one more put *2 behind it."
    );
    assert_eq!(float(), once, "nothing moved");
    let other = dial(SHOP, &format!("4*03217654321*51*{PIN}"));
    assert!(other.starts_with("END Sent: Rs 51.00"), "{other}");
    let twice = float();
    assert_ne!(twice, once);
    let meant = dial(SHOP, &format!("{send}*2"));
    assert!(meant.starts_with("END Sent: Rs 50.00"), "{meant}");
    let thrice = float();
    assert_ne!(thrice, twice);
    let again = dial(SHOP, &format!("{send}*2"));
    assert!(
        again.starts_with("END Not sent again") && again.contains("*3"),
        "{again}"
    );
    assert_eq!(float(), thrice);

    // Three wrong PINs lock it: the right one does not help any more.
    for (pin, said) in [
        ("1112", "END The PIN is wrong"),
        ("1113", "END The PIN is wrong"),
        ("1114", "END The PIN is locked"),
        (PIN, "END The PIN is locked"),
    ] {
        assert_eq!(dial(SHOP, &format!("03217654321*70*{pin}")), said);
    }
    for text in [format!("1*{PIN}"), format!("4*03217654321*70*{PIN}")] {
        assert_eq!(dial(SHOP, &text), "END The PIN is locked");
    }
    assert_eq!(float(), thrice);

    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]);
    assert_eq!(audit.code, 0, "{audit:?}");
}
