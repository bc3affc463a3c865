//! AVPs as they lie in a received frame: a borrowing iterator and the basic data formats (RFC 6733 section 4).

pub mod flag;
pub mod key;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dictionary;
use super::error::{ResultCode, Violation, ViolationResult};
use super::limits::{AVPS_PER_LEVEL_MAX, GROUP_DEPTH_MAX};

/// Vendor-Id of 3GPP.
pub const VENDOR_3GPP: u32 = 10415;

/// Vendor and code of an AVP in one word. Vendor 0 is the IETF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AvpKey(u64);

impl AvpKey {
    /// From vendor (0 for the IETF) and code.
    #[must_use]
    pub const fn new(vendor: u32, code: u32) -> Self {
        Self((vendor as u64) << 32 | code as u64)
    }
    /// The vendor, 0 for the IETF.
    #[must_use]
    pub const fn vendor(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// The AVP code.
    #[must_use]
    pub const fn code(self) -> u32 {
        self.0 as u32
    }
}

impl std::fmt::Debug for AvpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{} {}",
            self.vendor(),
            self.code(),
            dictionary::name(*self).unwrap_or("?")
        )
    }
}

/// Seconds since 1970-01-01T00:00Z, as the Time format carries them (RFC 6733 section 4.3.1: 1968 to 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub i64);

/// Seconds from the NTP epoch (1900) to the Unix epoch (1970).
const NTP_TO_UNIX_S: i64 = 2_208_988_800;
/// Seconds from the NTP epoch to its roll-over on 2036-02-07T06:28:16Z.
const NTP_ERA_S: i64 = 1 << 32;

impl UnixSeconds {
    /// From the four octets of a Time AVP; values with the top bit clear count from 2036.
    #[must_use]
    pub fn from_ntp(ntp: u32) -> Self {
        let era = if ntp & 0x8000_0000 == 0 { NTP_ERA_S } else { 0 };
        Self(i64::from(ntp) + era - NTP_TO_UNIX_S)
    }
    /// The four octets of a Time AVP; a moment outside 1968..2104 wraps, as the format does.
    #[must_use]
    pub fn to_ntp(self) -> u32 {
        self.0.wrapping_add(NTP_TO_UNIX_S) as u32
    }
}

/// One AVP inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avp<'a> {
    /// Vendor and code.
    pub key: AvpKey,
    /// AVP flags.
    pub flags: u8,
    depth: u8,
    /// Header and data, without the padding.
    pub raw: &'a [u8],
}

impl<'a> Avp<'a> {
    /// The value.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        // A slice shorter than its own header is not built by the iterator.
        self.raw.get(header_octets(self.flags)..).unwrap_or_default()
    }

    /// True when the M bit is set.
    #[inline]
    #[must_use]
    pub fn is_mandatory(&self) -> bool {
        self.flags & flag::MANDATORY != 0
    }

    /// Unsigned32. Error: 5014.
    #[inline]
    pub fn u32(&self) -> ViolationResult<u32> {
        Ok(u32::from_be_bytes(self.fixed()?))
    }

    /// Integer32, also Enumerated. Error: 5014.
    #[inline]
    pub fn i32(&self) -> ViolationResult<i32> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    /// Unsigned64. Error: 5014.
    #[inline]
    pub fn u64(&self) -> ViolationResult<u64> {
        Ok(u64::from_be_bytes(self.fixed()?))
    }

    /// Integer64. Error: 5014.
    #[inline]
    pub fn i64(&self) -> ViolationResult<i64> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    /// Time. Error: 5014.
    #[inline]
    pub fn time(&self) -> ViolationResult<UnixSeconds> {
        self.u32().map(UnixSeconds::from_ntp)
    }

    /// UTF8String or DiameterIdentity. Error: 5004 when it is not UTF-8.
    #[inline]
    pub fn str(&self) -> ViolationResult<&'a str> {
        std::str::from_utf8(self.data()).map_err(|_| self.invalid_value("text is not UTF-8"))
    }

    /// Address of family IPv4 or IPv6. Errors: 5014 for a length that is not the family's, 5004 for another family.
    pub fn address(&self) -> ViolationResult<IpAddr> {
        match self.data() {
            [0, 1, v4 @ ..] => match <[u8; 4]>::try_from(v4) {
                Ok(octets) => Ok(Ipv4Addr::from(octets).into()),
                Err(_) => Err(self.invalid_length()),
            },
            [0, 2, v6 @ ..] => match <[u8; 16]>::try_from(v6) {
                Ok(octets) => Ok(Ipv6Addr::from(octets).into()),
                Err(_) => Err(self.invalid_length()),
            },
            [_, _, _, ..] => Err(self.invalid_value("address family is neither IPv4 nor IPv6")),
            _ => Err(self.invalid_length()),
        }
    }

    /// The AVPs inside a grouped one. Error: 5012 below the depth limit.
    #[inline]
    pub fn group(&self) -> ViolationResult<AvpIter<'a>> {
        if self.depth >= GROUP_DEPTH_MAX {
            return Err(Violation::new(
                ResultCode::UNABLE_TO_COMPLY,
                "groups are nested too deep",
            ));
        }
        Ok(AvpIter {
            rest: self.data(),
            depth: self.depth + 1,
            remaining: AVPS_PER_LEVEL_MAX,
        })
    }

    /// 5004 with this AVP.
    #[cold]
    pub fn invalid_value(&self, what: &'static str) -> Box<Violation> {
        Violation::with_avp(ResultCode::INVALID_AVP_VALUE, what, self)
    }

    /// 5014 for this AVP.
    #[cold]
    pub fn invalid_length(&self) -> Box<Violation> {
        Violation::invalid_length(self.key, self.flags)
    }

    /// 5009 with this AVP.
    #[cold]
    pub fn too_many(&self) -> Box<Violation> {
        Violation::with_avp(
            ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
            "AVP occurs too many times",
            self,
        )
    }

    /// For an AVP that a view does not take: fine when the dictionary knows it or the M bit is clear, else 5001.
    #[inline]
    pub fn ignore(&self) -> ViolationResult<()> {
        if self.is_mandatory() && !dictionary::is_known(self.key) {
            return Err(Violation::with_avp(
                ResultCode::AVP_UNSUPPORTED,
                "mandatory AVP is not known",
                self,
            ));
        }
        Ok(())
    }

    #[inline]
    fn fixed<const N: usize>(&self) -> ViolationResult<[u8; N]> {
        self.data().try_into().map_err(|_| self.invalid_length())
    }
}

/// Puts a single-valued AVP into its place. A repetition that agrees is tolerated (Kamailio sends Origin-Host twice); one
/// that does not is 5009.
#[inline]
pub fn once<T: PartialEq>(slot: &mut Option<T>, value: T, avp: &Avp<'_>) -> ViolationResult<()> {
    match slot {
        None => {
            *slot = Some(value);
            Ok(())
        }
        Some(first) if *first == value => Ok(()),
        Some(_) => Err(avp.too_many()),
    }
}

/// Reads a grouped AVP into its place, without moving it afterwards. A repetition is treated as in [`once`].
#[inline]
pub fn once_group<'a, T: Default + PartialEq>(
    slot: &mut Option<T>,
    avp: &Avp<'a>,
    fill: impl Fn(&mut T, &Avp<'a>) -> ViolationResult<()>,
) -> ViolationResult<()> {
    if slot.is_none() {
        return fill(slot.insert(T::default()), avp);
    }
    let mut again = T::default();
    fill(&mut again, avp)?;
    if slot.as_ref() == Some(&again) {
        Ok(())
    } else {
        Err(avp.too_many())
    }
}

/// Reads a grouped AVP into a new place at the end of a list of at most `max` entries; one more is 5009.
#[inline]
pub fn push_group<'a, A: smallvec::Array>(
    list: &mut smallvec::SmallVec<A>,
    max: usize,
    avp: &Avp<'a>,
    fill: impl Fn(&mut A::Item, &Avp<'a>) -> ViolationResult<()>,
) -> ViolationResult<()>
where
    A::Item: Default,
{
    push(list, A::Item::default(), max, avp)?;
    list.last_mut().map_or(Ok(()), |item| fill(item, avp))
}

/// Adds to a list of at most `max` entries; one more is 5009.
#[inline]
pub fn push<A: smallvec::Array>(
    list: &mut smallvec::SmallVec<A>,
    value: A::Item,
    max: usize,
    avp: &Avp<'_>,
) -> ViolationResult<()> {
    if list.len() >= max {
        return Err(avp.too_many());
    }
    list.push(value);
    Ok(())
}

/// Octets of an AVP header with these flags.
#[inline]
pub(super) const fn header_octets(flags: u8) -> usize {
    if flags & flag::VENDOR == 0 { 8 } else { 12 }
}

/// Iterates the AVPs of a message or group without copying. Ends at the first violation.
#[derive(Debug, Clone)]
pub struct AvpIter<'a> {
    rest: &'a [u8],
    depth: u8,
    remaining: u16,
}

impl<'a> AvpIter<'a> {
    /// Iterates the AVPs after a message header.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            depth: 0,
            remaining: AVPS_PER_LEVEL_MAX,
        }
    }

    #[inline(always)]
    fn take(&mut self) -> ViolationResult<Avp<'a>> {
        let rest = self.rest;
        let Some((head, _)) = rest.split_first_chunk::<8>() else {
            return Err(self.broken_header());
        };
        let word = u64::from_be_bytes(*head);
        let code = (word >> 32) as u32;
        let flags = (word >> 24) as u8;
        let octets = (word & 0x00ff_ffff) as usize;
        let mut vendor = 0;
        if flags & flag::VENDOR != 0 {
            let Some((head, _)) = rest.split_first_chunk::<12>() else {
                return Err(self.broken_header());
            };
            vendor = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        }
        let key = AvpKey::new(vendor, code);
        if octets < header_octets(flags) || octets > rest.len() {
            return Err(Violation::invalid_length(key, flags));
        }
        if flags & flag::RESERVED != 0 {
            return Err(reserved_bits(key, &rest[..octets]));
        }
        if self.remaining == 0 {
            return Err(Violation::new(ResultCode::UNABLE_TO_COMPLY, "too many AVPs"));
        }
        self.remaining -= 1;
        let raw = &rest[..octets];
        // Some peers leave out the padding of the last AVP in a group.
        self.rest = rest.get(octets.next_multiple_of(4)..).unwrap_or_default();
        Ok(Avp {
            key,
            flags,
            depth: self.depth,
            raw,
        })
    }

    /// An AVP header that does not fit: what there is of it, padded with zeroes (RFC 6733 section 7.1.5, 5014).
    #[cold]
    fn broken_header(&self) -> Box<Violation> {
        let mut head = [0; 12];
        head[..self.rest.len().min(12)].copy_from_slice(&self.rest[..self.rest.len().min(12)]);
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let flags = head[4];
        let vendor = if flags & flag::VENDOR == 0 { 0 } else { word(8) };
        Violation::invalid_length(AvpKey::new(vendor, word(0)), flags)
    }
}

#[cold]
fn reserved_bits(key: AvpKey, raw: &[u8]) -> Box<Violation> {
    let avp = Avp {
        key,
        flags: raw[4],
        depth: 0,
        raw,
    };
    Violation::with_avp(ResultCode::INVALID_AVP_BITS, "reserved AVP flag is set", &avp)
}

impl<'a> Iterator for AvpIter<'a> {
    type Item = ViolationResult<Avp<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}
