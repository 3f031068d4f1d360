//! POST to a URL: checked addresses or a proxy, verified certificates, no redirects, connections kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use millrace_host::exit::describe;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, redirect};
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
    /// The host of the proxy that it is reached through.
    proxy: Option<String>,
}

impl Endpoint {
    /// An endpoint with connections of its own: direct ones, or through this proxy.
    pub(crate) fn new(url: Url, policy: AddressPolicy, proxy: Option<Url>) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")));
        let host = proxy.as_ref().and_then(Url::host_str).map(str::to_owned);
        let client = match proxy {
            None => client.no_proxy().dns_resolver(CheckedResolver(policy)),
            // The only name that is resolved here is the proxy's, which may well be private; it resolves the URL's.
            Some(proxy) => client.proxy(Proxy::all(proxy)?).dns_resolver(CheckedResolver(AddressPolicy::Any)),
        };
        Ok(Self { url, client: client.build()?, policy, proxy: host })
    }

    /// Posts a JSON text.
    ///
    /// # Errors
    /// What went wrong, as the destination's failure.
    pub(crate) async fn post(&self, body: String, mut headers: HeaderMap) -> Result<(), Failure> {
        self.check_literal()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| self.failure(error))?;
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

    /// The failure of a request that got no answer. The URL may hold a secret, so it is left out.
    fn failure(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let mut reason = describe(&error);
        if let Some(proxy) = &self.proxy {
            reason.push_str(" (through the proxy ");
            reason.push_str(proxy);
            reason.push(')');
        }
        if error.is_builder() || is_private(&error) { Failure::refused(reason) } else { Failure::unavailable(reason) }
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

fn is_private(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|cause| cause.is::<PrivateAddress>() || matches!(cause.downcast_ref(), Some(ResolveError::Private(..))))
}

#[cfg(test)]
mod tests {
    use millrace_testkit::WebhookReceiver;

    use super::*;
    use crate::failure::FailureKind;

    /// An endpoint that may not be private, through a proxy that is.
    async fn post_through(proxy: &WebhookReceiver, url: &str) -> Result<(), Failure> {
        let proxy = Some(proxy.url("/").parse().unwrap());
        let endpoint = Endpoint::new(url.parse().unwrap(), AddressPolicy::PublicOnly, proxy).unwrap();
        endpoint.post("{}".to_owned(), HeaderMap::new()).await
    }

    #[tokio::test]
    async fn a_proxy_resolves_the_names_of_destinations() {
        let proxy = WebhookReceiver::start().await.unwrap();
        post_through(&proxy, "http://hooks.example.test/hook").await.unwrap();
        let requests = proxy.received_at("/hook");
        assert_eq!(requests[0].headers["host"], "hooks.example.test");
    }

    #[tokio::test]
    async fn a_private_address_is_refused_behind_a_proxy_too() {
        let proxy = WebhookReceiver::start().await.unwrap();
        let failure = post_through(&proxy, "http://10.0.0.1/hook").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.reason.contains("--allow-private-destinations"), "{failure}");
        assert!(proxy.received().is_empty());
    }

    #[tokio::test]
    async fn a_proxy_that_opens_no_tunnel_is_named() {
        let proxy = WebhookReceiver::start().await.unwrap();
        let failure = post_through(&proxy, "https://hooks.example.test/secret").await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable);
        assert!(failure.reason.ends_with(" (through the proxy 127.0.0.1)"), "{failure}");
        assert!(!failure.reason.contains("secret"), "{failure}");
    }
}
