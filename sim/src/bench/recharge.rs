//! Guests who recharge over HTTP: each brings no cookie, reads the price, confirms, and is credited before the answer comes.
//!
//! Guests come from many loopback addresses, so that the server's limit for each address stays as it is for everybody.

use super::Plan;
use super::report::Latencies;
use crate::rails::browser::form_encode;
use parking_lot::Mutex;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Addresses that guests come from.
const ADDRESSES: u8 = 64;
/// Recharges per second without `--rate`.
const RATE: u64 = 1_000;
/// What a guest pays.
const AMOUNT: &str = "100";
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to load.
#[derive(Clone, Debug)]
pub struct Target {
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// The rail that guests choose; it asks for a wallet number.
    pub rail: String,
    /// The first number; others follow.
    pub msisdn: u64,
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// From the planned moment to the answer of the confirmation.
    pub latencies: Latencies,
    /// Length of the measurement.
    pub elapsed: Duration,
    /// Planned per second.
    pub rate: u64,
    /// The first thing that went wrong, if anything did.
    pub first_error: Option<String>,
}

#[derive(Default)]
struct Tally {
    latencies: Latencies,
    first_error: Option<String>,
}

/// Runs the load: warm-up, measurement, and waits for what is on its way.
///
/// # Errors
/// The clients cannot be set up.
pub async fn run(plan: &Plan, target: &Target) -> Result<Measured, String> {
    let clients: Result<Vec<reqwest::Client>, reqwest::Error> = (1..=ADDRESSES).map(client).collect();
    let clients = clients.map_err(|error| error.to_string())?;
    let rate = plan.rate.unwrap_or(RATE);
    let slots = Arc::new(Semaphore::new(plan.outstanding));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let numbers = plan.hot.unwrap_or(plan.subscribers).max(1);
    let began = Instant::now();
    let from = began + plan.warm_up();
    let until = from + plan.measure;
    let mut number = 0u64;
    loop {
        let planned = began + Duration::from_nanos(1_000_000_000 / rate.max(1) * number);
        if planned >= until {
            break;
        }
        tokio::time::sleep_until(planned.into()).await;
        // A server that does not keep up holds the plan up; the latency counts from the plan all the same.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let client = clients[usize::try_from(number).unwrap_or(0) % clients.len()].clone();
        let msisdn = target.msisdn + number % numbers;
        let (target, tally) = (target.clone(), Arc::clone(&tally));
        tokio::spawn(async move {
            let outcome = recharge(&client, &target, msisdn).await;
            let mut tally = tally.lock();
            match outcome {
                Ok(()) if planned >= from => {
                    let micros = planned.elapsed().as_micros();
                    tally.latencies.record(u64::try_from(micros).unwrap_or(u64::MAX));
                }
                Ok(()) => {}
                Err(error) => {
                    tally.latencies.errors += 1;
                    tally.first_error.get_or_insert(error);
                }
            }
            drop(slot);
        });
        number += 1;
    }
    let all = u32::try_from(plan.outstanding).unwrap_or(u32::MAX);
    let _ended = tokio::time::timeout(2 * PATIENCE, slots.acquire_many(all)).await;
    let elapsed = from.elapsed();
    let mut tally = tally.lock();
    Ok(Measured {
        latencies: std::mem::take(&mut tally.latencies),
        elapsed,
        rate,
        first_error: tally.first_error.take(),
    })
}

fn client(last: u8) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .local_address(IpAddr::V4(Ipv4Addr::new(127, 0, 1, last)))
        .timeout(PATIENCE)
        .build()
}

/// One guest.
async fn recharge(client: &reqwest::Client, target: &Target, msisdn: u64) -> Result<(), String> {
    let text = |error: reqwest::Error| error.to_string();
    let url = format!("{}/recharge?number={msisdn}&amount={AMOUNT}", target.url);
    let review = client.get(url).send().await.map_err(text)?;
    let cookies: Vec<String> = review
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    let status = review.status();
    let page = review.text().await.map_err(text)?;
    let (Some(form), Some(ticket)) = (hidden(&page, "form"), hidden(&page, "ticket")) else {
        return Err(format!("{status}: no ticket on the page"));
    };
    let fields = [
        ("form", form),
        ("ticket", ticket),
        ("rail", target.rail.as_str()),
        ("confirm", "yes"),
        ("wallet", "03411728699"),
        ("cnic", "345678"),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = client
        .post(format!("{}/recharge/pay", target.url))
        .header("cookie", cookies.join("; "))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form_encode(&fields))
        .send()
        .await
        .map_err(text)?;
    let location = answer.headers().get("location");
    let begun = location.is_some_and(|to| to.as_bytes().starts_with(b"/pay/"));
    begun
        .then_some(())
        .ok_or_else(|| format!("{}: no payment began", answer.status()))
}

fn hidden<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let input = format!("name=\"{name}\" value=\"");
    let from = page.rfind(&input)? + input.len();
    page[from..].split('"').next()
}
