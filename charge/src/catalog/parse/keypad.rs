//! `[keypad]` of an operator's file: codes and short codes.

use super::country::Country;
use super::operator::dial;
use super::reader::{Fields, Report, read_word, shorten};
use crate::catalog::keypad::{Function, Keypad, parts};
use crate::catalog::{Contact, Offer};

/// Reads the table; an operator without one has no keypad but its balance code.
pub(super) fn read_keypad(
    fields: Option<Fields<'_>>,
    report: &mut Report<'_>,
    country: &Country,
    (contact, offers): (Option<&Contact>, Option<&[Offer]>),
) -> Option<Keypad> {
    let Some(mut fields) = fields else {
        return Some(Keypad::default());
    };
    let mut keypad = Keypad::default();
    for (function, name) in Function::ALL {
        for word in fields.words(report, name, "*111#") {
            let read = read_word(report, word, |text| {
                let code = dial(text, "*#")?;
                if parts(code).is_none() {
                    return Err(format!(
                        "\"{}\" is no code; write it as it is dialled, like \"*111*2#\"",
                        shorten(text)
                    ));
                }
                match owner(code, &keypad, contact, offers) {
                    Some(known) if known != function.name() => {
                        Err(format!("the code {code} is already that of {known}"))
                    }
                    _ => Ok(code.to_owned()),
                }
            });
            keypad.codes.extend(read.map(|code| (function, code)));
        }
    }
    for word in fields.words(report, "sms", "443") {
        keypad
            .sms
            .extend(read_word(report, word, |text| dial(text, "").map(str::to_owned)));
    }
    country.provenance(&mut fields, report);
    fields.finish(report);
    Some(keypad)
}

/// Who has a code already.
fn owner(code: &str, keypad: &Keypad, contact: Option<&Contact>, offers: Option<&[Offer]>) -> Option<String> {
    if contact.is_some_and(|contact| contact.balance_dial == code) {
        return Some(Function::Balance.name().to_owned());
    }
    let function = keypad.codes.iter().find(|(_, known)| known == code);
    let offer = offers
        .unwrap_or_default()
        .iter()
        .find(|offer| offer.for_sale && offer.dial == code);
    function
        .map(|(function, _)| function.name().to_owned())
        .or_else(|| offer.map(|offer| format!("the bundle {}", offer.code)))
}
