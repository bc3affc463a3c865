//! People and devices of an outlet.

use super::super::auth::Caller;
use super::super::json::{Json, Moment, short_text};
use super::seen;
use crate::chain::{change, pin, sale};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::seller::{Device, Role, SellerChange, Staff};
use charge::{Code, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody who works at an outlet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StaffAnswer {
    /// Login under the outlet.
    pub code: String,
    /// Name for people.
    pub name: String,
    /// cashier, manager or owner.
    pub role: String,
    /// There is a PIN.
    pub pin: bool,
    /// The PIN must be changed at the first use.
    pub change: bool,
    /// Too many wrong PINs: somebody must give a new one.
    pub locked: bool,
}

impl StaffAnswer {
    pub(super) fn of(staff: &Staff) -> StaffAnswer {
        StaffAnswer {
            code: staff.code.to_string(),
            name: staff.name.clone(),
            role: staff.role.name().to_owned(),
            pin: !staff.pin.is_empty(),
            change: staff.change,
            locked: staff.is_locked(),
        }
    }
}

/// A device of an outlet, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceAnswer {
    /// Name in lists.
    pub code: String,
    /// When it was bound.
    pub bound_at: Moment,
}

impl DeviceAnswer {
    pub(super) fn of(device: &Device) -> DeviceAnswer {
        DeviceAnswer {
            code: device.code.to_string(),
            bound_at: Moment(device.bound_at),
        }
    }
}

/// Somebody to work at an outlet.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffBody {
    /// Name for people.
    pub name: String,
    /// cashier, manager or owner.
    pub role: String,
    /// First PIN, 4 to 8 digits; it must be changed at the first use.
    #[serde(default)]
    pub pin: Option<String>,
}

/// Add somebody who works at an outlet, or change name and role
#[utoipa::path(put, path = "/v1/sellers/{id}/staff/{staff}", tag = "sellers", request_body = StaffBody,
    params(("id" = String, Path, description = "The seller, or `me`"), ("staff" = String, Path, description = "The login")),
    responses((status = 204)))]
pub async fn put_staff(
    State(web): State<Web>,
    caller: Caller,
    Path((id, staff)): Path<(String, String)>,
    Json(body): Json<StaffBody>,
) -> Result<StatusCode, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let code = login(&staff)?;
    short_text(&body.name, "name", limits::NAME_BYTES_MAX)?;
    let role = Role::from_name(&body.role)
        .ok_or_else(|| Problem::field(Fault::BadField, "role").hint("cashier, manager or owner"))?;
    let id = seller.place.id;
    let new = Staff {
        code,
        name: body.name,
        role,
        pin: String::new(),
        change: true,
        strikes: 0,
    };
    change(&web, id, SellerChange::Staff(new), by).await?;
    if let Some(first) = &body.pin {
        pin::give(&web, id, code, first, by).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn login(text: &str) -> Result<Code, Problem> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    Code::new(text)
        .filter(|code| !code.is_empty() && text.bytes().all(good))
        .ok_or_else(|| {
            Problem::field(Fault::BadField, "staff").hint("lower case letters, digits and hyphens")
        })
}

/// Remove somebody who works at an outlet
#[utoipa::path(delete, path = "/v1/sellers/{id}/staff/{staff}", tag = "sellers",
    params(("id" = String, Path, description = "The seller, or `me`"), ("staff" = String, Path, description = "The login")),
    responses((status = 204)))]
pub async fn remove_staff(
    State(web): State<Web>,
    caller: Caller,
    Path((id, staff)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let gone = SellerChange::StaffRemoved(login(&staff)?);
    change(&web, seller.place.id, gone, by).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new PIN.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinBody {
    /// The PIN that there is, when its owner changes it; left out: somebody above gives a new one.
    #[serde(default)]
    pub old: Option<String>,
    /// The new one, 4 to 8 digits.
    pub new: String,
}

/// Change a PIN, or give a new one
///
/// With `old` it is the owner's own change. Without, it is a new first PIN that unlocks and must be changed at its first use.
#[utoipa::path(post, path = "/v1/sellers/{id}/staff/{staff}/pin", tag = "sellers", request_body = PinBody,
    params(("id" = String, Path, description = "The seller, or `me`"), ("staff" = String, Path, description = "The login")),
    responses((status = 204)))]
pub async fn set_pin(
    State(web): State<Web>,
    caller: Caller,
    Path((id, staff)): Path<(String, String)>,
    Json(body): Json<PinBody>,
) -> Result<StatusCode, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let (id, code) = (seller.place.id, login(&staff)?);
    match &body.old {
        Some(old) => pin::change_own(&web, id, code, (old, &body.new)).await?,
        None => pin::give(&web, id, code, &body.new, by).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A device to bind.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    /// IMEI or another secret that the device shows with each sale; left out: one is made.
    #[serde(default)]
    pub secret: Option<String>,
}

/// A bound device.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct BoundDevice {
    /// Name in lists.
    pub code: String,
    /// What the device shows with each sale; shown once, when it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Bind a device to an outlet
#[utoipa::path(put, path = "/v1/sellers/{id}/devices/{device}", tag = "sellers", request_body = DeviceBody,
    params(("id" = String, Path, description = "The seller, or `me`"), ("device" = String, Path, description = "Name of it")),
    responses((status = 200, body = BoundDevice)))]
pub async fn put_device(
    State(web): State<Web>,
    caller: Caller,
    Path((id, device)): Path<(String, String)>,
    Json(body): Json<DeviceBody>,
) -> Result<Json<BoundDevice>, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let code = login(&device).map_err(|_| Problem::field(Fault::BadField, "device"))?;
    let made = body.secret.is_none();
    let secret = body
        .secret
        .unwrap_or_else(|| URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    short_text(&secret, "secret", limits::NAME_BYTES_MAX)?;
    let bound = Device {
        code,
        hash: sale::device_hash(&secret),
        bound_at: web.now(),
    };
    change(&web, seller.place.id, SellerChange::Device(bound), by).await?;
    Ok(Json(BoundDevice {
        code: code.to_string(),
        secret: made.then_some(secret),
    }))
}

/// Remove a device from an outlet
#[utoipa::path(delete, path = "/v1/sellers/{id}/devices/{device}", tag = "sellers",
    params(("id" = String, Path, description = "The seller, or `me`"), ("device" = String, Path, description = "Name of it")),
    responses((status = 204)))]
pub async fn remove_device(
    State(web): State<Web>,
    caller: Caller,
    Path((id, device)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let code = Code::new(&device).ok_or(Refusal::DeviceUnknown)?;
    change(&web, seller.place.id, SellerChange::DeviceRemoved(code), by).await?;
    Ok(StatusCode::NO_CONTENT)
}
