//! A shop with a till, and outlets to find: all invented, for people to try when the story has been told.

use super::stage::Stage;
use super::story::{World, word};
use crate::client::Client;
use crate::commands::outlet;
use anyhow::Context as _;
use serde_json::{Value, json};

/// Outlets that are invented, with the date on which they were. `SHOP` is the one with the till.
const OUTLETS: &str = include_str!("../../demo/outlets.csv");
/// The PIN of everybody who works in the shop.
pub const PIN: &str = "7391";
/// The first PIN, which is only good for choosing another one.
const FIRST_PIN: &str = "2580";
/// Who works there: login, name, role.
const PEOPLE: [(&str, &str, &str); 2] = [("ali", "Ali", "owner"), ("sana", "Sana", "cashier")];
/// Saddar in Karachi, micro-degrees.
const SADDAR: (i32, i32) = (24_860_700, 67_010_400);

/// Makes a small chain down to a shop, and writes the directory. Gives the id of the shop.
pub fn open(world: &World<'_>, stage: &mut Stage) -> anyhow::Result<u64> {
    stage.step("Invented, to try it: a shop with a till, and outlets near each other");
    let shop = chain(&world.admin, stage)?;
    for (login, name, role) in PEOPLE {
        employ(&world.admin, shop, (login, name, role))?;
        stage.item(login, role, "signs in at the till with the PIN");
    }
    find(&world.admin, shop, stage)?;
    Ok(shop)
}

/// Operator, distributor, shop; stock goes down the chain, and brings its commission.
fn chain(admin: &Client, stage: &mut Stage) -> anyhow::Result<u64> {
    let seller = |code: &str, name: &str, grade: &str, parent: Option<u64>| -> anyhow::Result<u64> {
        let body = json!({"code": code, "name": name, "grade": grade, "parent": parent});
        let made = admin.post("/v1/sellers", body).send()?;
        made["id"].as_u64().context("a seller got no id")
    };
    let root = seller("demo-stock", "Demo Stock", "operator", None)?;
    let distributor = seller("demo-distributor", "Demo Distribution", "distributor", Some(root))?;
    let shop = seller("demo-corner", "Demo Corner Shop", "retailer", Some(distributor))?;
    let fund = json!({"amount": "100000", "reference": "demo-stock-1"});
    admin
        .post(format!("/v1/partners/{root}/float"), fund)
        .once("demo-stock-1")
        .send()?;
    for (from, to, amount) in [(root, distributor, "50000"), (distributor, shop, "10000")] {
        admin
            .post(
                format!("/v1/sellers/{from}/moves"),
                json!({"to": to, "amount": amount}),
            )
            .query("wait", &10)
            .once(&format!("demo-move-{to}"))
            .send()?;
    }
    let limits = json!({"limits": {"pin_above": "1000"}, "low_mark": "1000"});
    admin.patch(format!("/v1/sellers/{shop}"), limits).send()?;
    let seller = admin.get(format!("/v1/sellers/{shop}")).send()?;
    let float = word(&seller, "float");
    stage.item(
        &format!("outlet {shop}"),
        &format!("Rs {float}"),
        "10,000 from its distributor and 2.5 % on top",
    );
    stage.check("its float holds stock and commission", float == "10250.00");
    Ok(shop)
}

fn employ(admin: &Client, shop: u64, (login, name, role): (&str, &str, &str)) -> anyhow::Result<()> {
    let path = format!("/v1/sellers/{shop}/staff/{login}");
    let person = json!({"name": name, "role": role, "pin": FIRST_PIN});
    admin.put(path.clone(), person).send()?;
    let pin = json!({"old": FIRST_PIN, "new": PIN});
    admin.post(format!("{path}/pin"), pin).send()?;
    Ok(())
}

fn find(admin: &Client, shop: u64, stage: &mut Stage) -> anyhow::Result<()> {
    let written = outlet::import(admin, &OUTLETS.replace("SHOP", &shop.to_string()))?;
    let found = admin
        .get("/v1/outlets")
        .query("lat", &SADDAR.0)
        .query("lon", &SADDAR.1)
        .send()?;
    let found: &[Value] = found.as_array().map_or(&[], Vec::as_slice);
    let metres = |one: &Value| one["distance_m"].as_u64();
    for one in found.iter().take(3) {
        let far = format!("{} m", metres(one).unwrap_or(0));
        stage.item(
            word(one, "state"),
            &far,
            &format!("{}, {}", word(one, "name"), word(one, "area")),
        );
    }
    stage.check(
        "all outlets of the file are found, the nearest first",
        written["created"].as_u64() == Some(found.len() as u64)
            && found.len() > 3
            && found.iter().all(|one| metres(one).is_some())
            && found.is_sorted_by_key(metres),
    );
    stage.check(
        "each says that it is invented, and since when",
        found.iter().all(|one| !word(one, "synthetic").is_empty()),
    );
    Ok(())
}
