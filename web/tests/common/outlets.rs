//! Outlets for pages to show.

use super::{Answer, Service};

/// Three in Karachi: one with an evil name that sells through the shop of the tests, one that is shut, one for the night.
pub const OUTLETS: &str = "\
id,name,name_ur,address,city,area,lat,lon,hours,breaks,holidays,services,accessible,operators,seller,phone,synthetic
near,<img src=x onerror=alert(1)>,,\"1 Street <b>\",Karachi,Saddar,24.860700,67.010400,mon-sun 09:00-21:00,fri 13:00-14:30,\
2026-12-05 closed,recharge sim,yes,jazz,2,+922100000001,2026-11-22
shut,Shut Shop,بند دکان,2 Street,Karachi,Saddar,24.861700,67.010400,mon-fri 09:00-12:00,,,recharge,no,jazz zong,,,
night,Night Kiosk,رات کی دکان,3 Street,Karachi,Clifton,24.813800,67.030000,mon-sun 16:00-02:00,,,recharge cash,no,telenor,,,
";

impl Service {
    /// Writes [`OUTLETS`].
    #[track_caller]
    pub fn has_outlets(&self) {
        let answer = self.imports_outlets(&self.admin, OUTLETS);
        assert_eq!(answer.json()["done"], true, "{answer:?}");
    }

    /// Imports a file with a key.
    pub fn imports_outlets(&self, key: &str, text: &str) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut response = agent
            .post(format!("{}/v1/outlets/import", self.url))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "text/csv")
            .send(text)
            .unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }
}
