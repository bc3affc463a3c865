//! Who pays and on which device: Subscription-Id and User-Equipment-Info (RFC 8506 sections 8.46 and 8.49).

use crate::diameter::avp::{Avp, AvpKey, key, once};
use crate::diameter::credit::codes::{Enumerated, SubscriptionIdType};
use crate::diameter::error::{Violation, ViolationResult};
use crate::diameter::writer::Writer;

/// One Subscription-Id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionId<'a> {
    /// What kind of identifier it is.
    pub kind: SubscriptionIdType,
    /// The identifier as sent.
    pub data: &'a str,
}

impl<'a> SubscriptionId<'a> {
    /// The digits of an E.164 number or IMSI, without a plus; also of a `tel:` or `sip:+..@` URI. `None` when it is not one.
    #[must_use]
    pub fn digits(&self) -> Option<&'a str> {
        match self.kind {
            SubscriptionIdType::E164 => plain_digits(self.data.strip_prefix('+').unwrap_or(self.data)),
            SubscriptionIdType::Imsi => plain_digits(self.data),
            SubscriptionIdType::SipUri => party_digits(self.data),
            SubscriptionIdType::Nai | SubscriptionIdType::Private => None,
        }
    }

    pub(super) fn parse(avp: &Avp<'a>) -> ViolationResult<Self> {
        let (mut kind, mut data) = (None, None);
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::SUBSCRIPTION_ID_TYPE => once(&mut kind, SubscriptionIdType::parse(&inner)?, &inner)?,
                key::SUBSCRIPTION_ID_DATA => once(&mut data, inner.str()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(Self {
            kind: kind.ok_or_else(|| Violation::missing(key::SUBSCRIPTION_ID_TYPE))?,
            data: data.ok_or_else(|| Violation::missing(key::SUBSCRIPTION_ID_DATA))?,
        })
    }

    /// Subscription-Id-Extension (RFC 8506 section 8.58); `None` when it holds nothing that we know.
    pub(super) fn parse_extension(avp: &Avp<'a>) -> ViolationResult<Option<Self>> {
        let mut id = None;
        for inner in avp.group()? {
            let inner = inner?;
            let kind = match inner.key {
                key::SUBSCRIPTION_ID_E164 => SubscriptionIdType::E164,
                key::SUBSCRIPTION_ID_IMSI => SubscriptionIdType::Imsi,
                key::SUBSCRIPTION_ID_SIP_URI => SubscriptionIdType::SipUri,
                key::SUBSCRIPTION_ID_NAI => SubscriptionIdType::Nai,
                key::SUBSCRIPTION_ID_PRIVATE => SubscriptionIdType::Private,
                _ => {
                    inner.ignore()?;
                    continue;
                }
            };
            once(
                &mut id,
                Self {
                    kind,
                    data: inner.str()?,
                },
                &inner,
            )?;
        }
        Ok(id)
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::SUBSCRIPTION_ID, |w| {
            w.i32(key::SUBSCRIPTION_ID_TYPE, self.kind.code());
            w.str(key::SUBSCRIPTION_ID_DATA, self.data);
        });
    }
}

/// The digits of a party in signalling: `tel:+92..`, `sip:+92..@host`, `+92..` or plain digits. `None` for names.
#[must_use]
pub fn party_digits(address: &str) -> Option<&str> {
    let rest = ["tel:", "sip:", "sips:"]
        .iter()
        .find_map(|scheme| {
            let head = address.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme)
                .then(|| &address[scheme.len()..])
        })
        .unwrap_or(address);
    let user = rest.split(['@', ';', '?']).next().unwrap_or(rest);
    plain_digits(user.strip_prefix('+').unwrap_or(user))
}

fn plain_digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())).then_some(text)
}

/// User-Equipment-Info: the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserEquipment<'a> {
    /// User-Equipment-Info-Type: 0 IMEISV, 1 MAC, 2 EUI-64, 3 modified EUI-64.
    pub kind: i32,
    /// User-Equipment-Info-Value as sent.
    pub value: &'a [u8],
}

impl<'a> UserEquipment<'a> {
    pub(super) fn parse(avp: &Avp<'a>) -> ViolationResult<Self> {
        let (mut kind, mut value) = (None, None);
        for inner in avp.group()? {
            let inner = inner?;
            match inner.key {
                key::USER_EQUIPMENT_INFO_TYPE => once(&mut kind, inner.i32()?, &inner)?,
                key::USER_EQUIPMENT_INFO_VALUE => once(&mut value, inner.data(), &inner)?,
                _ => inner.ignore()?,
            }
        }
        let missing = |key: AvpKey| move || Violation::missing(key);
        Ok(Self {
            kind: kind.ok_or_else(missing(key::USER_EQUIPMENT_INFO_TYPE))?,
            value: value.ok_or_else(missing(key::USER_EQUIPMENT_INFO_VALUE))?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::USER_EQUIPMENT_INFO, |w| {
            w.i32(key::USER_EQUIPMENT_INFO_TYPE, self.kind);
            w.octets(key::USER_EQUIPMENT_INFO_VALUE, self.value);
        });
    }
}
