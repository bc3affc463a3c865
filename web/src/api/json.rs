//! Bodies, amounts and times of the API.

use crate::limits;
use crate::problem::{Fault, Problem};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use charge::{Money, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A JSON body; what cannot be read is a problem document.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Json<T>, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Json(value)),
            Err(rejection) => Err(match &rejection {
                JsonRejection::MissingJsonContentType(_) => Problem::from(Fault::UnsupportedType),
                JsonRejection::BytesRejection(_) if rejection.status().as_u16() == 413 => {
                    Problem::from(Fault::BodyTooLarge)
                }
                _ => Problem::from(Fault::BadRequest).hint(rejection.body_text()),
            }),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Query parameters; what cannot be read is a problem document.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(Problem::from(Fault::BadRequest).hint(error.body_text()))
            }
            Err(_) => Err(Fault::BadRequest.into()),
        }
    }
}

/// An amount of money as a decimal string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Money);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.exact())
    }
}
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Money::parse(&text).map(Decimal).map_err(serde::de::Error::custom)
    }
}
impl PartialSchema for Decimal {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(r"^-?[0-9]{1,13}(\.[0-9]{1,6})?$"))
            .description(Some(
                "Decimal amount in the operator's currency, exact to six decimals",
            ))
            .examples(["86.956522"])
            .build();
        RefOr::T(Schema::Object(object))
    }
}
impl ToSchema for Decimal {}

/// A moment in RFC 3339, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// `None` for "never".
    pub fn unless_never(at: Timestamp) -> Option<Moment> {
        (at != Timestamp::NEVER).then_some(Moment(at))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_microsecond(self.0.0) {
            Ok(at) => serializer.collect_str(&at),
            Err(_) => serializer.collect_str(&self.0),
        }
    }
}
impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Moment(Timestamp(at.as_microsecond())))
    }
}
impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .build();
        RefOr::T(Schema::Object(object))
    }
}
impl ToSchema for Moment {}

/// A moment as text: RFC 3339, UTC.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Checks a short text for people: not empty, not too long, no control characters.
///
/// # Errors
/// [`Fault::BadField`] with the name of the field.
pub fn short_text(text: &str, field: &'static str, bytes_max: usize) -> Result<(), Problem> {
    let good = !text.trim().is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    if good {
        Ok(())
    } else {
        let hint = format!("1 to {bytes_max} bytes without control characters");
        Err(Problem::field(Fault::BadField, field).hint(hint))
    }
}

/// How many lines a caller wants.
///
/// # Errors
/// [`Fault::BadField`] outside 1 to the maximum.
pub fn page_lines(asked: Option<u32>) -> Result<u32, Problem> {
    let lines = asked.unwrap_or(limits::PAGE_LINES);
    if (1..=limits::PAGE_LINES_MAX).contains(&lines) {
        Ok(lines)
    } else {
        let hint = format!("1 to {}", limits::PAGE_LINES_MAX);
        Err(Problem::field(Fault::BadField, "limit").hint(hint))
    }
}
