//! GSUP messages that carry supplementary services (Osmocom; message types 0x20 to 0x22).

use super::FRAME_OCTETS_MAX;

const IMSI: u8 = 0x01;
const CAUSE: u8 = 0x02;
const MESSAGE_CLASS: u8 = 0x0a;
const SESSION_ID: u8 = 0x30;
const SESSION_STATE: u8 = 0x31;
const SS_INFO: u8 = 0x35;
const CLASS_USSD: u8 = 3;

/// Kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PROC_SS request.
    Request,
    /// PROC_SS error.
    Error,
    /// PROC_SS result.
    Result,
}

impl Kind {
    const ALL: [(Kind, u8); 3] = [(Kind::Request, 0x20), (Kind::Error, 0x21), (Kind::Result, 0x22)];

    fn octet(self) -> u8 {
        Kind::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or(0x21, |(_, octet)| *octet)
    }
}

/// State of a session as a message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The first message.
    Begin,
    /// One between.
    Continue,
    /// The last.
    End,
}

impl State {
    const ALL: [(State, u8); 3] = [(State::Begin, 1), (State::Continue, 2), (State::End, 3)];
}

/// A PROC_SS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request, error or result.
    pub kind: Kind,
    /// The SIM: 6 to 15 digits.
    pub imsi: String,
    /// The session's number, unique among those that are open at this HLR.
    pub session: u32,
    /// Where the session stands.
    pub state: State,
    /// The MAP component; empty in errors and in an end without a text.
    pub component: Vec<u8>,
    /// GMM cause of an error.
    pub cause: Option<u8>,
}

/// Why octets are no PROC_SS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GsupError {
    /// A message type that is none of ours.
    #[error("GSUP message type 0x{0:02x} is not served here")]
    Unserved(u8),
    /// An element that does not fit, is there twice or is missing.
    #[error("malformed GSUP message")]
    Malformed,
}

impl Message {
    /// Reads a message; elements that we do not know are skipped.
    ///
    /// # Errors
    /// [`GsupError`].
    pub fn decode(octets: &[u8]) -> Result<Self, GsupError> {
        let (kind, mut rest) = octets.split_first().ok_or(GsupError::Malformed)?;
        let kind = Kind::ALL
            .iter()
            .find(|(_, octet)| octet == kind)
            .map(|(kind, _)| *kind)
            .ok_or(GsupError::Unserved(*kind))?;
        let (mut imsi, mut session, mut state, mut component, mut cause) = (None, None, None, None, None);
        while !rest.is_empty() {
            let [tag, length, ..] = *rest else {
                return Err(GsupError::Malformed);
            };
            let end = 2 + usize::from(length);
            let value = rest.get(2..end).ok_or(GsupError::Malformed)?;
            rest = &rest[end..];
            match tag {
                IMSI => once(&mut imsi, digits(value)?)?,
                SESSION_ID => {
                    let id: [u8; 4] = value.try_into().map_err(|_| GsupError::Malformed)?;
                    once(&mut session, u32::from_be_bytes(id))?;
                }
                SESSION_STATE => {
                    let found = State::ALL.iter().find(|(_, octet)| value == [*octet]);
                    once(&mut state, found.ok_or(GsupError::Malformed)?.0)?;
                }
                SS_INFO => once(&mut component, value.to_vec())?,
                CAUSE => once(&mut cause, *value.first().ok_or(GsupError::Malformed)?)?,
                _ => {}
            }
        }
        Ok(Self {
            kind,
            imsi: imsi.ok_or(GsupError::Malformed)?,
            session: session.ok_or(GsupError::Malformed)?,
            state: state.ok_or(GsupError::Malformed)?,
            component: component.unwrap_or_default(),
            cause,
        })
    }

    /// The octets.
    ///
    /// # Errors
    /// [`GsupError::Malformed`] when the IMSI is none or the component is too long.
    pub fn encode(&self) -> Result<Vec<u8>, GsupError> {
        let mut octets = vec![self.kind.octet()];
        put(&mut octets, IMSI, &tbcd(&self.imsi)?)?;
        if let Some(cause) = self.cause {
            put(&mut octets, CAUSE, &[cause])?;
        }
        put(&mut octets, SESSION_ID, &self.session.to_be_bytes())?;
        let state = State::ALL.iter().find(|(state, _)| *state == self.state);
        put(
            &mut octets,
            SESSION_STATE,
            &[state.map_or(3, |(_, octet)| *octet)],
        )?;
        if !self.component.is_empty() {
            put(&mut octets, SS_INFO, &self.component)?;
        }
        put(&mut octets, MESSAGE_CLASS, &[CLASS_USSD])?;
        if octets.len() > FRAME_OCTETS_MAX {
            return Err(GsupError::Malformed);
        }
        Ok(octets)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), GsupError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(GsupError::Malformed),
    }
}

fn put(octets: &mut Vec<u8>, tag: u8, value: &[u8]) -> Result<(), GsupError> {
    let length = u8::try_from(value.len()).map_err(|_| GsupError::Malformed)?;
    octets.extend([tag, length]);
    octets.extend_from_slice(value);
    Ok(())
}

/// Digits of a telephony BCD string: low half first, filled with 0xf.
fn digits(value: &[u8]) -> Result<String, GsupError> {
    let mut digits = String::with_capacity(16);
    let halves = value.iter().flat_map(|octet| [octet & 0x0f, octet >> 4]);
    let mut ended = false;
    for half in halves {
        match (half, ended) {
            (0..=9, false) => digits.push(char::from(b'0' + half)),
            (0x0f, _) => ended = true,
            _ => return Err(GsupError::Malformed),
        }
    }
    if (6..=15).contains(&digits.len()) {
        Ok(digits)
    } else {
        Err(GsupError::Malformed)
    }
}

fn tbcd(digits: &str) -> Result<Vec<u8>, GsupError> {
    let plausible = (6..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !plausible {
        return Err(GsupError::Malformed);
    }
    let pair = |pair: &[u8]| (pair[0] - b'0') | (pair.get(1).map_or(0x0f, |digit| digit - b'0') << 4);
    Ok(digits.as_bytes().chunks(2).map(pair).collect())
}
