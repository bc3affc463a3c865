//! Scratch cards from the press.

use super::Service;
use serde_json::{Value, json};

/// A batch at the printer's.
pub fn made(service: &Service, count: u32) -> u32 {
    let body = json!({"operator": "jazz", "denomination": "100", "count": count, "printer": "press",
        "expires_at": "2027-11-21T00:00:00Z", "label": "test"});
    let answer = service.api(&service.admin, "POST", "/v1/card-batches", &body.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    let batch = u32::try_from(answer.json()["batch"].as_u64().unwrap()).unwrap();
    service.eventually(|| (see(service, batch)["ready"] == true).then_some(()));
    batch
}

/// A batch as the API shows it.
pub fn see(service: &Service, batch: u32) -> Value {
    let answer = service.api(&service.admin, "GET", &format!("/v1/card-batches/{batch}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Changes what cards of a batch may do.
pub fn change(service: &Service, batch: u32, body: &Value) -> Value {
    let path = format!("/v1/card-batches/{batch}/cards");
    let answer = service.api(&service.admin, "POST", &path, &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    service.eventually(|| (see(service, batch)["pending"] == 0).then_some(()));
    answer.json()
}

/// A batch whose cards are good; serial numbers and PINs.
pub fn active(service: &Service, count: u32) -> (u32, Vec<(String, String)>) {
    let batch = made(service, count);
    let path = format!("/v1/card-batches/{batch}/export");
    assert_eq!(service.api(&service.admin, "POST", &path, "").status, 200);
    change(service, batch, &json!({"state": "shipped", "dealer": "lahore-1"}));
    change(service, batch, &json!({"state": "active", "dealer": "lahore-1"}));
    (batch, service.vault.cards(batch))
}
