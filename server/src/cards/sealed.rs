//! The sealed export of a batch: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! ```text
//! "RSDCARD1"  length u16 + header (JSON, in the clear)  length u16 + encapsulated key
//! then pieces: length u32 + last u8 + sealed lines "serial,pin"
//! ```
//!
//! The header is bound to the key, each piece to its place and to whether it is the last one: nothing can be changed, left out
//! or cut off. All numbers are big-endian.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use serde_json::{Value, json};
use web::cards::make::Printable;

const MAGIC: &[u8; 8] = b"RSDCARD1";
/// How keys begin in files.
const PUBLIC: &str = "raseed-printer:";
const PRIVATE: &str = "raseed-printer-private:";
/// Bytes of an X25519 key.
const KEY_BYTES: usize = 32;
/// Cards in a piece.
const PIECE_CARDS: usize = 4_096;
/// Longest piece that is read, bytes.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// A printer's public key.
pub struct PrinterKey(Vec<u8>);

impl PrinterKey {
    /// Reads `raseed-printer:` and base64.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<PrinterKey, String> {
        key_bytes(text, PUBLIC).map(PrinterKey)
    }
}

/// A new key pair: private and public, as text.
///
/// # Errors
/// When the random source fails.
pub fn generate() -> Result<(String, String), String> {
    let (public, private) = SUITE.generate_key_pair().map_err(|error| error.to_string())?;
    let text = |prefix: &str, bytes: &[u8]| format!("{prefix}{}", STANDARD.encode(bytes));
    Ok((text(PRIVATE, private.secret_bytes()), text(PUBLIC, &public.0)))
}

/// Seals cards to a printer's key.
///
/// # Errors
/// What went wrong; never a PIN.
pub fn seal(key: &PrinterKey, printer: &str, cards: &Printable) -> Result<Vec<u8>, String> {
    let header = json!({
        "batch": cards.batch, "operator": cards.operator, "denomination": cards.face.exact(),
        "currency": cards.currency, "cards": cards.len(), "pin_digits": cards.digits, "printer": printer,
        "columns": ["serial", "pin"],
    })
    .to_string();
    let (enc, mut sealer) = SUITE
        .setup_sealer(&info(header.as_bytes()), &HpkePublicKey(key.0.clone()))
        .map_err(|error| error.to_string())?;
    let mut out = Vec::with_capacity(cards.len() * (cards.digits + 16) + 1_024);
    out.extend_from_slice(MAGIC);
    put_short(&mut out, header.as_bytes())?;
    put_short(&mut out, &enc.0)?;
    let pieces = cards.len().div_ceil(PIECE_CARDS).max(1);
    for piece in 0..pieces {
        let mut lines = String::new();
        cards.write_lines(piece * PIECE_CARDS..(piece + 1) * PIECE_CARDS, &mut lines);
        let last = u8::from(piece + 1 == pieces);
        let sealed = sealer
            .seal(&[last], lines.as_bytes())
            .map_err(|error| error.to_string())?;
        let length = u32::try_from(sealed.len()).map_err(|_| "a piece is too long")?;
        out.extend_from_slice(&length.to_be_bytes());
        out.push(last);
        out.extend_from_slice(&sealed);
    }
    Ok(out)
}

/// Opens an export: hands the lines to `each` as they are proved, answers the header.
///
/// # Errors
/// When the key is another one, or the file is damaged or cut off.
pub fn open(
    private: &str,
    file: &[u8],
    mut each: impl FnMut(&str) -> Result<(), String>,
) -> Result<Value, String> {
    let private = HpkePrivateKey::from(key_bytes(private.trim(), PRIVATE)?);
    let damaged = || "the file is damaged, or sealed to another key".to_owned();
    let rest = file
        .strip_prefix(MAGIC)
        .ok_or("this is not an export of scratch cards")?;
    let (header, rest) = take_short(rest).ok_or_else(damaged)?;
    let (enc, mut rest) = take_short(rest).ok_or_else(damaged)?;
    let mut opener = SUITE
        .setup_opener(&EncapsulatedSecret(enc.to_vec()), &info(header), &private)
        .map_err(|_| damaged())?;
    loop {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (last, after) = after.split_first().ok_or_else(damaged)?;
        if length > PIECE_BYTES_MAX {
            return Err(damaged());
        }
        let (sealed, after) = after.split_at_checked(length).ok_or_else(damaged)?;
        let lines = opener.open(&[*last], sealed).map_err(|_| damaged())?;
        each(std::str::from_utf8(&lines).map_err(|_| damaged())?)?;
        rest = after;
        if *last == 1 {
            break;
        }
    }
    if !rest.is_empty() {
        return Err(damaged());
    }
    serde_json::from_slice(header).map_err(|_| damaged())
}

fn info(header: &[u8]) -> Vec<u8> {
    [&MAGIC[..], header].concat()
}

fn put_short(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
    let length = u16::try_from(bytes.len()).map_err(|_| "a header is too long")?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn take_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn key_bytes(text: &str, prefix: &str) -> Result<Vec<u8>, String> {
    let told =
        || format!("a key begins with `{prefix}` and goes on with base64; `raseed cards key` makes one");
    let bytes = STANDARD
        .decode(text.strip_prefix(prefix).ok_or_else(told)?)
        .map_err(|_| told())?;
    if bytes.len() == KEY_BYTES {
        Ok(bytes)
    } else {
        Err(told())
    }
}
