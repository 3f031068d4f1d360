//! The edge under load: its base URL, parsed once.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::PathAndQuery;
use millrace_host::exit::SettingError;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use crate::dev_file::DevFile;
use crate::discovery::DATA_DIR;

/// Default address of `millrace dev` and `millrace serve`.
const DEFAULT: &str = "http://127.0.0.1:8080";

/// The base URL of an edge, `http` or `https`.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    url: Url,
}

/// Why a text is not the base URL of an edge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTarget {
    /// Not a URL.
    #[error("not a URL like http://127.0.0.1:8080 ({0})")]
    Url(#[from] url::ParseError),
    /// A scheme other than http and https.
    #[error("the scheme must be http or https, not `{0}`")]
    Scheme(String),
    /// A user name, password, query or fragment.
    #[error("a base URL is scheme, host, port and path; `{0}` has more")]
    Extra(Url),
    /// A URL without a host.
    #[error("a base URL names a host")]
    Host,
    /// A host that cannot stand in an HTTP header or TLS handshake.
    #[error("`{0}` is not a host name or address")]
    HostName(String),
    /// The machine has no certificates to verify the server with.
    #[error("no trusted certificates on this machine: {0}")]
    Certificates(#[from] rustls::Error),
}

/// TLS settings of connections to a target, and the server name to verify.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server: ServerName<'static>,
}

/// The given edge, else that of the `millrace dev` which uses `data_dir`, else the one at the default address.
///
/// Fails when another data directory than the default is given and no `millrace dev` uses it.
pub(super) fn find(named: Option<&Target>, data_dir: &Path) -> anyhow::Result<Target> {
    if let Some(target) = named {
        return Ok(target.clone());
    }
    match DevFile::read(data_dir) {
        Ok(dev) => Ok(dev.http.parse()?),
        Err(_) if data_dir == Path::new(DATA_DIR) => Ok(DEFAULT.parse()?),
        Err(error) => {
            let problem = format!("no edge given: {error}; name it with --url, or start millrace dev");
            Err(SettingError::of_flag("data-dir", problem).into())
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidTarget::Scheme(url.scheme().to_owned()));
        }
        if url.host_str().is_none() {
            return Err(InvalidTarget::Host);
        }
        let has_more =
            !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some();
        if has_more {
            return Err(InvalidTarget::Extra(url));
        }
        Ok(Self { url })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl Target {
    /// The host to connect to: a name, or an address without brackets.
    pub(super) fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        let standard = if self.url.scheme() == "https" { 443 } else { 80 };
        self.url.port().unwrap_or(standard)
    }

    /// The header `Host`: with the port only if it is not the scheme's default.
    pub(super) fn host_header(&self) -> Result<HeaderValue, InvalidTarget> {
        let host = self.url.host_str().unwrap_or_default();
        let text = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        HeaderValue::from_str(&text).map_err(|_| InvalidTarget::HostName(text))
    }

    /// `path` below the base URL's own path, for the request line.
    pub(super) fn path(&self, path: &str) -> Result<PathAndQuery, InvalidTarget> {
        let text = format!("{}{path}", self.url.path().trim_end_matches('/'));
        PathAndQuery::try_from(text).map_err(|_| InvalidTarget::Extra(self.url.clone()))
    }

    /// TLS with the machine's trusted certificates; `None` for `http`.
    pub(super) fn tls(&self) -> Result<Option<Tls>, InvalidTarget> {
        if self.url.scheme() != "https" {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = ServerName::try_from(self.host().to_owned())
            .map_err(|_| InvalidTarget::HostName(self.host().to_owned()))?;
        Ok(Some(Tls { config: Arc::new(config), server }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().expect("a base URL")
    }

    #[test]
    fn the_edge_is_the_given_one_else_that_of_a_running_dev() {
        let folder = tempfile::tempdir().expect("a folder");
        let found =
            |named: Option<&str>| find(named.map(target).as_ref(), folder.path()).map(|target| target.to_string());
        let error = found(None).expect_err("no dev runs").to_string();
        assert!(
            error.starts_with("--data-dir (MILLRACE_DATA_DIR): no edge given") && error.contains("dev.json"),
            "{error}"
        );

        let _running = crate::dev_file::lock(folder.path()).expect("a lock").expect("the lock is free");
        let http = "http://127.0.0.1:9000".to_owned();
        let dev = DevFile { http: http.clone(), kafka: String::new(), database: String::new(), pid: 1 };
        dev.write(folder.path()).expect("a file");
        assert_eq!(found(None).expect("a dev runs"), http);
        assert_eq!(found(Some("http://edge:80")).expect("it is named"), "http://edge");
        assert_eq!(find(None, Path::new(DATA_DIR)).expect("the default").to_string(), DEFAULT);
    }

    #[test]
    fn the_path_of_the_base_url_precedes_the_route() {
        let path = |base: &str| target(base).path("/orders").expect("a path").to_string();
        assert_eq!(path("http://127.0.0.1:8080"), "/orders");
        assert_eq!(path("https://api.example.com/prod/"), "/prod/orders");
    }

    #[test]
    fn the_host_header_omits_the_schemes_default_port() {
        let header = |base: &str| target(base).host_header().expect("a host");
        assert_eq!(header("http://localhost:8080"), "localhost:8080");
        assert_eq!(header("https://api.example.com:443"), "api.example.com");
        assert_eq!(header("http://[::1]:8080"), "[::1]:8080");
        assert_eq!(target("http://[::1]:8080").host(), "::1");
        assert_eq!(target("https://api.example.com").port(), 443);
    }

    #[test]
    fn an_invalid_base_url_is_rejected_with_the_reason() {
        for (text, reason) in [
            ("localhost:8080", "scheme must be http or https"),
            ("8080", "not a URL"),
            ("ftp://example.com", "scheme must be http or https"),
            ("http://user:secret@example.com", "has more"),
            ("http://example.com/?a=1", "has more"),
        ] {
            let error = Target::from_str(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
