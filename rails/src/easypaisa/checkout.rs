//! What comes and goes through browsers, and IPNs.

use super::{Easypaisa, signature};
use crate::form::Fields;
use crate::http::{HttpAnswer, HttpRequest, Method, Transport};
use crate::json::Object;
use crate::limits::CALL_MS;
use crate::pkr;
use crate::rail::{Begun, Heard, Order, RailError, Told};
use charge::payment::{PaymentId, Statement};

/// Longest token between the two legs.
const TOKEN_MAX: usize = 512;
/// Longest address in an IPN.
const ADDRESS_MAX: usize = 512;

impl Easypaisa {
    /// The first leg: the form that the payer's browser sends to Easypaisa's page.
    pub(super) fn page(&self, order: &Order) -> Result<Begun, RailError> {
        let config = &self.config;
        let key = config.hash_key.as_ref().ok_or(RailError::Unsupported)?;
        let amount = pkr::rupees(order.price)?;
        let id = order.id.to_string();
        let expiry = pkr::pkt("%Y%m%d %H%M%S", order.expires_at);
        let mobile = order.payer.wallet.map_or(Ok(String::new()), pkr::national)?;
        let email = order.payer.email.clone().unwrap_or_default();
        let back = confirm_url(&order.return_url);
        let fields = [
            ("storeId", config.store_id.as_str()),
            ("amount", &amount),
            ("postBackURL", &back),
            ("orderRefNum", &id),
            ("expiryDate", &expiry),
            ("autoRedirect", "1"),
            ("paymentMethod", &config.payment_method),
            ("emailAddr", &email),
            ("mobileNum", &mobile),
        ];
        let hashed = signature::ciphered(key, &signature::plain(&fields)).ok_or(RailError::Unsupported)?;
        let mut form: Vec<(String, String)> = fields
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        form.push(("merchantHashedReq".to_owned(), hashed));
        Ok(Begun::Form {
            url: config.host.url("/easypay/Index.jsf"),
            fields: form,
            said: Statement::Presented {
                reference: String::new(),
            },
        })
    }

    /// The second leg: the browser came with a token and goes back with it. Which payment it is about is not said.
    pub(super) fn second_leg(&self, request: &HttpRequest) -> Result<Heard, RailError> {
        let fields = fields(request)?;
        let token = fields
            .one("auth_token")
            .ok_or(RailError::Malformed("auth_token"))?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte);
        if token.is_empty() || token.len() > TOKEN_MAX || !token.bytes().all(letters) {
            return Err(RailError::Malformed("auth_token"));
        }
        // The path and query are what the web server saw, so the way back is on this very site.
        let path = request.url.split('?').next().unwrap_or("");
        let site = match &self.config.public_url {
            Some(site) => site.origin().to_owned(),
            None => {
                let host = request.header("host").ok_or(RailError::Malformed("host"))?;
                let scheme = if self.config.host.is_loopback() {
                    "http"
                } else {
                    "https"
                };
                format!("{scheme}://{host}")
            }
        };
        let back = format!("{site}{}", return_path(path));
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:/[]_".contains(&byte);
        if !back.bytes().all(safe) {
            return Err(RailError::Malformed("address"));
        }
        Ok(Heard {
            about: None,
            told: Told::Ask,
            answer: self.onward(token, &back),
        })
    }

    /// A page with one button and nothing else; it needs no script and allows none.
    fn onward(&self, token: &str, back: &str) -> HttpAnswer {
        let origin = self.config.host.origin();
        let action = self.config.host.url("/easypay/Confirm.jsf");
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Easypaisa</title></head><body>\
             <form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"auth_token\" value=\"{token}\">\
             <input type=\"hidden\" name=\"postBackURL\" value=\"{back}\">\
             <p><button autofocus>Continue · <span lang=\"ur\" dir=\"rtl\">جاری رکھیں</span> · <span lang=\"zh\">继续</span></button></p>\
             </form></body></html>"
        );
        let policy =
            format!("default-src 'none'; form-action {origin}; base-uri 'none'; frame-ancestors 'none'");
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", &policy),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ];
        HttpAnswer {
            status: 200,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: body.into_bytes(),
        }
    }

    /// An IPN is an address at which Easypaisa says which order has changed. It is fetched if it is Easypaisa's own, and then
    /// the order is inquired about: nothing else is believed.
    pub(super) async fn notified(
        &self,
        io: &dyn Transport,
        request: &HttpRequest,
    ) -> Result<Heard, RailError> {
        let fields = fields(request)?;
        let address = fields.one("url").ok_or(RailError::Malformed("url"))?;
        let named = self.allowed(address).ok_or(RailError::NotGenuine("address"))?;
        let answer = io
            .send(HttpRequest {
                method: Method::Get,
                url: address.to_owned(),
                headers: vec![("accept".to_owned(), "application/json".to_owned())],
                body: Vec::new(),
                timeout_ms: CALL_MS,
            })
            .await?;
        if answer.status != 200 {
            return Err(crate::TransportError::Unknown.into());
        }
        let status = Object::parse(&answer.body)?;
        let id = status.text("order_id")?.as_deref().and_then(PaymentId::parse);
        if id != Some(named)
            || status
                .text("store_id")?
                .is_some_and(|store| store != self.config.store_id)
        {
            return Err(RailError::NotGenuine("order"));
        }
        Ok(Heard {
            about: id,
            told: match self.ask(io, named, false).await {
                Ok(Statement::Pending { .. }) | Err(_) => Told::Ask,
                Ok(said) => Told::Said(said),
            },
            answer: HttpAnswer::empty(),
        })
    }

    /// The order that an address names, when it is an address at Easypaisa and nothing cleverer.
    fn allowed(&self, address: &str) -> Option<PaymentId> {
        let rest = address.strip_prefix(self.config.host.origin())?;
        let rest = rest.strip_prefix(&self.config.ipn_path)?;
        let (account, order) = rest.split_once('/')?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (address.len() <= ADDRESS_MAX && plain(account) && plain(order))
            .then(|| PaymentId::parse(order))
            .flatten()
    }
}

/// The fields of a query or a form.
pub(super) fn fields(request: &HttpRequest) -> Result<Fields, RailError> {
    match request.method {
        Method::Get => Fields::of_url(&request.url),
        Method::Post => Fields::parse(&request.body),
    }
}

/// Where the first leg comes back to: beside the return address.
fn confirm_url(return_url: &str) -> String {
    match return_url.strip_suffix("/return") {
        Some(base) => format!("{base}/confirm"),
        None => return_url.to_owned(),
    }
}

fn return_path(path: &str) -> String {
    match path.strip_suffix("/confirm") {
        Some(base) => format!("{base}/return"),
        None => path.to_owned(),
    }
}
