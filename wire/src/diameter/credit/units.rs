//! Service units: what is requested, used and granted (RFC 8506 sections 8.16 to 8.30).

use crate::diameter::avp::{Avp, AvpKey, UnixSeconds, key, once};
use crate::diameter::credit::codes::{Enumerated, ReportingReason, TariffChangeUsage};
use crate::diameter::error::{Violation, ViolationResult};
use crate::diameter::writer::Writer;

/// CC-Money, Remaining-Balance or Cost-Information amount: `digits * 10^exponent` of a currency (ISO 4217 number).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyAmount {
    /// Value-Digits.
    pub digits: i64,
    /// Exponent, 0 when absent.
    pub exponent: i32,
    /// Currency-Code, for example 586 for the Pakistani rupee.
    pub currency: Option<u32>,
}

/// The units in a Requested-, Used- or Granted-Service-Unit. All absent in a request means "you decide".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceUnits {
    /// CC-Time, seconds.
    pub time_s: Option<u32>,
    /// CC-Money.
    pub money: Option<CurrencyAmount>,
    /// CC-Total-Octets.
    pub total_octets: Option<u64>,
    /// CC-Input-Octets, from the user.
    pub input_octets: Option<u64>,
    /// CC-Output-Octets, to the user.
    pub output_octets: Option<u64>,
    /// CC-Service-Specific-Units, for example messages.
    pub specific: Option<u64>,
}

impl ServiceUnits {
    /// The volume: CC-Total-Octets, or else input plus output (Open5GS sends only those).
    #[must_use]
    pub fn octets(&self) -> Option<u64> {
        self.total_octets
            .or_else(|| match (self.input_octets, self.output_octets) {
                (None, None) => None,
                (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
            })
    }

    /// Reads a group that holds nothing but units.
    pub(super) fn fill(&mut self, avp: &Avp<'_>) -> ViolationResult<()> {
        for inner in avp.group()? {
            let inner = inner?;
            if !self.take(&inner)? {
                inner.ignore()?;
            }
        }
        Ok(())
    }

    /// Takes the AVP if it is a unit.
    #[inline]
    fn take(&mut self, avp: &Avp<'_>) -> ViolationResult<bool> {
        match avp.key {
            key::CC_TIME => once(&mut self.time_s, avp.u32()?, avp)?,
            key::CC_MONEY => once(&mut self.money, parse_amount(avp)?, avp)?,
            key::CC_TOTAL_OCTETS => once(&mut self.total_octets, avp.u64()?, avp)?,
            key::CC_INPUT_OCTETS => once(&mut self.input_octets, avp.u64()?, avp)?,
            key::CC_OUTPUT_OCTETS => once(&mut self.output_octets, avp.u64()?, avp)?,
            key::CC_SERVICE_SPECIFIC_UNITS => once(&mut self.specific, avp.u64()?, avp)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        if let Some(seconds) = self.time_s {
            w.u32(key::CC_TIME, seconds);
        }
        if let Some(amount) = &self.money {
            write_amount(w, key::CC_MONEY, amount);
        }
        for (key, octets) in [
            (key::CC_TOTAL_OCTETS, self.total_octets),
            (key::CC_INPUT_OCTETS, self.input_octets),
            (key::CC_OUTPUT_OCTETS, self.output_octets),
            (key::CC_SERVICE_SPECIFIC_UNITS, self.specific),
        ] {
            if let Some(octets) = octets {
                w.u64(key, octets);
            }
        }
    }
}

/// One Used-Service-Unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsedUnits {
    /// What was used.
    pub units: ServiceUnits,
    /// Before or after a tariff change.
    pub tariff_change: Option<TariffChangeUsage>,
    /// Reporting-Reason inside the unit (TS 32.299), for one kind of quota.
    pub reporting_reason: Option<ReportingReason>,
}

impl UsedUnits {
    pub(super) fn fill(&mut self, avp: &Avp<'_>) -> ViolationResult<()> {
        let used = self;
        for inner in avp.group()? {
            let inner = inner?;
            if used.units.take(&inner)? {
                continue;
            }
            match inner.key {
                key::TARIFF_CHANGE_USAGE => {
                    once(&mut used.tariff_change, TariffChangeUsage::parse(&inner)?, &inner)?;
                }
                key::REPORTING_REASON => take_reason(&mut used.reporting_reason, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::USED_SERVICE_UNIT, |w| {
            if let Some(change) = self.tariff_change {
                w.i32(key::TARIFF_CHANGE_USAGE, change.code());
            }
            self.units.write(w);
            if let Some(reason) = self.reporting_reason {
                w.i32(key::REPORTING_REASON, reason.code());
            }
        });
    }
}

/// Reporting-Reason; a value that a later release added must not make usage go unreported, so it is passed over.
pub(super) fn take_reason(slot: &mut Option<ReportingReason>, avp: &Avp<'_>) -> ViolationResult<()> {
    match ReportingReason::from_code(avp.i32()?) {
        Some(reason) => once(slot, reason, avp),
        None => Ok(()),
    }
}

/// One Granted-Service-Unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrantedUnits {
    /// What may be used.
    pub units: ServiceUnits,
    /// Tariff-Time-Change: report separately what is used before and after this moment.
    pub tariff_time_change: Option<UnixSeconds>,
}

impl GrantedUnits {
    pub(super) fn fill(&mut self, avp: &Avp<'_>) -> ViolationResult<()> {
        let granted = self;
        for inner in avp.group()? {
            let inner = inner?;
            if granted.units.take(&inner)? {
                continue;
            }
            match inner.key {
                key::TARIFF_TIME_CHANGE => once(&mut granted.tariff_time_change, inner.time()?, &inner)?,
                _ => inner.ignore()?,
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.group(key::GRANTED_SERVICE_UNIT, |w| {
            if let Some(time) = self.tariff_time_change {
                w.time(key::TARIFF_TIME_CHANGE, time);
            }
            self.units.write(w);
        });
    }
}

/// Reads a group of Unit-Value and Currency-Code. Error: 5005 without Unit-Value or Value-Digits.
pub(super) fn parse_amount(avp: &Avp<'_>) -> ViolationResult<CurrencyAmount> {
    let (mut value, mut currency) = (None, None);
    for inner in avp.group()? {
        let inner = inner?;
        match inner.key {
            key::UNIT_VALUE => once(&mut value, parse_unit_value(&inner)?, &inner)?,
            key::CURRENCY_CODE => once(&mut currency, inner.u32()?, &inner)?,
            _ => inner.ignore()?,
        }
    }
    let (digits, exponent) = value.ok_or_else(|| Violation::missing(key::UNIT_VALUE))?;
    Ok(CurrencyAmount {
        digits,
        exponent,
        currency,
    })
}

pub(super) fn parse_unit_value(avp: &Avp<'_>) -> ViolationResult<(i64, i32)> {
    let (mut digits, mut exponent) = (None, None);
    for inner in avp.group()? {
        let inner = inner?;
        match inner.key {
            key::VALUE_DIGITS => once(&mut digits, inner.i64()?, &inner)?,
            key::EXPONENT => once(&mut exponent, inner.i32()?, &inner)?,
            _ => inner.ignore()?,
        }
    }
    let digits = digits.ok_or_else(|| Violation::missing(key::VALUE_DIGITS))?;
    Ok((digits, exponent.unwrap_or(0)))
}

pub(super) fn write_amount(w: &mut Writer<'_>, group: AvpKey, amount: &CurrencyAmount) {
    w.group(group, |w| write_amount_inside(w, amount));
}

pub(super) fn write_amount_inside(w: &mut Writer<'_>, amount: &CurrencyAmount) {
    w.group(key::UNIT_VALUE, |w| {
        w.i64(key::VALUE_DIGITS, amount.digits);
        if amount.exponent != 0 {
            w.i32(key::EXPONENT, amount.exponent);
        }
    });
    if let Some(currency) = amount.currency {
        w.u32(key::CURRENCY_CODE, currency);
    }
}
