//! The short message about a credit: what was paid, what it became, and how anybody can check that it is true.

use super::capability;
use super::page::host;
use charge::reply::Receipt;

/// Number and code of a receipt as they stand in a short message, with the address that checks them when it is known:
/// `raseed.example/r/R1042-7.k7d2m9qa`. At most 32 characters and the host.
pub fn check(secret: &[u8; 32], public_url: &str, number: Receipt) -> String {
    let coded = capability::coded(secret, number);
    match host(public_url) {
        "" => coded,
        host => format!("{host}/r/{coded}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::AccountId;

    #[test]
    fn the_message_leads_to_the_check() {
        let number = Receipt {
            account: AccountId(1042),
            event: 7,
        };
        let text = check(&[7; 32], "https://raseed.example", number);
        assert!(text.starts_with("raseed.example/r/R1042-7."), "{text}");
        assert!(check(&[7; 32], "", number).starts_with("R1042-7."));
        assert!(capability::find(&text).is_some());
    }
}
