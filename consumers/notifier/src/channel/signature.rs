//! Signatures by Standard Webhooks (specification 1.0.0): `v1`, HMAC-SHA256 of `id.timestamp.body`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

const PREFIX: &str = "whsec_";

/// A shared secret: 24 to 64 random bytes, written as `whsec_` and their Base64.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha256>);

/// An invalid secret. The text is not quoted: it may still be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be whsec_ and the Base64 of 24 to 64 random bytes; generate one with: echo whsec_$(openssl rand -base64 32)"
)]
pub(crate) struct SecretError;

impl Secret {
    /// Parses `whsec_…`.
    ///
    /// # Errors
    /// [`SecretError`] for anything else.
    pub(crate) fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretError)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError)?;
        if !(24..=64).contains(&key.len()) {
            return Err(SecretError);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| SecretError)
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The header `webhook-signature`: one signature for each secret, so that secrets can be rotated.
pub(super) fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"test": "é"}"#;

    #[test]
    fn signatures_equal_those_of_the_reference_implementation() {
        let texts = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="];
        let secrets = texts.map(|text| Secret::parse(text).unwrap());
        let expected = texts.map(|text| {
            standardwebhooks::Webhook::new(text).unwrap().sign("msg-1", 1_614_265_330, BODY.as_bytes()).unwrap()
        });
        assert_eq!(signatures(&secrets, "msg-1", 1_614_265_330, BODY), expected.join(" "));
    }

    #[test]
    fn an_invalid_secret_is_refused_and_not_quoted() {
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_not base64 at all!"] {
            let error = Secret::parse(text).unwrap_err().to_string();
            assert!(text.is_empty() || text == "whsec_" || !error.contains(text), "{error}");
        }
        assert!(Secret::parse(&format!("whsec_{}", STANDARD.encode([7; 65]))).is_err());
        assert!(Secret::parse(&format!("whsec_{}", STANDARD.encode([7; 64]))).is_ok());
    }
}
