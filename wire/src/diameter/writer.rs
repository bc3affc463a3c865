//! Appends messages to an output buffer; lengths are filled in afterwards, so nothing is copied twice.

use std::net::IpAddr;

use super::avp::{AvpKey, UnixSeconds, header_octets};
use super::dictionary;
use super::header::{CommandCode, HEADER_OCTETS, MessageId};

/// Longest value of the 24-bit length fields.
const LENGTH_MAX: usize = 0x00ff_ffff;

/// Writes one message at the end of a buffer. Nothing is valid before [`Writer::finish`].
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
}

impl<'b> Writer<'b> {
    /// Starts a message with these command flags.
    pub fn begin(
        out: &'b mut Vec<u8>,
        command: CommandCode,
        flags: u8,
        application: u32,
        id: MessageId,
    ) -> Self {
        let start = out.len();
        let mut header = [0; HEADER_OCTETS];
        header[0] = 1;
        header[4..8].copy_from_slice(&command.0.to_be_bytes());
        header[4] = flags;
        header[8..12].copy_from_slice(&application.to_be_bytes());
        header[12..16].copy_from_slice(&id.hop_by_hop.to_be_bytes());
        header[16..20].copy_from_slice(&id.end_to_end.to_be_bytes());
        out.extend_from_slice(&header);
        Self { out, start }
    }

    /// Fills in the message length.
    pub fn finish(self) {
        let octets = self.out.len() - self.start;
        patch_length(self.out, self.start + 1, octets);
    }

    /// Unsigned32.
    #[inline]
    pub fn u32(&mut self, key: AvpKey, value: u32) {
        self.fixed(key, value.to_be_bytes());
    }

    /// Integer32 or Enumerated.
    #[inline]
    pub fn i32(&mut self, key: AvpKey, value: i32) {
        self.fixed(key, value.to_be_bytes());
    }

    /// Unsigned64.
    #[inline]
    pub fn u64(&mut self, key: AvpKey, value: u64) {
        self.fixed(key, value.to_be_bytes());
    }

    /// Integer64.
    #[inline]
    pub fn i64(&mut self, key: AvpKey, value: i64) {
        self.fixed(key, value.to_be_bytes());
    }

    /// Time.
    #[inline]
    pub fn time(&mut self, key: AvpKey, value: UnixSeconds) {
        self.u32(key, value.to_ntp());
    }

    /// UTF8String or DiameterIdentity.
    #[inline]
    pub fn str(&mut self, key: AvpKey, value: &str) {
        self.octets(key, value.as_bytes());
    }

    /// OctetString.
    #[inline]
    pub fn octets(&mut self, key: AvpKey, value: &[u8]) {
        append_avp(self.out, key, dictionary::flags(key), value);
    }

    /// Address.
    pub fn address(&mut self, key: AvpKey, value: IpAddr) {
        match value {
            IpAddr::V4(v4) => {
                let mut octets = [0, 1, 0, 0, 0, 0];
                octets[2..].copy_from_slice(&v4.octets());
                self.octets(key, &octets);
            }
            IpAddr::V6(v6) => {
                let mut octets = [0; 18];
                octets[1] = 2;
                octets[2..].copy_from_slice(&v6.octets());
                self.octets(key, &octets);
            }
        }
    }

    /// An AVP as it was received, without its padding: for what is echoed.
    #[inline]
    pub fn raw(&mut self, avp: &[u8]) {
        self.out.extend_from_slice(avp);
        pad(self.out, avp.len());
    }

    /// A grouped AVP; `fill` writes what is inside.
    #[inline]
    pub fn group(&mut self, key: AvpKey, fill: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        append_header(self.out, key, dictionary::flags(key), 0);
        fill(self);
        let octets = self.out.len() - start;
        patch_length(self.out, start + 5, octets);
    }

    #[inline]
    fn fixed<const N: usize>(&mut self, key: AvpKey, value: [u8; N]) {
        append_header(self.out, key, dictionary::flags(key), N);
        self.out.extend_from_slice(&value);
    }
}

/// Appends one AVP with its padding.
#[inline]
pub(super) fn append_avp(out: &mut Vec<u8>, key: AvpKey, flags: u8, value: &[u8]) {
    append_header(out, key, flags, value.len());
    out.extend_from_slice(value);
    pad(out, value.len());
}

#[inline]
fn append_header(out: &mut Vec<u8>, key: AvpKey, flags: u8, data_octets: usize) {
    let octets = header_octets(flags) + data_octets;
    assert!(
        octets <= LENGTH_MAX,
        "an AVP of {octets} octets cannot be written"
    );
    let mut header = [0; 12];
    header[..4].copy_from_slice(&key.code().to_be_bytes());
    header[4..8].copy_from_slice(&(octets as u32).to_be_bytes());
    header[4] = flags;
    header[8..].copy_from_slice(&key.vendor().to_be_bytes());
    if header_octets(flags) == 8 {
        out.extend_from_slice(&header[..8]);
    } else {
        out.extend_from_slice(&header);
    }
}

#[inline]
fn pad(out: &mut Vec<u8>, octets: usize) {
    const ZEROES: [u8; 3] = [0; 3];
    out.extend_from_slice(&ZEROES[..octets.wrapping_neg() % 4]);
}

#[inline]
fn patch_length(out: &mut [u8], at: usize, octets: usize) {
    assert!(
        octets <= LENGTH_MAX,
        "{octets} octets do not fit a Diameter length"
    );
    out[at..at + 3].copy_from_slice(&(octets as u32).to_be_bytes()[1..]);
}
