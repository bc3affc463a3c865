//! `/v1/receipts/{number}`: for keys that may read, and for the partner that sold it.

use super::find;
use super::view::{Evidence, View};
use crate::api::auth::Caller;
use crate::api::json::{Decimal, Json, Moment};
use crate::api::lookup::OperatorName;
use crate::api::quotes::Price;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use charge::Code;
use charge::catalog::Catalog;
use charge::partner::Scopes;
use charge::reply::Receipt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A receipt of a recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReceiptAnswer {
    /// Its number.
    pub number: String,
    /// When.
    pub at: Moment,
    /// The number that was recharged.
    pub msisdn: Option<String>,
    /// Its operator.
    pub operator: OperatorName,
    /// The price.
    pub price: Price,
    /// Main balance after it.
    pub balance: Option<Decimal>,
    /// The balance is valid until then.
    pub valid_until: Moment,
    /// Where it was sold.
    pub channel: String,
    /// The seller's reference; of a payment, its number.
    pub reference: String,
    /// The journal's event that it proves.
    pub event: String,
    /// What was taken back of the credit later: unused balance, and gifts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<Decimal>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_back_at: Option<Moment>,
    /// The signed text: `raseed receipt verify`, `/verify` and everybody with the public key can check it.
    pub signed: String,
    /// What its QR code holds: the address that checks it.
    pub verify_url: String,
    /// Number and short code, as in the SMS: `/verify` takes it too.
    pub check: String,
}

impl ReceiptAnswer {
    /// Of a receipt.
    pub fn of(view: &View, catalog: &Catalog, evidence: &Evidence) -> ReceiptAnswer {
        ReceiptAnswer {
            number: view.number.to_string(),
            at: Moment(view.at),
            msisdn: Some(view.msisdn.to_string()),
            operator: OperatorName::of(catalog),
            price: Price::of(
                catalog,
                (view.gross, view.fee, view.credited),
                (view.tax, view.tax_rate),
                None,
                (Code::new(&view.promotion).unwrap_or_default(), &[]),
            ),
            balance: view.balance.map(Decimal),
            valid_until: Moment(view.valid_until),
            channel: view.channel.clone(),
            reference: view.reference.clone(),
            event: view.event.clone(),
            taken_back: view.taken_back.map(|(amount, _)| Decimal(amount)),
            taken_back_at: view.taken_back.map(|(_, at)| Moment(at)),
            signed: evidence.signed.clone(),
            verify_url: evidence.verify_url.clone(),
            check: evidence.coded.clone(),
        }
    }
}

/// See a receipt
///
/// A key with the scope `read` sees every receipt of its operators, a key with `topup` those of its own sales.
#[utoipa::path(get, path = "/v1/receipts/{number}", tag = "recharge",
    params(("number" = String, Path, description = "For example R1042-7")), responses((status = 200, body = ReceiptAnswer)))]
pub async fn receipt(
    State(web): State<Web>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<ReceiptAnswer>, Problem> {
    let reads = caller.scopes.allows(Scopes::READ);
    if !reads {
        caller.require(Scopes::TOP_UP)?;
    }
    let number = Receipt::parse(&number).ok_or(Fault::NoSuchReceipt)?;
    let found = find(&web, number, false).await?;
    let (view, catalog) = found.ok_or(Fault::NoSuchReceipt)?;
    caller
        .may_see(catalog.operator)
        .map_err(|_| Fault::NoSuchReceipt)?;
    if !reads && !sold_by(&web, &caller, &view).await? {
        return Err(Fault::NoSuchReceipt.into());
    }
    let evidence = Evidence::of(&view, &web, catalog);
    Ok(Json(ReceiptAnswer::of(&view, catalog, &evidence)))
}

/// Whether the caller sold it: the reference of a sale is the id of its top-up. That the top-up itself knows of its credit
/// comes a moment later, from another partition, and is not waited for.
async fn sold_by(web: &Web, caller: &Caller, view: &View) -> Result<bool, Problem> {
    let Ok(id) = u128::from_str_radix(&view.reference, 16) else {
        return Ok(false);
    };
    let (partner, number) = (caller.partner.id, view.number);
    let top_up = web
        .parts
        .reads
        .ask(move |reader| reader.models.top_up(id))
        .await?;
    Ok(top_up.is_some_and(|row| {
        row.partner == partner
            && row.account == number.account
            && row.credit.is_none_or(|credit| credit.receipt == number)
    }))
}
