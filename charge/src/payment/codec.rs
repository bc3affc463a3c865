//! The binary form of what a payment's events say.

use super::{Credited, Held, PaymentEvent, PaymentFault};
use crate::codec::{Codec, CodecError, Reader};

impl Codec for Result<String, String> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_ok()));
        let (Ok(text) | Err(text)) = self;
        text.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(if bool::decode(input)? {
            Ok(Codec::decode(input)?)
        } else {
            Err(Codec::decode(input)?)
        })
    }
}

impl Codec for PaymentFault {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            PaymentFault::Mismatch { paid, reference } => {
                out.push(0);
                paid.encode(out);
                reference.encode(out);
            }
            PaymentFault::ChargedTwice { paid, reference } => {
                out.push(1);
                paid.encode(out);
                reference.encode(out);
            }
            PaymentFault::Contradiction { code } => {
                out.push(2);
                code.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<PaymentFault, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => PaymentFault::Mismatch {
                paid: Codec::decode(input)?,
                reference: Codec::decode(input)?,
            },
            1 => PaymentFault::ChargedTwice {
                paid: Codec::decode(input)?,
                reference: Codec::decode(input)?,
            },
            2 => PaymentFault::Contradiction {
                code: Codec::decode(input)?,
            },
            _ => return Err(CodecError::Invalid("payment fault")),
        })
    }
}

impl Codec for Held {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Held::Account => out.push(0),
            Held::Connector(code) => {
                out.push(1);
                code.encode(out);
            }
            Held::Rail(code) => {
                out.push(2);
                code.encode(out);
            }
            Held::Suspense => out.push(3),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Held, CodecError> {
        match input.take(1)?[0] {
            0 => Ok(Held::Account),
            1 => Codec::decode(input).map(Held::Connector),
            2 => Codec::decode(input).map(Held::Rail),
            3 => Ok(Held::Suspense),
            _ => Err(CodecError::Invalid("holder of money")),
        }
    }
}

impl Codec for Credited {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Credited::Account { outcome, lots } => {
                out.push(0);
                outcome.encode(out);
                lots.encode(out);
            }
            Credited::Connector(code) => {
                out.push(1);
                code.encode(out);
            }
            Credited::Refund { refund, refusal } => {
                out.push(2);
                refund.encode(out);
                refusal.encode(out);
            }
            Credited::Suspense => out.push(3),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Credited, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => Credited::Account {
                outcome: Codec::decode(input)?,
                lots: Codec::decode(input)?,
            },
            1 => Credited::Connector(Codec::decode(input)?),
            2 => Credited::Refund {
                refund: Codec::decode(input)?,
                refusal: Codec::decode(input)?,
            },
            3 => Credited::Suspense,
            _ => return Err(CodecError::Invalid("credit")),
        })
    }
}

impl Codec for PaymentEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            PaymentEvent::Moved {
                state,
                failure,
                code,
                reference,
            } => {
                out.push(0);
                state.encode(out);
                failure.encode(out);
                code.encode(out);
                reference.encode(out);
            }
            PaymentEvent::Settled(settled) => {
                out.push(1);
                settled.encode(out);
            }
            PaymentEvent::Cancelled => out.push(2),
            PaymentEvent::RefundRequested { refund, from } => {
                out.push(3);
                refund.encode(out);
                from.encode(out);
            }
            PaymentEvent::RefundEnded { result, gross, rail } => {
                out.push(4);
                result.encode(out);
                gross.encode(out);
                rail.encode(out);
            }
            PaymentEvent::RefundRetried => out.push(5),
            PaymentEvent::Reversed {
                code,
                gross,
                recovered,
                rail,
            } => {
                out.push(6);
                code.encode(out);
                gross.encode(out);
                recovered.encode(out);
                rail.encode(out);
            }
            PaymentEvent::Fault(fault) => {
                out.push(7);
                fault.encode(out);
            }
            PaymentEvent::Resolved(remedy) => {
                out.push(8);
                remedy.encode(out);
            }
            PaymentEvent::Delivered { reference } => {
                out.push(9);
                reference.encode(out);
            }
            PaymentEvent::Assigned { account } => {
                out.push(10);
                account.encode(out);
            }
            PaymentEvent::AssignEnded(result) => {
                out.push(11);
                result.is_ok().encode(out);
                match result {
                    Ok(receipt) => receipt.encode(out),
                    Err(refusal) => refusal.encode(out),
                }
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<PaymentEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => PaymentEvent::Moved {
                state: Codec::decode(input)?,
                failure: Codec::decode(input)?,
                code: Codec::decode(input)?,
                reference: Codec::decode(input)?,
            },
            1 => PaymentEvent::Settled(Codec::decode(input)?),
            2 => PaymentEvent::Cancelled,
            3 => PaymentEvent::RefundRequested {
                refund: Codec::decode(input)?,
                from: Codec::decode(input)?,
            },
            4 => PaymentEvent::RefundEnded {
                result: Codec::decode(input)?,
                gross: Codec::decode(input)?,
                rail: Codec::decode(input)?,
            },
            5 => PaymentEvent::RefundRetried,
            6 => PaymentEvent::Reversed {
                code: Codec::decode(input)?,
                gross: Codec::decode(input)?,
                recovered: Codec::decode(input)?,
                rail: Codec::decode(input)?,
            },
            7 => PaymentEvent::Fault(Codec::decode(input)?),
            8 => PaymentEvent::Resolved(Codec::decode(input)?),
            9 => PaymentEvent::Delivered {
                reference: Codec::decode(input)?,
            },
            10 => PaymentEvent::Assigned {
                account: Codec::decode(input)?,
            },
            11 => PaymentEvent::AssignEnded(if bool::decode(input)? {
                Ok(Codec::decode(input)?)
            } else {
                Err(Codec::decode(input)?)
            }),
            _ => return Err(CodecError::Invalid("payment event")),
        })
    }
}
