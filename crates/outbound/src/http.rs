//! HTTP POST to a URL: checked addresses or a proxy, verified certificates, no redirects, a connection pool.

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

use crate::address::{AddressPolicy, PrivateAddress};
use crate::failure::PostFailure;
use crate::resolver::{CheckedResolver, ResolveError};
use crate::{response, retry_after};

/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// How much of a response body is read, in bytes. After a longer one the connection is not reused.
const BODY_LIMIT: usize = 16 * 1024;

/// How long reading a body may take: the status has decided already, and a slow body must not turn a success into a
/// failure.
const BODY_TIMEOUT: Duration = Duration::from_millis(500);

/// Why there is no HTTP client.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The system's certificates cannot be loaded, or the TLS configuration is inconsistent.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The client cannot be built.
    #[error("cannot set up HTTP")]
    Client(#[from] reqwest::Error),
}

/// An HTTP client with its own connection pool, direct or through this proxy: verified certificates, no redirects. Names are
/// resolved to allowed addresses only; an address that stands in a URL itself is not checked.
///
/// # Errors
/// [`HttpError`] where TLS or the client cannot be set up.
pub fn client(policy: AddressPolicy, proxy: Option<Url>) -> Result<Client, HttpError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")));
    let client = match proxy {
        None => client.no_proxy().dns_resolver(CheckedResolver(policy)),
        // Only the proxy's name is resolved here, and it may be private; the proxy resolves the URL's.
        Some(proxy) => client.proxy(Proxy::all(proxy)?).dns_resolver(CheckedResolver(AddressPolicy::Any)),
    };
    Ok(client.build()?)
}

/// A URL to which JSON is posted.
pub struct Endpoint {
    url: Url,
    client: Client,
    policy: AddressPolicy,
    /// The proxy's host, for failure reasons.
    proxy: Option<String>,
}

impl Endpoint {
    /// An endpoint with its own connection pool: direct, or through this proxy. It connects at the first post.
    ///
    /// # Errors
    /// [`HttpError`] where TLS or the HTTP client cannot be set up.
    pub fn new(url: Url, policy: AddressPolicy, proxy: Option<Url>) -> Result<Self, HttpError> {
        let host = proxy.as_ref().and_then(Url::host_str).map(str::to_owned);
        Ok(Self { url, client: client(policy, proxy)?, policy, proxy: host })
    }

    /// Posts a JSON text with these headers, and its content type. One attempt, without a time-out.
    ///
    /// # Errors
    /// [`PostFailure`] where it was not sent, or the answer is not 2xx.
    pub async fn post(&self, body: String, mut headers: HeaderMap) -> Result<(), PostFailure> {
        self.check_literal()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = self.client.post(self.url.clone()).headers(headers).body(body);
        let response = request.send().await.map_err(|error| self.failure(error))?;
        let status = response.status();
        let header = response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let retry_after = header.and_then(|header| retry_after::parse(header, Timestamp::now()));
        response::classify(status, retry_after, &read_body(response).await)
    }

    /// Checks a literal address in the URL: it is not resolved, so the resolver does not check it.
    fn check_literal(&self) -> Result<(), PostFailure> {
        let address = match self.url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        self.policy.check(address).map_err(|error| PostFailure::refused(error.to_string()))
    }

    /// The failure of a request without a response. The URL is left out: it may hold a secret.
    fn failure(&self, error: reqwest::Error) -> PostFailure {
        let error = error.without_url();
        let mut reason = describe(&error);
        if let Some(proxy) = &self.proxy {
            reason.push_str(" (through the proxy ");
            reason.push_str(proxy);
            reason.push(')');
        }
        if error.is_builder() || is_private(&error) {
            PostFailure::refused(reason)
        } else {
            PostFailure::unavailable(reason)
        }
    }
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth())
}

/// Reads the beginning of the body. A connection is only reused once its body was read to the end.
async fn read_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        // A truncated body is no failure.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                break;
            }
        }
    };
    // On a time-out, what was read is enough.
    let _ = tokio::time::timeout(BODY_TIMEOUT, read).await;
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
    use crate::failure::PostFailureKind;

    /// Posts with private addresses refused, through a proxy that has one.
    async fn post_through(proxy: &WebhookReceiver, url: &str) -> Result<(), PostFailure> {
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
    async fn a_private_address_is_refused_behind_a_proxy() {
        let proxy = WebhookReceiver::start().await.unwrap();
        let failure = post_through(&proxy, "http://10.0.0.1/hook").await.unwrap_err();
        assert_eq!(failure.kind, PostFailureKind::Refused);
        assert!(failure.reason.contains("--allow-private-destinations"), "{failure}");
        assert!(proxy.received().is_empty());
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_a_tunnel_is_named() {
        let proxy = WebhookReceiver::start().await.unwrap();
        let failure = post_through(&proxy, "https://hooks.example.test/secret").await.unwrap_err();
        assert_eq!(failure.kind, PostFailureKind::Unavailable);
        assert!(failure.reason.ends_with(" (through the proxy 127.0.0.1)"), "{failure}");
        assert!(!failure.reason.contains("secret"), "{failure}");
    }
}
