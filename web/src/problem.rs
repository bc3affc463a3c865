//! Errors of the API: problem documents (RFC 9457) with stable numeric codes, in the caller's language.

use crate::core::CoreError;
use crate::text;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use charge::Refusal;
use charge::catalog::Language;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Longest hint: what a parser says may repeat what a stranger sent.
const HINT_CHARACTERS_MAX: usize = 200;

/// What went wrong. Codes are stable and never reused; those of [`Refusal`] come from the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The rules refused it.
    Refused(Refusal),
    /// The request cannot be read.
    BadRequest,
    /// No API key, or not a valid one.
    Unauthorized,
    /// The key may not do this.
    ScopeMissing,
    /// Somebody of staff tries what their role may not do.
    NotYourRole,
    /// There is no such address.
    NotFound,
    /// The address does not take this method.
    MethodNotAllowed,
    /// It took too long.
    Timeout,
    /// The body is too large.
    BodyTooLarge,
    /// The body is of the wrong type.
    UnsupportedType,
    /// Too many requests.
    RateLimited,
    /// The headers are too large.
    HeadersTooLarge,
    /// A field has a value that cannot be used.
    BadField,
    /// Something that looks like a card number.
    CardNumber,
    /// Not a phone number.
    BadNumber,
    /// Not the digits of a scratch card's PIN.
    BadPin,
    /// Too many wrong tries with scratch cards.
    CardsLocked,
    /// Nobody here serves the number.
    NoSubscriber,
    /// Not an amount.
    BadAmount,
    /// Idempotency-Key is missing or malformed.
    BadIdempotencyKey,
    /// The same Idempotency-Key is being worked on.
    InFlight,
    /// The quote is not ours, too old, or of another request.
    QuoteInvalid,
    /// The price is not what was quoted any more.
    QuoteChanged,
    /// The same number was recharged with the same amount a moment ago.
    RecentlyRecharged,
    /// There is no such top-up.
    NoSuchTopUp,
    /// There is no such receipt.
    NoSuchReceipt,
    /// There is no such event.
    NoSuchEvent,
    /// There is no such partner.
    NoSuchPartner,
    /// There is no such callback.
    NoSuchCallback,
    /// A day that can still change.
    DayNotOver,
    /// Too busy.
    Busy,
    /// The outcome is not known.
    OutcomeUnknown,
    /// Our own mistake.
    Internal,
}

impl Fault {
    /// Every fault of this crate's own.
    pub const OWN: [Fault; 32] = [
        Fault::BadPin,
        Fault::CardsLocked,
        Fault::CardNumber,
        Fault::BadRequest,
        Fault::Unauthorized,
        Fault::ScopeMissing,
        Fault::NotYourRole,
        Fault::NotFound,
        Fault::MethodNotAllowed,
        Fault::Timeout,
        Fault::BodyTooLarge,
        Fault::UnsupportedType,
        Fault::RateLimited,
        Fault::HeadersTooLarge,
        Fault::BadField,
        Fault::BadNumber,
        Fault::NoSubscriber,
        Fault::BadAmount,
        Fault::BadIdempotencyKey,
        Fault::InFlight,
        Fault::QuoteInvalid,
        Fault::QuoteChanged,
        Fault::RecentlyRecharged,
        Fault::NoSuchTopUp,
        Fault::NoSuchReceipt,
        Fault::NoSuchEvent,
        Fault::NoSuchPartner,
        Fault::NoSuchCallback,
        Fault::DayNotOver,
        Fault::Busy,
        Fault::OutcomeUnknown,
        Fault::Internal,
    ];

    /// Stable code, HTTP status, name in the problem's type and in the sentences.
    pub fn spec(self) -> (u32, u16, &'static str) {
        match self {
            Fault::Refused(refusal) => {
                let (status, name) = refused(refusal);
                (refusal.code(), status, name)
            }
            Fault::BadRequest => (1_000_400, 400, "bad-request"),
            Fault::Unauthorized => (1_000_401, 401, "unauthorized"),
            Fault::ScopeMissing => (1_000_402, 403, "scope-missing"),
            Fault::NotYourRole => (1_000_406, 403, "not-your-role"),
            Fault::NotFound => (1_000_404, 404, "not-found"),
            Fault::MethodNotAllowed => (1_000_405, 405, "method-not-allowed"),
            Fault::Timeout => (1_000_408, 408, "timeout"),
            Fault::BodyTooLarge => (1_000_413, 413, "body-too-large"),
            Fault::UnsupportedType => (1_000_415, 415, "unsupported-type"),
            Fault::RateLimited => (1_000_429, 429, "rate-limited"),
            Fault::HeadersTooLarge => (1_000_431, 431, "headers-too-large"),
            Fault::BadField => (1_000_422, 422, "bad-field"),
            Fault::CardNumber => (1_000_423, 422, "card-number"),
            Fault::BadPin => (1_005_090, 422, "bad-pin"),
            Fault::CardsLocked => (1_005_091, 429, "cards-locked"),
            Fault::BadNumber => (1_005_001, 422, "bad-number"),
            Fault::NoSubscriber => (1_005_002, 404, "no-subscriber"),
            Fault::BadAmount => (1_003_010, 422, "bad-amount"),
            Fault::BadIdempotencyKey => (1_007_012, 400, "bad-idempotency-key"),
            Fault::InFlight => (1_007_011, 409, "in-flight"),
            Fault::QuoteInvalid => (1_007_020, 409, "quote-invalid"),
            Fault::QuoteChanged => (1_007_021, 409, "quote-changed"),
            Fault::RecentlyRecharged => (1_007_030, 409, "phone-recently-recharged"),
            Fault::NoSuchTopUp => (1_008_004, 404, "no-such-top-up"),
            Fault::NoSuchReceipt => (1_008_007, 404, "no-such-receipt"),
            Fault::NoSuchEvent => (1_008_008, 404, "no-such-event"),
            Fault::NoSuchPartner => (1_008_009, 404, "no-such-partner"),
            Fault::NoSuchCallback => (1_008_021, 404, "no-such-callback"),
            Fault::DayNotOver => (1_008_022, 409, "day-not-over"),
            Fault::Busy => (1_009_503, 503, "busy"),
            Fault::OutcomeUnknown => (1_009_504, 503, "outcome-unknown"),
            Fault::Internal => (1_009_001, 500, "internal"),
        }
    }

    /// Name of the sentence: its value is the title, its attribute `.detail` what to do.
    pub fn key(self) -> String {
        format!("problem-{}", self.spec().2)
    }

    /// The fault that an HTTP status means when nobody said more.
    pub fn of_status(status: StatusCode) -> Fault {
        match status.as_u16() {
            401 => Fault::Unauthorized,
            404 => Fault::NotFound,
            405 => Fault::MethodNotAllowed,
            408 => Fault::Timeout,
            413 => Fault::BodyTooLarge,
            415 => Fault::UnsupportedType,
            429 => Fault::RateLimited,
            431 => Fault::HeadersTooLarge,
            503 => Fault::Busy,
            400..=499 => Fault::BadRequest,
            _ => Fault::Internal,
        }
    }
}

fn refused(refusal: Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::NoSuchAccount => (404, "no-such-account"),
        Refusal::AccountNotActive => (409, "account-not-active"),
        Refusal::Conflict => (422, "idempotency-conflict"),
        Refusal::ExternalIdUsed => (409, "external-id-used"),
        Refusal::AmountTooSmall => (422, "amount-too-small"),
        Refusal::AmountTooLarge => (422, "amount-too-large"),
        Refusal::InsufficientFloat => (402, "insufficient-float"),
        Refusal::DailyLimit => (409, "daily-limit"),
        Refusal::PartnerNotActive => (403, "partner-not-active"),
        Refusal::OperatorNotAllowed => (403, "operator-not-allowed"),
        Refusal::InsufficientBalance => (402, "insufficient-balance"),
        Refusal::NoSuchOffer => (404, "no-such-bundle"),
        Refusal::OfferLimit => (409, "bundle-limit"),
        Refusal::NotRenewable => (422, "not-renewable"),
        Refusal::NumberTaken => (409, "number-taken"),
        Refusal::ImsiTaken => (409, "imsi-taken"),
        Refusal::NoSuchOperator => (404, "no-such-operator"),
        Refusal::PartnerExists => (409, "partner-exists"),
        Refusal::BadKey => (409, "bad-key"),
        Refusal::TooMany => (409, "too-many"),
        Refusal::TooOld => (409, "too-old"),
        Refusal::BadTransition => (409, "bad-transition"),
        Refusal::NoSuchPayment => (404, "no-such-payment"),
        Refusal::PaymentState => (409, "payment-state"),
        Refusal::NothingLeft => (409, "nothing-left"),
        Refusal::PriceChanged => (409, "price-changed"),
        Refusal::FundsUsedUp => (409, "funds-used-up"),
        Refusal::NoCallbackSecret => (409, "no-callback-secret"),
        Refusal::OperatorUnavailable => (503, "operator-unavailable"),
        Refusal::Duplicated => (409, "duplicated"),
        Refusal::Declined => (409, "declined"),
        Refusal::OperatorFailure => (502, "operator-failure"),
        Refusal::NoSuchRule => (404, "no-such-rule"),
        Refusal::BadRule => (422, "bad-rule"),
        Refusal::NotReversible => (409, "not-reversible"),
        Refusal::SecondPerson => (403, "second-person"),
        Refusal::NoSuchSeller => (404, "no-such-seller"),
        Refusal::SellerExists => (409, "seller-exists"),
        Refusal::NoSuchStaff => (404, "no-such-staff"),
        Refusal::BadGrade => (422, "bad-grade"),
        Refusal::MoveNotAllowed => (403, "stock-move-not-allowed"),
        Refusal::SellerBlocked => (403, "seller-blocked"),
        Refusal::NotBelow => (403, "not-below"),
        Refusal::PinNeeded => (403, "pin-needed"),
        Refusal::WrongPin => (403, "wrong-pin"),
        Refusal::PinLocked => (403, "pin-locked"),
        Refusal::PinChange => (403, "pin-change"),
        Refusal::DeviceUnknown => (403, "device-unknown"),
        Refusal::RepeatedSale => (409, "repeated-sale"),
        Refusal::MonthlyLimit => (409, "monthly-limit"),
        Refusal::CountLimit => (409, "count-limit"),
        Refusal::NoSuchCard => (404, "no-such-card"),
        Refusal::CardUsed => (409, "card-used"),
        Refusal::CardNotActive => (409, "card-not-active"),
        Refusal::CardRecalled => (409, "card-recalled"),
        Refusal::CardStolen => (409, "card-stolen"),
        Refusal::CardExpired => (409, "card-expired"),
        Refusal::NoSuchCardBatch => (404, "no-such-card-batch"),
        Refusal::NoSuchDenomination => (422, "no-such-denomination"),
    }
}

/// An error on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub fault: Fault,
    /// The field of the request that is meant, if one is.
    pub field: Option<&'static str>,
    /// More, in English, from a parser.
    pub hint: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with a field.
    pub fn field(fault: Fault, field: &'static str) -> Problem {
        Problem {
            field: Some(field),
            ..Problem::from(fault)
        }
    }

    /// With what a parser said.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        let hint: String = hint.into();
        self.hint = Some(hint.chars().take(HINT_CHARACTERS_MAX).collect());
        self
    }

    /// Too many requests; try again after that time.
    pub fn rate_limited(wait: Duration) -> Problem {
        Problem {
            retry_after: Some(wait),
            ..Problem::from(Fault::RateLimited)
        }
    }

    /// The document in a language.
    pub fn document(&self, language: Language, instance: &str) -> ProblemDocument {
        let (code, status, name) = self.fault.spec();
        let key = self.fault.key();
        ProblemDocument {
            kind: format!("urn:raseed:problem:{name}"),
            title: text::plain(language, &key, &[]),
            status,
            detail: text::plain(language, &format!("{key}.detail"), &[]),
            code,
            instance: instance.to_owned(),
            field: self.field.map(str::to_owned),
            hint: self.hint.clone(),
        }
    }

    /// The answer to an API call.
    pub fn answer(&self, language: Language, instance: &str) -> Response {
        let document = self.document(language, instance);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Retry-After in whole seconds, rounded up.
    pub fn retry_after_s(&self) -> Option<u64> {
        let wait = match self.fault {
            Fault::Busy | Fault::InFlight | Fault::OutcomeUnknown => {
                self.retry_after.or(Some(Duration::from_secs(1)))
            }
            _ => self.retry_after,
        };
        wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem {
            fault,
            field: None,
            hint: None,
            retry_after: None,
        }
    }
}
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem::from(Fault::Refused(refusal))
    }
}
impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Problem {
        Problem::from(match error {
            CoreError::Refused(refusal) => Fault::Refused(refusal),
            CoreError::Busy => Fault::Busy,
            CoreError::Unavailable => Fault::OutcomeUnknown,
        })
    }
}

impl IntoResponse for Problem {
    /// Leaves the words to the outermost layer, which knows the language.
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.fault.spec().1)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An error of the API (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// Name of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in the language of the request.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What to do about it, in the language of the request.
    pub detail: String,
    /// Stable numeric code: decide on this.
    pub code: u32,
    /// The request it belongs to.
    pub instance: String,
    /// The field that is meant, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// More for developers, in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_has_its_own_code_and_words_in_every_language() {
        let refusals = Refusal::ALL
            .into_iter()
            .map(|(refusal, _)| Fault::Refused(refusal));
        let all: Vec<Fault> = Fault::OWN.into_iter().chain(refusals).collect();
        let codes: BTreeSet<u32> = all.iter().map(|fault| fault.spec().0).collect();
        assert_eq!(codes.len(), all.len());
        for fault in all {
            for language in Language::ALL {
                let document = Problem::from(fault).document(language, "/v1");
                assert!(!document.title.contains("problem-"), "{fault:?} in {language:?}");
                assert!(!document.detail.contains("problem-"), "{fault:?} in {language:?}");
            }
        }
    }
}
