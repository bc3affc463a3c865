//! The MAP operations of USSD (TS 29.002 11.9, 11.10; TS 24.080): one component, strict BER, no nesting beyond what they have.

use super::STRING_OCTETS_MAX;
use super::page::{self, PageError};

/// processUnstructuredSS-Request.
pub const PROCESS_UNSTRUCTURED_SS: u8 = 0x3b;
/// unstructuredSS-Request.
pub const UNSTRUCTURED_SS: u8 = 0x3c;
/// unstructuredSS-Notify.
pub const UNSTRUCTURED_SS_NOTIFY: u8 = 0x3d;
/// MAP error systemFailure.
pub const SYSTEM_FAILURE: u8 = 34;
/// MAP error unexpectedDataValue.
pub const UNEXPECTED_DATA_VALUE: u8 = 36;

const INVOKE: u8 = 0xa1;
const RETURN_RESULT: u8 = 0xa2;
const RETURN_ERROR: u8 = 0xa3;
const REJECT: u8 = 0xa4;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const LINKED_ID: u8 = 0x80;

/// A component with its invoke id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// invokeID: what belongs together.
    pub invoke: u8,
    /// What it says.
    pub body: Body,
}

/// What a component says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An operation with its text.
    Invoke {
        /// Local operation code.
        operation: u8,
        /// The USSD string.
        text: String,
    },
    /// Its result; some operations answer without a text.
    Result {
        /// Operation code and USSD string.
        answer: Option<(u8, String)>,
    },
    /// Its failure, with the MAP error code.
    Error(u8),
    /// It was not understood.
    Reject,
}

/// Why octets are no component, or a component has no octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A tag, a length or an end that may not be there.
    #[error("malformed MAP component")]
    Malformed,
    /// The USSD string is no text, or too long.
    #[error(transparent)]
    Text(#[from] PageError),
}

impl Component {
    /// Reads exactly one component; anything behind it is an error.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn decode(octets: &[u8]) -> Result<Self, MapError> {
        let mut input = octets;
        let (tag, mut content) = take(&mut input)?;
        if !input.is_empty() {
            return Err(MapError::Malformed);
        }
        if tag == REJECT {
            // The invoke id may be NULL; then nothing of ours is meant.
            let invoke = match take(&mut content)? {
                (INTEGER, [id]) => *id,
                (0x05, []) => 0,
                _ => return Err(MapError::Malformed),
            };
            return Ok(Self {
                invoke,
                body: Body::Reject,
            });
        }
        let invoke = integer(&mut content)?;
        let body = match tag {
            INVOKE => {
                if content.first() == Some(&LINKED_ID) {
                    take(&mut content)?;
                }
                let operation = integer(&mut content)?;
                Body::Invoke {
                    operation,
                    text: argument(&mut content)?,
                }
            }
            RETURN_RESULT if content.is_empty() => Body::Result { answer: None },
            RETURN_RESULT => {
                let (SEQUENCE, mut result) = take(&mut content)? else {
                    return Err(MapError::Malformed);
                };
                let operation = integer(&mut result)?;
                let text = argument(&mut result)?;
                if !result.is_empty() {
                    return Err(MapError::Malformed);
                }
                Body::Result {
                    answer: Some((operation, text)),
                }
            }
            RETURN_ERROR => {
                let code = integer(&mut content)?;
                // Parameters of the error are of no interest.
                content = &[];
                Body::Error(code)
            }
            _ => return Err(MapError::Malformed),
        };
        if !content.is_empty() {
            return Err(MapError::Malformed);
        }
        Ok(Self { invoke, body })
    }

    /// The octets.
    ///
    /// # Errors
    /// [`MapError::Text`] when the text does not fit.
    pub fn encode(&self) -> Result<Vec<u8>, MapError> {
        let mut content = vec![INTEGER, 1, self.invoke];
        let tag = match &self.body {
            Body::Invoke { operation, text } => {
                content.extend([INTEGER, 1, *operation]);
                put(&mut content, SEQUENCE, &string(text)?);
                INVOKE
            }
            Body::Result { answer } => {
                if let Some((operation, text)) = answer {
                    let mut result = vec![INTEGER, 1, *operation];
                    put(&mut result, SEQUENCE, &string(text)?);
                    put(&mut content, SEQUENCE, &result);
                }
                RETURN_RESULT
            }
            Body::Error(code) => {
                content.extend([INTEGER, 1, *code]);
                RETURN_ERROR
            }
            Body::Reject => {
                // General problem: unrecognized component.
                content.extend([0x80, 1, 0]);
                REJECT
            }
        };
        let mut octets = Vec::with_capacity(content.len() + 3);
        put(&mut octets, tag, &content);
        Ok(octets)
    }
}

/// USSD-Arg and USSD-Res: data coding scheme, string, and optional parts that we skip.
fn argument(input: &mut &[u8]) -> Result<String, MapError> {
    let (SEQUENCE, mut argument) = take(input)? else {
        return Err(MapError::Malformed);
    };
    let (OCTET_STRING, [dcs]) = take(&mut argument)? else {
        return Err(MapError::Malformed);
    };
    let (OCTET_STRING, text) = take(&mut argument)? else {
        return Err(MapError::Malformed);
    };
    while !argument.is_empty() {
        // alertingPattern, msisdn: context-specific, primitive.
        let (tag, _) = take(&mut argument)?;
        if tag != OCTET_STRING && tag & 0xe0 != 0x80 {
            return Err(MapError::Malformed);
        }
    }
    Ok(page::decode(*dcs, text)?)
}

fn string(text: &str) -> Result<Vec<u8>, MapError> {
    let (dcs, octets) = page::encode(text)?;
    let mut out = vec![OCTET_STRING, 1, dcs];
    put(&mut out, OCTET_STRING, &octets);
    Ok(out)
}

fn integer(input: &mut &[u8]) -> Result<u8, MapError> {
    match take(input)? {
        (INTEGER, [value]) => Ok(*value),
        _ => Err(MapError::Malformed),
    }
}

/// One element: single-octet tag, definite length of one octet, or of two where one does not suffice.
fn take<'a>(input: &mut &'a [u8]) -> Result<(u8, &'a [u8]), MapError> {
    let (tag, length, head) = match **input {
        [tag, length, ..] if length < 0x80 => (tag, usize::from(length), 2),
        [tag, 0x81, length, ..] if length >= 0x80 => (tag, usize::from(length), 3),
        _ => return Err(MapError::Malformed),
    };
    let content = input.get(head..head + length).ok_or(MapError::Malformed)?;
    *input = &input[head + length..];
    Ok((tag, content))
}

fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    // A page has 160 octets at most, so that no element of ours is longer than 255.
    debug_assert!(content.len() <= STRING_OCTETS_MAX + 64);
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    out.push(tag);
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(length);
    out.extend_from_slice(content);
}
