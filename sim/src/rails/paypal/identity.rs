//! Certificates of the PayPal sandbox: a good chain, and those that a merchant must refuse.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SigningKey,
};

/// Name in the good certificate.
const NAME: &str = "messageverificationcerts.paypal.com";

/// With what webhooks are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// As it should be.
    Good,
    /// Its time is over.
    Expired,
    /// Not valid before 2090.
    Future,
    /// Of another name, by the right root.
    OtherName,
    /// Of the right name, by another root.
    OtherRoot,
    /// At an address that is not the sandbox's.
    OtherHost,
}

impl Certificate {
    const ALL: [Certificate; 6] = [
        Certificate::Good,
        Certificate::Expired,
        Certificate::Future,
        Certificate::OtherName,
        Certificate::OtherRoot,
        Certificate::OtherHost,
    ];

    /// Last part of its address.
    pub fn name(self) -> &'static str {
        match self {
            Certificate::Good | Certificate::OtherHost => "CERT-360caa42-fca2a594-a5cafa77",
            Certificate::Expired => "expired",
            Certificate::Future => "future",
            Certificate::OtherName => "other-name",
            Certificate::OtherRoot => "other-root",
        }
    }

    /// The certificate of an address.
    pub fn parse(name: &str) -> Option<Certificate> {
        Certificate::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Keys and chains.
pub(super) struct Identity {
    pub root_pem: String,
    key: KeyPair,
    chains: Vec<(Certificate, String)>,
}

impl Identity {
    pub fn new() -> Result<Identity, rcgen::Error> {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
        let (root_pem, issuer) = authority("Sandbox root")?;
        let (_, other) = authority("Another root")?;
        let mut chains = Vec::new();
        for kind in Certificate::ALL {
            let name = if kind == Certificate::OtherName {
                "shop.example.test"
            } else {
                NAME
            };
            let mut params = CertificateParams::new(vec![name.to_owned()])?;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            (params.not_before, params.not_after) = match kind {
                Certificate::Expired => (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1)),
                Certificate::Future => (rcgen::date_time_ymd(2090, 1, 1), rcgen::date_time_ymd(2091, 1, 1)),
                _ => (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2099, 1, 1)),
            };
            let issuer = if kind == Certificate::OtherRoot {
                &other
            } else {
                &issuer
            };
            chains.push((kind, params.signed_by(&key, issuer)?.pem()));
        }
        Ok(Identity {
            root_pem,
            key,
            chains,
        })
    }

    pub fn chain_pem(&self, kind: Certificate) -> &str {
        let chain = self.chains.iter().find(|(known, _)| *known == kind);
        chain.map_or("", |(_, pem)| pem)
    }

    /// The signature of a webhook, base 64.
    pub fn sign(&self, _kind: Certificate, id: &str, time: &str, webhook: &str, body: &[u8]) -> String {
        let message = format!("{id}|{time}|{webhook}|{}", crc32(body));
        self.key
            .sign(message.as_bytes())
            .map(|signature| base64(&signature))
            .unwrap_or_default()
    }
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

/// CRC-32 (IEEE), bit by bit: not the code of the client.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let shifted = crc >> 1;
            if crc & 1 == 1 {
                shifted ^ 0xEDB8_8320
            } else {
                shifted
            }
        })
    })
}

/// Base 64 (RFC 4648) with padding.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_base_64() {
        assert_eq!(
            crc32(br#"{"id":"WH-TEST","event_type":"PAYMENT.CAPTURE.COMPLETED"}"#),
            3_391_999_205
        );
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
