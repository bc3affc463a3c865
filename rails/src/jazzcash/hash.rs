//! The secure hash (reference payments 2.1), and messages as fields under it.
//!
//! The hash covers values, not names, and joins them with `&`: two messages with other names and the same row of values have the
//! same hash. So it proves that JazzCash made the values; what they mean is believed only as far as an inquiry confirms it.

use crate::form::Fields;
use crate::json::Object;
use crate::rail::RailError;
use crate::secret::{Secret, hex, same};
use crate::{HttpRequest, Method};

/// Name of the field with the hash.
pub const HASH: &str = "pp_SecureHash";

/// The text under the hash: the salt and the values of the non-empty `pp` fields in byte order of their names, joined by `&`.
pub fn text<'a>(salt: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut signed: Vec<(&str, &str)> = fields
        .into_iter()
        .filter(|(name, value)| name.starts_with("pp") && *name != HASH && !value.is_empty())
        .collect();
    signed.sort_unstable();
    let mut text = salt.to_owned();
    for (_, value) in signed {
        text.push('&');
        text.push_str(value);
    }
    text
}

/// The hash in upper case, as JazzCash prints it.
pub fn sign<'a>(salt: &Secret, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    hex(&salt.hmac(text(salt.expose(), fields).as_bytes())).to_uppercase()
}

/// Fields of a message whose hash is right, or which has none.
#[derive(PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, String)>,
    /// True when the hash is there (and right).
    pub signed: bool,
}

impl Message {
    /// The fields of an answer.
    ///
    /// # Errors
    /// See [`Message::check`].
    pub fn of_json(salt: &Secret, body: &[u8]) -> Result<Message, RailError> {
        Message::check(salt, Object::parse(body)?.strings()?)
    }

    /// The fields of a return or an IPN: JSON, a form, or the query of a GET.
    ///
    /// # Errors
    /// See [`Message::check`].
    pub fn of_request(salt: &Secret, request: &HttpRequest) -> Result<Message, RailError> {
        if request.method == Method::Post && request.body.first() == Some(&b'{') {
            return Message::of_json(salt, &request.body);
        }
        let fields = match request.method {
            Method::Post => Fields::parse(&request.body)?,
            Method::Get => Fields::of_url(&request.url)?,
        };
        Message::check(salt, fields.pairs().to_vec())
    }

    /// Checks the hash. A message without one is let through with `signed == false`, because JazzCash sends failures so.
    ///
    /// # Errors
    /// [`RailError::NotGenuine`] for a wrong hash; [`RailError::Malformed`] when a name occurs twice, or a value other than the
    /// words for people has the joint of the hash in it.
    pub fn check(salt: &Secret, fields: Vec<(String, String)>) -> Result<Message, RailError> {
        for (place, (name, value)) in fields.iter().enumerate() {
            if fields[..place].iter().any(|(other, _)| other == name) {
                return Err(RailError::Malformed("a field twice"));
            }
            let words = matches!(
                name.as_str(),
                "pp_ResponseMessage" | "pp_PaymentResponseMessage" | "pp_Description"
            );
            if name.starts_with("pp") && value.contains('&') && !words {
                return Err(RailError::Malformed("a field that could be two"));
            }
        }
        let mut message = Message {
            fields,
            signed: false,
        };
        let given = message.get(HASH).to_ascii_uppercase();
        if given.is_empty() {
            return Ok(message);
        }
        let right = sign(
            salt,
            message
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        if !same(right.as_bytes(), given.as_bytes()) {
            return Err(RailError::NotGenuine("secure hash"));
        }
        message.signed = true;
        Ok(message)
    }

    /// The value of a field; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(other, _)| other == name)
            .map_or("", |(_, value)| value)
    }

    /// The reference of the money, under either spelling that JazzCash uses.
    pub fn retrieval_reference(&self) -> &str {
        match self.get("pp_RetrievalReferenceNo") {
            "" => self.get("pp_RetreivalReferenceNo"),
            reference => reference,
        }
    }
}
