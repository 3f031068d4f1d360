//! Who may call `millrace serve`, and how often.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use millrace_access::{AccessControl, ApiKeys, ApiKeysError, RateLimit, Reloaded, reloaded};
use millrace_edge::Access;
use millrace_host::exit::SettingError;
use millrace_host::setting_file;
use millrace_host::settings::whole_number;

/// Settings of credentials and rates. Without any, all may call everything, as often as they like.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub(crate) struct AccessArgs {
    /// Only callers with an API key of this file are answered; millrace api-key makes its entries; read again when it
    /// changes
    #[arg(long, value_name = "FILE")]
    api_keys: Option<PathBuf>,
    /// The text of such a file in its place: for a container that gets it as a secret
    #[arg(long, value_name = "TOML", conflicts_with = "api_keys", hide_env_values = true)]
    api_keys_text: Option<String>,
    /// Callers with a JSON Web Token are answered, too: the issuer's public keys (JWK Set), a URL or a file
    #[arg(long, value_name = "URL|FILE", requires = "jwt_issuer", requires = "jwt_audience")]
    jwt_jwks: Option<String>,
    /// The issuer of tokens (iss)
    #[arg(long, value_name = "TEXT", requires = "jwt_jwks")]
    jwt_issuer: Option<String>,
    /// The audience that tokens must be for (aud)
    #[arg(long, value_name = "TEXT", requires = "jwt_jwks")]
    jwt_audience: Option<String>,
    /// A token allows what its claims scope and scp list, as an API key's scopes do; without this, everything
    #[arg(long)]
    jwt_use_scopes: bool,
    /// Requests a second for each caller: its name where it has a credential, else its address (an IPv6 /64 is one)
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU32>(1..=1_000_000))]
    rate_limit: Option<NonZeroU32>,
    /// Requests that a caller may send at once after a pause [default: a second's]
    #[arg(long, value_name = "N", requires = "rate_limit", value_parser = whole_number::<NonZeroU32>(1..=1_000_000))]
    rate_limit_burst: Option<NonZeroU32>,
    /// Your own proxies and load balancers before this: a caller's address is what the first of them has appended to
    /// X-Forwarded-For
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number::<usize>(0..=16))]
    trusted_proxies: usize,
}

/// Settings whose empty variable would open what they protect.
const PROTECTING: [&str; 9] = [
    "api-keys",
    "api-keys-text",
    "jwt-jwks",
    "jwt-issuer",
    "jwt-audience",
    "jwt-use-scopes",
    "rate-limit",
    "rate-limit-burst",
    "trusted-proxies",
];

impl AccessArgs {
    /// The decision on each request, where one was asked for.
    ///
    /// # Errors
    /// A file has another shape, or the keys of the tokens' issuer cannot be had.
    pub(crate) async fn load(&self) -> anyhow::Result<Option<Arc<dyn Access>>> {
        SettingError::refuse_empty(&PROTECTING)?;
        for (flag, value) in [("jwt-issuer", &self.jwt_issuer), ("jwt-audience", &self.jwt_audience)] {
            if value.as_ref().is_some_and(String::is_empty) {
                return Err(SettingError::of_flag(flag, "is empty").into());
            }
        }
        if self.jwt_use_scopes && self.jwt_jwks.is_none() {
            return Err(SettingError::of_flag("jwt-use-scopes", "needs --jwt-jwks").into());
        }
        if !self.has_keys() && self.jwt_jwks.is_none() && self.rate_limit.is_none() {
            return Ok(None);
        }
        let mut access = AccessControl::default().behind(self.trusted_proxies);
        if let Some(file) = self.api_keys.clone() {
            let files = vec![file.clone()];
            let read = move || setting_file::read("api-keys", &file, ApiKeys::parse);
            access = access.with_keys(reloaded(files, read)?);
        }
        if let Some(text) = &self.api_keys_text {
            // TOML's own errors quote the text, which may be a key that was put there by mistake.
            let wrong = |error: ApiKeysError| match error {
                ApiKeysError::Shape(_) => {
                    SettingError::of_flag("api-keys-text", "it is not the text of a file of API keys")
                }
                error => SettingError::of_flag("api-keys-text", error.to_string()),
            };
            access = access.with_keys(Reloaded::fixed(ApiKeys::parse(text).map_err(wrong)?));
        }
        if let (Some(source), Some(issuer), Some(audience)) = (&self.jwt_jwks, &self.jwt_issuer, &self.jwt_audience) {
            access = tokens::accepted(access, source, issuer, audience, self.jwt_use_scopes).await?;
        }
        if let Some(rate) = self.rate_limit {
            access = access.with_limit(RateLimit::new(rate, self.rate_limit_burst.unwrap_or(rate)));
        }
        Ok(Some(Arc::new(access)))
    }

    /// What callers must show.
    pub(crate) fn credentials(&self) -> &'static str {
        match (self.has_keys(), self.jwt_jwks.is_some()) {
            (true, true) => "API keys or tokens",
            (true, false) => "API keys",
            (false, true) => "tokens",
            (false, false) => "none",
        }
    }

    fn has_keys(&self) -> bool {
        self.api_keys.is_some() || self.api_keys_text.is_some()
    }
}

#[cfg(feature = "jwt")]
mod tokens {
    use std::path::PathBuf;
    use std::time::Duration;

    use anyhow::{Context as _, anyhow, ensure};
    use http_body_util::{BodyExt as _, Limited};
    use millrace_access::jwt::{Expected, Keys, Tokens};
    use millrace_access::{AccessControl, fetched_again, reloaded};
    use millrace_host::exit::SettingError;
    use millrace_host::setting_file;
    use reqwest::redirect::Policy;
    use reqwest::{Client, StatusCode};
    use url::Url;

    /// How often published keys are fetched: an issuer publishes a new key long before it signs with it.
    const INTERVAL: Duration = Duration::from_secs(60);

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The longest key set that is read: a hundred keys are 50 KB.
    const KEYS_LIMIT: usize = 1 << 20;

    /// Adds the tokens of an issuer.
    pub(super) async fn accepted(
        access: AccessControl,
        source: &str,
        issuer: &str,
        audience: &str,
        has_scopes: bool,
    ) -> anyhow::Result<AccessControl> {
        let keys = if source.starts_with("https://") || source.starts_with("http://") {
            // It fails where one is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            // A redirect would let another host choose the keys.
            let client =
                Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build().context("no HTTP client")?;
            let wrong = |error: url::ParseError| SettingError::of_flag("jwt-jwks", error.to_string());
            let url = Url::parse(source).map_err(wrong)?;
            // It may have a password.
            let host = url.host_str().unwrap_or_default().to_owned();
            let fetch = move || fetch(client.clone(), url.clone());
            let first = fetch().await.with_context(|| format!("the keys of tokens cannot be fetched from {host}"))?;
            fetched_again(first, INTERVAL, fetch)
        } else if source.contains("://") {
            return Err(SettingError::of_flag("jwt-jwks", "expected an http(s) URL or a file").into());
        } else {
            let file = PathBuf::from(source);
            let files = vec![file.clone()];
            reloaded(files, move || setting_file::read("jwt-jwks", &file, |text| Keys::parse(text.as_bytes())))?
        };
        let expected = Expected { issuer: issuer.to_owned(), audience: audience.to_owned(), has_scopes };
        Ok(access.with_tokens(Tokens::new(keys, expected)))
    }

    async fn fetch(client: Client, url: Url) -> anyhow::Result<Keys> {
        let answer = client.get(url).send().await.map_err(reqwest::Error::without_url)?;
        ensure!(answer.status() == StatusCode::OK, "the answer is {}", answer.status());
        let body = Limited::new(reqwest::Body::from(answer), KEYS_LIMIT).collect().await;
        let body = body.map_err(|error| anyhow!("{error} (at most {KEYS_LIMIT} bytes are read)"))?;
        Ok(Keys::parse(&body.to_bytes())?)
    }
}

#[cfg(not(feature = "jwt"))]
mod tokens {
    use millrace_access::AccessControl;
    use millrace_host::exit::SettingError;

    #[allow(clippy::unused_async, reason = "as with the feature")]
    pub(super) async fn accepted(
        _: AccessControl,
        _: &str,
        _: &str,
        _: &str,
        _: bool,
    ) -> anyhow::Result<AccessControl> {
        Err(SettingError::of_flag("jwt-jwks", "tokens are not in this build (cargo feature `jwt`)").into())
    }
}
