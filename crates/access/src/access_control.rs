//! The edge's port: credentials first, then the rate.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use millrace_edge::{Access, Problem, Sender, audit_refusal};

use crate::client_address::{PeerAddress, of_client};
use crate::rate_limit::Caller;
use crate::{ApiKeys, RateLimit, Reloaded};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How often idle callers are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

/// Credentials, rates, or both.
#[derive(Debug, Default)]
pub struct AccessControl {
    keys: Option<Reloaded<ApiKeys>>,
    #[cfg(feature = "jwt")]
    tokens: Option<crate::jwt::Tokens>,
    limit: Option<Arc<RateLimit>>,
    proxies: usize,
}

impl AccessControl {
    /// Callers show one of these keys.
    #[must_use]
    pub fn with_keys(self, keys: Reloaded<ApiKeys>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Callers show a token that these accept.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn with_tokens(self, tokens: crate::jwt::Tokens) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Each caller has this rate.
    #[must_use]
    pub fn with_limit(self, limit: RateLimit) -> Self {
        let limit = Arc::new(limit);
        let forgetting = Arc::downgrade(&limit);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(FORGET_INTERVAL);
            loop {
                ticks.tick().await;
                match forgetting.upgrade() {
                    Some(limit) => limit.forget_idle(),
                    None => return,
                }
            }
        });
        Self { limit: Some(limit), ..self }
    }

    /// So many proxies of one's own are before this.
    #[must_use]
    pub fn behind(self, proxies: usize) -> Self {
        Self { proxies, ..self }
    }

    /// Whether callers must show a credential.
    fn asks_for_credentials(&self) -> bool {
        #[cfg(feature = "jwt")]
        if self.tokens.is_some() {
            return true;
        }
        self.keys.is_some()
    }

    /// Who sent a request: by its token or key.
    fn identify(&self, headers: &HeaderMap) -> Result<Sender, Refusal> {
        let credential = credential(headers)?;
        #[cfg(feature = "jwt")]
        if let Some(tokens) = &self.tokens
            && crate::jwt::looks_like_one(credential)
        {
            return tokens.sender(credential).map_err(Refusal::Token);
        }
        let known = self.keys.as_ref().and_then(|keys| keys.get().sender(credential).cloned());
        known.ok_or(Refusal::Unknown)
    }

    fn count(&self, caller: &Caller) -> Result<(), Problem> {
        let Some(Err(wait)) = self.limit.as_ref().map(|limit| limit.count(caller)) else { return Ok(()) };
        // Whole seconds, rounded up.
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        let detail = format!("too many requests; again in {seconds} s");
        let seconds = HeaderValue::from_str(&seconds.to_string()).unwrap_or(HeaderValue::from_static("1"));
        Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with_header(RETRY_AFTER, seconds))
    }
}

impl Access for AccessControl {
    fn admit(&self, request: &Parts) -> Result<Option<Sender>, Problem> {
        let peer = request.extensions.get::<PeerAddress>().map(|PeerAddress(address)| *address);
        let address = peer.map(|peer| of_client(&request.headers, peer, self.proxies));
        let count_address = || address.map_or(Ok(()), |address| self.count(&Caller::at(address)));
        if !self.asks_for_credentials() {
            return count_address().map(|()| None);
        }
        match self.identify(&request.headers) {
            Ok(sender) => {
                self.count(&Caller::Sender(sender.kind, Arc::clone(&sender.name)))?;
                Ok(Some(Sender { address, ..sender }))
            }
            Err(refusal) => {
                // Guesses are counted by address.
                count_address()?;
                audit_refusal(&request.method, request.uri.path(), address, &refusal.to_string());
                Err(refusal.problem())
            }
        }
    }
}

/// Why a request has no sender.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no credential")]
    Missing,
    #[error("the Authorization header is no Bearer credential, or there are several")]
    Scheme,
    #[error("unknown API key")]
    Unknown,
    #[cfg(feature = "jwt")]
    #[error("{0}")]
    Token(crate::jwt::TokenError),
}

impl Refusal {
    /// 401, as RFC 6750 says.
    fn problem(&self) -> Problem {
        let (detail, challenge) = match self {
            Self::Missing => ("send an API key or a token: Authorization: Bearer …, or X-API-Key".to_owned(), "Bearer"),
            Self::Scheme => {
                ("there must be one Authorization header, with Bearer and a credential".to_owned(), "Bearer")
            }
            Self::Unknown => ("the credential is not valid".to_owned(), r#"Bearer error="invalid_token""#),
            #[cfg(feature = "jwt")]
            Self::Token(error) => (format!("the token is not valid: {error}"), r#"Bearer error="invalid_token""#),
        };
        Problem::new(StatusCode::UNAUTHORIZED, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }
}

/// The credential that a request shows.
fn credential(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            return Err(Refusal::Scheme);
        }
        let (scheme, credential) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refusal::Scheme)?;
        let credential = credential.trim();
        if !scheme.eq_ignore_ascii_case("Bearer") || credential.is_empty() {
            return Err(Refusal::Scheme);
        }
        return Ok(credential);
    }
    headers.get(API_KEY).and_then(|value| value.to_str().ok()).map(str::trim).ok_or(Refusal::Missing)
}
