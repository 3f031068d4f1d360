//! The token by which a client shows its AWS credentials to MSK: a presigned request to connect, as text.
//!
//! As aws-msk-iam-sasl-signer makes it (the same bytes, but for the user agent), without that crate's clients of other services.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign as sign_request,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

/// How long a token may be used to connect; MSK takes no longer one.
const LIFETIME: Duration = Duration::from_secs(900);

const SERVICE: &str = "kafka-cluster";

/// A token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) token: String,
    pub(super) expires_at: SystemTime,
}

/// Signs a token.
pub(super) fn sign(region: &str, credentials: Credentials, now: SystemTime) -> Result<Token, Box<dyn Error>> {
    let mut url = Url::parse(&format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect"))?;
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFETIME);
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings)
        .build()?;
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign_request(request, &parameters.into())?.into_parts();
    for (name, value) in instructions.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // Not signed: MSK logs it.
    url.query_pairs_mut().append_pair("User-Agent", concat!("millrace/", env!("CARGO_PKG_VERSION")));
    Ok(Token { token: URL_SAFE_NO_PAD.encode(url.as_str()), expires_at: now + LIFETIME })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signed by aws-msk-iam-sasl-signer 1.0.1 at this time, with these credentials; without its user agent.
    const OF_THE_SIGNER: &str = "\
        https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20261129%2Feu-central-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=2026112\
        9T135320Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=7905fa07e236baf63a73a3f43312203e6325\
        ac256b1e47f9073b7c78024e5951&X-Amz-Security-Token=session%2F%2B%3Dtoken";
    const SIGNED_AT: u64 = 1_795_960_400;

    #[test]
    fn a_token_is_that_of_awss_own_signer() {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("session/+=token".to_owned()),
            None,
            "test",
        );
        let signed =
            sign("eu-central-1", credentials, SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT)).unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(signed.token).unwrap()).unwrap();
        let (url, agent) = url.split_once("&User-Agent=").unwrap();
        assert_eq!(url, OF_THE_SIGNER);
        assert_eq!(agent, concat!("millrace%2F", env!("CARGO_PKG_VERSION")));
        assert_eq!(signed.expires_at, SystemTime::UNIX_EPOCH + Duration::from_secs(SIGNED_AT + 900));
    }
}
