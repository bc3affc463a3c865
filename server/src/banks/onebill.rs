//! 1LINK 1BILL: we are the biller, the bank calls (reference payments 2.5).
//!
//! Credit is prepaid, so an inquiry says that the number can be recharged and leaves amounts and dates blank. A payment is
//! known by number, authorization, date and time; what it did stays, and no repeat moves anything.

use super::Roll;
use super::config::{BankConfig, Duplicate, OneBillConfig};
use super::sale::{Asked, Told, sell_once};
use crate::sockets::listener::Peer;
use axum::Router;
use axum::body::{Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use charge::account::LifeCycle;
use charge::partner::Partner;
use charge::promotion::ChannelClass;
use charge::{Money, Refusal};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use web::Web;
use web::api::lookup;
use web::problem::Fault;
use web::receipt::capability::coded;

/// Longest body: a payment with all of `reserved`, twice over.
const BODY_BYTES_MAX: usize = 2_048;
/// What is longer is read that far, so that whoever sends it reads the answer too.
const DRAINED_BYTES_MAX: usize = 128 << 10;
/// It must be there within this time.
const BODY_MAX: Duration = Duration::from_secs(20);
/// Longest number of a consumer that is read.
const CONSUMER_MAX: usize = 20;
/// Longest `reserved`.
const RESERVED_MAX: usize = 515;
/// Pakistani rupees, ISO 4217.
const PKR: u16 = 586;

/// `response_Code`.
mod code {
    pub const OK: &str = "00";
    pub const NOT_FOUND: &str = "01";
    pub const BLOCKED: &str = "02";
    pub const UNKNOWN_OR_DUPLICATE: &str = "03";
    pub const INVALID_DATA: &str = "04";
}

/// The biller.
pub struct OneBill {
    web: Web,
    roll: Arc<Roll>,
    answer: Duration,
}

/// What a bank asks. Fields that are left out are blank.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Inquiry {
    consumer_number: String,
    bank_mnemonic: String,
    reserved: String,
}

/// What a bank says that was paid.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Payment {
    consumer_number: String,
    tran_auth_id: String,
    transaction_amount: String,
    tran_date: String,
    tran_time: String,
    bank_mnemonic: String,
    reserved: String,
}

/// Every field has its width; what is not said is blank.
#[derive(Clone, Debug, Serialize)]
struct Bill {
    #[serde(rename = "response_Code")]
    response_code: &'static str,
    #[serde(rename = "consumer_Detail")]
    consumer_detail: String,
    bill_status: &'static str,
    due_date: String,
    #[serde(rename = "amount_within_dueDate")]
    amount_within_due_date: String,
    #[serde(rename = "amount_after_dueDate")]
    amount_after_due_date: String,
    billing_month: String,
    date_paid: String,
    amount_paid: String,
    #[serde(rename = "tran_auth_Id")]
    tran_auth_id: String,
    reserved: &'static str,
}

impl Bill {
    fn of(response_code: &'static str) -> Bill {
        let blank = |width: usize| " ".repeat(width);
        let (detail, status) = match response_code {
            code::OK => ("PREPAID", "U"),
            code::BLOCKED => ("PREPAID", "B"),
            _ => ("", " "),
        };
        Bill {
            response_code,
            consumer_detail: format!("{detail:<30}"),
            bill_status: status,
            due_date: blank(8),
            amount_within_due_date: blank(14),
            amount_after_due_date: blank(14),
            billing_month: blank(4),
            date_paid: blank(8),
            amount_paid: blank(12),
            tran_auth_id: blank(6),
            reserved: "",
        }
    }
}

/// Exactly these three.
#[derive(Clone, Debug, Serialize)]
struct Paid {
    #[serde(rename = "response_Code")]
    response_code: &'static str,
    reserved: &'static str,
    identification_parameter: String,
}

impl Paid {
    fn of(response_code: &'static str, receipt: String) -> Paid {
        Paid {
            response_code,
            reserved: "",
            identification_parameter: receipt,
        }
    }
}

/// The routes.
pub fn router(web: Web, roll: Arc<Roll>, config: &OneBillConfig) -> Router {
    let biller = Arc::new(OneBill {
        web,
        roll,
        answer: Duration::from_secs(u64::from(config.answer_s)),
    });
    Router::new()
        .route("/api/1.0/Payments/BillInquiry", post(inquire))
        .route("/api/1.0/Payments/BillPayment", post(pay))
        .with_state(biller)
}

async fn inquire(
    State(biller): State<Arc<OneBill>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (banks, body) = match biller.message(peer.ip(), request).await {
        Ok(message) => message,
        Err(status) => return status.into_response(),
    };
    let Ok(asked) = serde_json::from_slice::<Inquiry>(&body) else {
        return axum::Json(Bill::of(code::INVALID_DATA)).into_response();
    };
    let consumer = asked.consumer_number.trim();
    let Some(bank) = named(&banks, &asked.bank_mnemonic) else {
        return axum::Json(Bill::of(code::INVALID_DATA)).into_response();
    };
    if !plain(consumer) || asked.reserved.len() > RESERVED_MAX {
        return axum::Json(Bill::of(code::INVALID_DATA)).into_response();
    }
    match biller.found(bank, consumer).await {
        Some(code) => axum::Json(Bill::of(code)).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn pay(
    State(biller): State<Arc<OneBill>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (banks, body) = match biller.message(peer.ip(), request).await {
        Ok(message) => message,
        Err(status) => return status.into_response(),
    };
    let read = serde_json::from_slice::<Payment>(&body).ok();
    let bank = read.as_ref().and_then(|paid| named(&banks, &paid.bank_mnemonic));
    let (Some(paid), Some(bank)) = (read, bank.cloned()) else {
        return axum::Json(Paid::of(code::INVALID_DATA, String::new())).into_response();
    };
    // To its end, even when the bank hangs up: a request that is dropped with its connection would leave a bundle unbought.
    let biller = Arc::clone(&biller);
    let paid = tokio::spawn(async move { biller.paid(&bank, &paid).await });
    match paid.await {
        Ok(Some(answer)) => axum::Json(answer).into_response(),
        // Not known: as if no answer had come.
        Ok(None) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl OneBill {
    /// Who may speak with these credentials from there, and what is said. Nothing is read of what a stranger says.
    async fn message(
        &self,
        address: IpAddr,
        request: Request,
    ) -> Result<(Vec<BankConfig>, Bytes), StatusCode> {
        if !self.roll.knows(address) {
            tracing::warn!(%address, "no bank pays from there");
            return Err(StatusCode::FORBIDDEN);
        }
        let headers = request.headers();
        let header = |name: &str| headers.get(name).map_or(&[][..], |value| value.as_bytes());
        let banks: Vec<BankConfig> = self
            .roll
            .credentials(header("username"), header("password"), address)
            .into_iter()
            .cloned()
            .collect();
        if banks.is_empty() {
            tracing::warn!(%address, "wrong credentials of a bank");
            return Err(StatusCode::UNAUTHORIZED);
        }
        let body = request.into_body();
        if body.size_hint().lower() > DRAINED_BYTES_MAX as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let body = tokio::time::timeout(BODY_MAX, to_bytes(body, DRAINED_BYTES_MAX)).await;
        match body {
            Ok(Ok(body)) if body.len() <= BODY_BYTES_MAX => Ok((banks, body)),
            Ok(_) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// What an inquiry is answered; `None`: nobody knows now.
    async fn found(&self, bank: &BankConfig, consumer: &str) -> Option<&'static str> {
        let found = match lookup::find(&self.web, consumer).await {
            Ok(found) => found,
            Err(problem) => return (problem.fault == Fault::BadNumber).then_some(code::NOT_FOUND),
        };
        let Ok((_, catalog)) = found.subscriber() else {
            return Some(code::NOT_FOUND);
        };
        let partner = self.web.partner(bank.partner()).await.ok()?;
        let sells =
            |partner: &Partner| partner.operators.is_empty() || partner.operators.contains(&catalog.operator);
        if !partner.as_deref().is_some_and(sells) {
            return Some(code::NOT_FOUND);
        }
        let account = self.web.account_of(found.msisdn).await.ok()?;
        Some(match account {
            Some(account) if matches!(account.state, LifeCycle::Suspended | LifeCycle::Closed) => {
                code::BLOCKED
            }
            Some(_) => code::OK,
            None => code::NOT_FOUND,
        })
    }

    async fn paid(&self, bank: &BankConfig, paid: &Payment) -> Option<Paid> {
        let refused = |code| Some(Paid::of(code, String::new()));
        let consumer = paid.consumer_number.trim();
        let moment = (paid.tran_date.as_str(), paid.tran_time.as_str());
        let authorization = paid.tran_auth_id.trim();
        let named = (1..=6).contains(&authorization.len())
            && authorization.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain(consumer) || !named || !possible(moment) || paid.reserved.len() > RESERVED_MAX {
            return refused(code::INVALID_DATA);
        }
        let amount = paid.transaction_amount.trim();
        if !amount.bytes().all(|byte| byte.is_ascii_digit()) || amount.len() > 12 {
            return refused(code::INVALID_DATA);
        }
        let paisa: i64 = amount.parse().unwrap_or(0);
        if paisa == 0 {
            return refused(code::BLOCKED);
        }
        let asked = Asked {
            partner: bank.partner(),
            key: &format!(
                "1b.{}.{consumer}.{authorization}.{}.{}",
                bank.code, moment.0, moment.1
            ),
            msisdn: consumer,
            // Twelve digits of paisa fit.
            gross: Money(paisa.saturating_mul(Money::from_units(1).0 / 100)),
            currency: PKR,
            offer: bundle(&paid.reserved),
            class: ChannelClass::Bank,
        };
        let original = bank
            .onebill
            .as_ref()
            .is_some_and(|profile| profile.duplicate == Duplicate::Original);
        match sell_once(&self.web, &asked, self.answer).await {
            Told::Sold { again: true, .. } if !original => {
                tracing::info!(bank = bank.code, "a payment came again");
                refused(code::UNKNOWN_OR_DUPLICATE)
            }
            Told::Sold { top_up, .. } => {
                // Number and short code: whoever has them can see on `/verify` that it is genuine.
                let secret = &self.web.parts.secret;
                let receipt = top_up
                    .outcome
                    .as_ref()
                    .map(|outcome| coded(secret, outcome.receipt));
                Some(Paid::of(code::OK, receipt.unwrap_or_default()))
            }
            Told::Refused(reason) => refused(code_of(reason)),
            Told::Reversed | Told::OtherBody => refused(code::UNKNOWN_OR_DUPLICATE),
            Told::Unknown => None,
        }
    }
}

fn named<'a>(banks: &'a [BankConfig], mnemonic: &str) -> Option<&'a BankConfig> {
    let mnemonic = mnemonic.trim();
    banks.iter().find(|bank| {
        bank.onebill
            .as_ref()
            .is_some_and(|profile| profile.mnemonic == mnemonic)
    })
}

fn plain(consumer: &str) -> bool {
    (1..=CONSUMER_MAX).contains(&consumer.len()) && consumer.bytes().all(|byte| byte.is_ascii_digit())
}

/// `yyyyMMdd` and `HHmmss` that exist.
fn possible((date, time): (&str, &str)) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() != 8 || time.len() != 6 || !digits(date) || !digits(time) {
        return false;
    }
    let part = |text: &str, from: usize, to: usize| text[from..to].parse::<i8>().unwrap_or(-1);
    let year = date[..4].parse::<i16>().unwrap_or(-1);
    year >= 2000
        && jiff::civil::Date::new(year, part(date, 4, 6), part(date, 6, 8)).is_ok()
        && jiff::civil::Time::new(part(time, 0, 2), part(time, 2, 4), part(time, 4, 6), 0).is_ok()
}

/// `BundleID=CODE` or `BundleID:CODE` among what else stands in `reserved`.
fn bundle(reserved: &str) -> Option<&str> {
    reserved
        .split(['|', ';', ',', '&'])
        .filter_map(|part| part.split_once(['=', ':']))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("BundleID"))
        .map(|(_, code)| code.trim())
        .filter(|code| !code.is_empty())
}

fn code_of(reason: u32) -> &'static str {
    use Refusal as R;
    let is = |fault: Fault| fault.spec().0 == reason;
    if is(Fault::NoSubscriber) || is(Fault::BadNumber) {
        return code::NOT_FOUND;
    }
    match R::from_code(reason) {
        Some(R::NoSuchAccount | R::OperatorNotAllowed | R::NoSuchOperator) => code::NOT_FOUND,
        Some(R::AccountNotActive | R::AmountTooSmall | R::AmountTooLarge) => code::BLOCKED,
        Some(R::NoSuchOffer) => code::INVALID_DATA,
        _ => code::UNKNOWN_OR_DUPLICATE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_bundles_are_read() {
        assert!(possible(("20260228", "235959")) && possible(("20280229", "000000")));
        for bad in [
            ("20260229", "120000"),
            ("20261301", "120000"),
            ("20260101", "240000"),
            ("2026010", "120000"),
            ("        ", "120000"),
            ("20260101", "12000é"),
        ] {
            assert!(!possible(bad), "{bad:?}");
        }
        assert_eq!(bundle("CNIC=1;BundleID=WEEKLY|City:Lahore"), Some("WEEKLY"));
        assert_eq!(bundle("bundleid: W1 "), Some("W1"));
        assert_eq!(
            (bundle(""), bundle("BundleID="), bundle("WEEKLY")),
            (None, None, None)
        );
    }

    #[test]
    fn every_field_of_a_bill_has_its_width() {
        for code in ["00", "01", "02", "04"] {
            let bill = serde_json::to_value(Bill::of(code)).unwrap();
            for (name, width) in [
                ("response_Code", 2),
                ("consumer_Detail", 30),
                ("bill_status", 1),
                ("due_date", 8),
                ("amount_within_dueDate", 14),
                ("amount_after_dueDate", 14),
                ("billing_month", 4),
                ("date_paid", 8),
                ("amount_paid", 12),
                ("tran_auth_Id", 6),
            ] {
                assert_eq!(bill[name].as_str().unwrap().len(), width, "{name}");
            }
        }
    }
}
