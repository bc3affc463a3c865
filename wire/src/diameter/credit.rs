//! Credit control (RFC 8506, TS 32.299): typed requests and answers, borrowed from the frame.

mod answer;
mod codes;
mod information;
mod location;
mod request;
mod service;
mod subscription;
mod units;

pub use answer::{CostInformation, CreditControlAnswer};
pub use codes::{
    DirectDebitingFailureHandling, Enumerated, FailureHandling, RedirectAddressType, ReportingReason,
    RequestType, RequestedAction, RoleOfNode, SubscriptionIdType, TariffChangeUsage,
};
pub use information::{ImsInformation, MessageAddress, PsInformation, ServiceInformation, SmsInformation};
pub use location::{Plmn, UserLocation};
pub use request::{ApplicationIds, CreditControlRequest, VendorApplication};
pub use service::{ChargingService, FinalUnit, ServiceAnswer, ServiceContext, ServiceRequest};
pub use subscription::{SubscriptionId, UserEquipment, party_digits};
pub use units::{CurrencyAmount, GrantedUnits, ServiceUnits, UsedUnits};
