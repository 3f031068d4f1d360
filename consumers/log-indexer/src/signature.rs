//! Requests signed with AWS credentials (Signature Version 4), as Amazon OpenSearch Service takes them.

use std::time::SystemTime;

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::Request;

/// The service's name in signatures.
const SERVICE: &str = "es";

/// Signs requests with the environment's credentials.
#[derive(Debug)]
pub(crate) struct Signer {
    region: String,
    credentials: SharedCredentialsProvider,
}

impl Signer {
    /// A signer with the environment's region and credentials, which are looked up at each request, and renewed by their
    /// provider.
    ///
    /// # Errors
    /// What the environment lacks.
    pub(crate) async fn from_env() -> Result<Self, String> {
        let config = millrace_aws::config().load().await;
        let region = config.region().ok_or("the environment names no AWS region (AWS_REGION)")?.to_string();
        let credentials = config.credentials_provider().ok_or("the environment has no AWS credentials")?;
        Ok(Self { region, credentials })
    }

    /// Signs a request.
    ///
    /// # Errors
    /// There are no credentials now.
    pub(crate) async fn sign(&self, request: &mut Request<Vec<u8>>) -> Result<(), String> {
        self.sign_at(request, SystemTime::now()).await
    }

    async fn sign_at(&self, request: &mut Request<Vec<u8>>, now: SystemTime) -> Result<(), String> {
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials.map_err(|error| format!("no AWS credentials: {error}"))?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body()),
        );
        let signed = sign(signable.map_err(|error| error.to_string())?, &parameters.into());
        let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;

    use super::*;

    const DAY: &str = "AKIDEXAMPLE/20261129/eu-central-1/es/aws4_request";

    /// The signatures are those that botocore 1.43 makes of these requests at this time, with these credentials.
    #[tokio::test]
    async fn a_signature_is_that_of_botocore() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, Some("session/+=token".to_owned()), None, "test");
        let credentials = SharedCredentialsProvider::new(credentials);
        let signer = Signer { region: "eu-central-1".to_owned(), credentials };
        for (method, path, body, signature) in [
            (
                "POST",
                "/_bulk?filter_path=items.%2A.status%2Citems.%2A.error.type",
                "{\"index\":{}}\n{}\n",
                "78777b92706b8e7caaa9a264a79e3c80ac8b27eae837a60e244d2e1d7700fe4f",
            ),
            (
                "GET",
                "/es/_cat/indices/millrace-logs-%2A?format=json&h=index&expand_wildcards=all",
                "",
                "dc3a068b1b4104eeb2b7e5b18d1bd0dd7281883f7a3bab4105f9edd6ccc8192d",
            ),
        ] {
            let request = Request::builder().method(method).uri(format!("https://search.example.com{path}"));
            let request = request.header("content-type", "application/json");
            let mut request = request.body(body.as_bytes().to_vec()).unwrap();
            signer.sign_at(&mut request, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_960_400)).await.unwrap();
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential={DAY}, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
                 Signature={signature}"
            );
            assert_eq!(request.headers()["authorization"], expected.as_str(), "{path}");
            assert_eq!(request.headers()["x-amz-date"], "20261129T135320Z");
            assert_eq!(request.headers()["x-amz-security-token"], "session/+=token");
        }
    }
}
