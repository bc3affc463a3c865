//! A shop with a till.

use super::client::Client;
use super::{SECOND_NUMBER, Service};
use serde_json::json;

/// Of everybody who works there.
pub const PIN: &str = "7391";

/// A shop, who is above it, and the service behind both: ids and keys.
pub struct Outlet {
    pub service: Service,
    pub distributor: (u64, String),
    pub shop: (u64, String),
}

fn made(service: &Service, by: &str, grade: &str, parent: Option<u64>) -> (u64, String) {
    let number = (grade == "retailer").then_some(SECOND_NUMBER);
    let body = json!({"name": grade, "code": grade, "grade": grade, "parent": parent, "key": true, "number": number});
    let answer = service.api(by, "POST", "/v1/sellers", &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let made = answer.json();
    (
        made["id"].as_u64().unwrap(),
        made["key"]["key"].as_str().unwrap().to_owned(),
    )
}

/// A shop under a distributor, with an owner and a cashier, a float of 1,025 and PINs above 200.
pub fn outlet() -> Outlet {
    let service = Service::start();
    let admin = service.admin.clone();
    let root = made(&service, &admin, "operator", None);
    let distributor = made(&service, &admin, "distributor", Some(root.0));
    let shop = made(&service, &admin, "retailer", Some(distributor.0));
    let fund = json!({"amount": "100000", "reference": "bank"}).to_string();
    let path = format!("/v1/partners/{}/float", root.0);
    assert_eq!(service.once(&admin, &path, "f", &fund).status, 200);
    for (from, to, amount) in [(root.0, distributor.0, "50000"), (distributor.0, shop.0, "1000")] {
        let body = json!({"to": to, "amount": amount}).to_string();
        let path = format!("/v1/sellers/{from}/moves?wait=10");
        assert_eq!(service.once(&admin, &path, &format!("m-{to}"), &body).status, 201);
    }
    let limits = json!({"limits": {"pin_above": "200"}, "low_mark": "950"}).to_string();
    let path = format!("/v1/sellers/{}", shop.0);
    assert_eq!(service.api(&admin, "PATCH", &path, &limits).status, 200);
    for (seller, login, role) in [
        (shop.0, "ali", "owner"),
        (shop.0, "sana", "cashier"),
        (distributor.0, "omar", "manager"),
    ] {
        let path = format!("/v1/sellers/{seller}/staff/{login}");
        let body = json!({"name": login, "role": role, "pin": "2580"}).to_string();
        assert_eq!(service.api(&admin, "PUT", &path, &body).status, 204);
        let body = json!({"old": "2580", "new": PIN}).to_string();
        let answer = service.api(&admin, "POST", &format!("{path}/pin"), &body);
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    Outlet {
        service,
        distributor,
        shop,
    }
}

impl Outlet {
    pub fn enter<'a>(&'a self, seller: u64, login: &str) -> Client<'a> {
        let mut client = Client::new(&self.service);
        client.get("/pos/sign-in");
        let answer = client.post(
            "/pos/sign-in",
            &format!("seller={seller}&staff={login}&pin={PIN}"),
        );
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/pos"),
            "{}",
            answer.body
        );
        client.get("/pos");
        client
    }

    pub fn float(&self) -> String {
        let path = format!("/v1/sellers/{}", self.shop.0);
        let seller = self.service.api(&self.service.admin, "GET", &path, "").json();
        seller["float"].as_str().unwrap().to_owned()
    }
}
