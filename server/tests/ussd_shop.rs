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
    let open = |by: &Api, grade: &str, parent: Option<u64>, number: Option<&str>| -> (u64, Api) {
        let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
        let made = by.done("/v1/sellers", grade, &body);
        let key = made["key"]["key"].as_str().unwrap();
        (made["id"].as_u64().unwrap(), Api::new(&server.url, key))
    };
    let (root, _) = open(&admin, "operator", None, None);
    let (distributor, above) = open(&admin, "distributor", Some(root), None);
    let (retailer, shop) = open(&above, "retailer", Some(distributor), Some(SHOP));
    admin.done(
        &format!("/v1/partners/{root}/float"),
        "f",
        &json!({"amount": "100000", "reference": "bank"}),
    );
    let give = |by: &Api, from: u64, to: u64, amount: &str| {
        by.done(
            &format!("/v1/sellers/{from}/moves?wait=10"),
            amount,
            &json!({"to": to, "amount": amount}),
        )
    };
    give(&admin, root, distributor, "50000");
    give(&above, distributor, retailer, "1000");
    let owner = json!({"name": "Ali", "role": "owner", "pin": "2580"});
    assert_eq!(shop.put("/v1/sellers/me/staff/ali", &owner).unwrap().0, 204);

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

    // The number of the shop is known as soon as the read models are; then the first PIN must be changed.
    let deadline = Instant::now() + PATIENCE;
    let mut said = dial(SHOP, "3*2580*7391");
    while said.contains("Sales are not made here") && Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(50));
        said = dial(SHOP, "3*2580*7391");
    }
    assert_eq!(said, "END Your PIN was changed.");
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
    let again = dial(SHOP, &format!("03217654321*100*{PIN}"));
    assert!(!again.contains("Sold"), "{again}");
    assert_eq!(float(), after);
    let meant = dial(SHOP, &format!("03217654321*100*{PIN}*2"));
    assert!(meant.starts_with("END Sold: Rs 100.00"), "{meant}");
    let said = |text: &Value| text["main"].as_str().unwrap().to_owned();
    assert_eq!(
        said(&admin.see(&format!("/v1/subscribers/{BUYER}/balance"))),
        "173.913044"
    );

    // Stock for the shop's outlet: who dials again after a lost answer hears what was done, and only "again" moves more.
    open(&shop, "outlet", Some(retailer), Some(BUYER));
    let send = format!("4*03217654321*50*{PIN}");
    let deadline = Instant::now() + PATIENCE;
    let full = float();
    let mut sent = dial(SHOP, &send);
    while !sent.starts_with("END Sent") && Instant::now() < deadline {
        assert_eq!(float(), full, "{sent}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        sent = dial(SHOP, &send);
    }
    assert!(sent.starts_with("END Sent: Rs 50.00 to 0321 7654321."), "{sent}");
    let once = float();
    assert_ne!(once, full);
    assert_eq!(dial(SHOP, &send), sent);
    assert_eq!(float(), once, "nothing moved");
    let other = dial(SHOP, &format!("4*03217654321*51*{PIN}"));
    assert!(other.starts_with("END Sent: Rs 51.00"), "{other}");
    let twice = float();
    assert_ne!(twice, once);
    let meant = dial(SHOP, &format!("{send}*2"));
    assert!(meant.starts_with("END Sent: Rs 50.00"), "{meant}");
    assert_ne!(float(), twice);

    assert_eq!(server.terminate(), 0);
    let audit = place.run_here(&["audit"]);
    assert_eq!(audit.code, 0, "{audit:?}");
}
