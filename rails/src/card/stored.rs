//! Cards that their owners left with the PSP: a setup session where the card is typed and 3-D Secure happens, and payments
//! without anybody present (`off_session`). All that we ever hold is the PSP's name for customer and card.

use super::{Card, KEY_US, locale, meaning, segment};
use crate::form::with_query;
use crate::http::Transport;
use crate::rail::{Begun, Enrolling, Enrolment, Order, RailError, Stored};
use charge::Timestamp;
use charge::payment::Statement;

/// What the PSP puts in the place of this when it sends the browser back.
const SESSION: &str = "{CHECKOUT_SESSION_ID}";
/// Longest token that is taken.
const TOKEN_MAX: usize = 160;

impl Card {
    /// A page of the PSP where somebody types a card that stays there.
    pub(super) async fn enrol(
        &self,
        io: &dyn Transport,
        enrolment: &Enrolment,
        now: Timestamp,
    ) -> Result<Enrolling, RailError> {
        let back = |went: &str| with_query(&enrolment.return_url, &[("went", went)]);
        let fields = vec![
            ("mode", "setup".to_owned()),
            ("customer_creation", "always".to_owned()),
            ("client_reference_id", enrolment.id.clone()),
            ("success_url", format!("{}&session={SESSION}", back("ok"))),
            ("cancel_url", back("no")),
            ("currency", self.currency.as_str().to_ascii_lowercase()),
            ("locale", locale(enrolment.language).to_owned()),
        ];
        let answer = self
            .call(io, "/v1/checkout/sessions", Some((&enrolment.id, fields)), now)
            .await?;
        let url = answer.body["url"].as_str().filter(|_| answer.status == 200);
        let url = url.ok_or(RailError::Malformed("no page for a card"))?;
        self.is_ours(url)?;
        Ok(Enrolling { url: url.to_owned() })
    }

    /// What came of it; `None`: nothing was left. A session of another enrolment is not believed.
    pub(super) async fn enrolled(
        &self,
        io: &dyn Transport,
        (id, session): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Stored>, RailError> {
        let path = format!(
            "/v1/checkout/sessions/{}?expand%5B%5D=setup_intent.payment_method",
            segment(session)?
        );
        let answer = self.call(io, &path, None, now).await?;
        let body = &answer.body;
        if answer.status != 200 || body["client_reference_id"] != id || body["mode"] != "setup" {
            return Err(RailError::NotGenuine("the answer is about another session"));
        }
        let setup = &body["setup_intent"];
        let method = &setup["payment_method"];
        let names = body["customer"].as_str().zip(method["id"].as_str());
        let Some((customer, method_id)) = names.filter(|_| setup["status"] == "succeeded") else {
            return Ok(None);
        };
        let token = format!("{customer}/{method_id}");
        if token.len() > TOKEN_MAX || segment(customer).is_err() || segment(method_id).is_err() {
            return Err(RailError::Malformed("token"));
        }
        let last = method["card"]["last4"].as_str().unwrap_or_default();
        let shown: String = last.chars().filter(char::is_ascii_digit).take(4).collect();
        Ok(Some(Stored { token, shown }))
    }

    /// Takes from a stored card. The same order again, within the life of its key, is the same payment.
    pub(super) async fn charge(
        &self,
        io: &dyn Transport,
        order: &Order,
        token: &str,
        now: Timestamp,
    ) -> Result<Begun, RailError> {
        if now >= order.created_at.plus(KEY_US) {
            return Err(RailError::NotTaken("the order is too old"));
        }
        let (customer, method) = token.split_once('/').ok_or(RailError::NotTaken("no card"))?;
        let id = order.id.to_string();
        let fields = vec![
            ("amount", self.minor(order.price)?.to_string()),
            ("currency", self.currency.as_str().to_ascii_lowercase()),
            ("customer", customer.to_owned()),
            ("payment_method", method.to_owned()),
            ("off_session", "true".to_owned()),
            ("confirm", "true".to_owned()),
            ("description", order.description.clone()),
            ("metadata[payment]", id.clone()),
        ];
        let answer = self
            .call(io, "/v1/payment_intents", Some((&id, fields)), now)
            .await?;
        Ok(Begun::Said(match answer.status {
            200 => match meaning::of_intent(&answer.body, order)? {
                // Its name is needed to ask about it.
                Statement::Pending { .. } => Statement::Presented {
                    reference: meaning::id_of(&answer.body),
                },
                said => said,
            },
            status => meaning::of_refusal(status, &answer.body),
        }))
    }

    /// Asks about a payment from a stored card.
    pub(super) async fn ask_intent(
        &self,
        io: &dyn Transport,
        order: &Order,
        now: Timestamp,
    ) -> Result<Statement, RailError> {
        let path = format!(
            "/v1/payment_intents/{}?expand%5B%5D=latest_charge",
            segment(&order.presented)?
        );
        let answer = self.call(io, &path, None, now).await?;
        match answer.status {
            200 => meaning::of_intent(&answer.body, order),
            status => Ok(meaning::pending(&format!("HTTP {status}"))),
        }
    }
}
