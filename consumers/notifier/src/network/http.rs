//! POST to a URL: checked addresses, verified certificates, no redirects, no proxy, connections kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use millrace_host::exit::describe;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;
use thiserror::Error;
use url::{Host, Url};

use super::address::{AddressPolicy, PrivateAddress};
use super::resolver::{CheckedResolver, ResolveError};
use super::{response, retry_after};
use crate::failure::Failure;

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_mins(1);

/// How much of an answer's body is read, in bytes. A connection whose answer is longer is not used again.
const BODY: usize = 16 * 1024;

/// How long a body may take: the status has decided already, and a slow body must not make a failure of a success.
const BODY_PATIENCE: Duration = Duration::from_millis(500);

/// Why there is no HTTP client.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The system's certificates cannot be read, or do not go together.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The client cannot be built.
    #[error("cannot set up HTTP")]
    Client(#[from] reqwest::Error),
}

/// A URL that JSON is posted to.
pub(crate) struct Endpoint {
    url: Url,
    client: Client,
    policy: AddressPolicy,
}

impl Endpoint {
    /// An endpoint with connections of its own.
    pub(crate) fn new(url: Url, policy: AddressPolicy) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(CheckedResolver(policy))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { url, client, policy })
    }

    /// Posts a JSON text.
    ///
    /// # Errors
    /// What went wrong, as the destination's failure.
    pub(crate) async fn post(&self, body: String, mut headers: HeaderMap) -> Result<(), Failure> {
        self.check_literal()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let retry_after = asked.and_then(|header| retry_after::parse(header, Timestamp::now()));
        response::judge(status, retry_after, &beginning(response).await)
    }

    /// An address in the URL is not resolved, so the resolver does not see it.
    fn check_literal(&self) -> Result<(), Failure> {
        let address = match self.url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        self.policy.check(address).map_err(|error| Failure::refused(error.to_string()))
    }
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth())
}

/// The beginning of the body: reading it to its end is what lets the connection be used again.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        // A body that breaks off changes nothing either.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > BODY {
                break;
            }
        }
    };
    // What came by then is enough.
    let _ = tokio::time::timeout(BODY_PATIENCE, read).await;
    body
}

/// The failure of a request that got no answer. The URL may hold a secret, so it is left out.
fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let reason = describe(&error);
    if error.is_builder() || is_private(&error) { Failure::refused(reason) } else { Failure::unavailable(reason) }
}

fn is_private(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|cause| cause.is::<PrivateAddress>() || matches!(cause.downcast_ref(), Some(ResolveError::Private(..))))
}
