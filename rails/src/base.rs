//! Where a rail is: an address that is encrypted, or on this very machine.

use serde::Deserialize;

/// Scheme, host and port of a rail, without a path: `https://payments.jazzcash.com.pk`. Plain `http` is taken on loopback
/// only, for sandboxes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Base(String);

impl Base {
    /// Checks an address; a slash at its end is dropped.
    ///
    /// # Errors
    /// Words for the person who configures it.
    pub fn new(address: &str) -> Result<Base, &'static str> {
        let address = address.strip_suffix('/').unwrap_or(address);
        let (encrypted, authority) = match (address.strip_prefix("https://"), address.strip_prefix("http://"))
        {
            (Some(authority), _) => (true, authority),
            (_, Some(authority)) => (false, authority),
            _ => return Err("the address of a rail begins with https://"),
        };
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let port = authority.strip_prefix(host).unwrap_or("");
        let good_port = port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok());
        let good_host = !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-'
            });
        if !good_port || !good_host {
            return Err("the address of a rail is a scheme, a host in lower case and a port, nothing else");
        }
        if !encrypted && !matches!(host, "127.0.0.1" | "localhost") {
            return Err("only a sandbox on this machine may be spoken to without encryption");
        }
        Ok(Base(address.to_owned()))
    }

    /// The absolute URL of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.0
    }

    /// True when it is a sandbox on this machine.
    pub fn is_loopback(&self) -> bool {
        self.0.starts_with("http://")
            || self.0.starts_with("https://127.0.0.1")
            || self.0.starts_with("https://localhost")
    }
}

impl TryFrom<String> for Base {
    type Error = &'static str;
    fn try_from(address: String) -> Result<Base, &'static str> {
        Base::new(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::Base;

    #[test]
    fn what_is_an_address() {
        assert_eq!(
            Base::new("https://payments.jazzcash.com.pk/").unwrap().url("/x"),
            "https://payments.jazzcash.com.pk/x"
        );
        assert!(Base::new("http://127.0.0.1:8080").unwrap().is_loopback());
        for bad in [
            "",
            "payments.jazzcash.com.pk",
            "http://payments.jazzcash.com.pk",
            "http://127.0.0.1.evil.test",
            "http://localhost@evil.test",
            "https://a@b.test",
            "https://a.test/path",
            "https://a.test?x",
            "https://a.test:99999",
            "https://",
            "ftp://a.test",
        ] {
            assert!(Base::new(bad).is_err(), "{bad}");
        }
    }
}
