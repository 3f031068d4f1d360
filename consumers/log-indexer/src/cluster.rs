//! The HTTP calls to a cluster. Each is one attempt.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use millrace_host::exit::{SettingError, describe};
use millrace_outbound::{AddressPolicy, HttpError, Proxies};
use percent_encoding::percent_decode_str;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use url::Url;

use crate::bulk::{self, Fate};
use crate::day_index::DayIndices;
#[cfg(feature = "sigv4")]
use crate::signature::Signer;

/// How long a call may take: as long as OpenSearch lets a call of `_bulk` wait for a shard.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A call of `_bulk`, and the parts of the answer that are read. An asterisk is written as it is signed.
const BULK: &str = "_bulk?filter_path=items.%2A.status%2Citems.%2A.error.type%2Citems.%2A.error.reason%2Citems.%2A.error.caused_by.reason";

/// How much of an answer's body is shown in a reason, in bytes.
const SHOWN: usize = 300;

/// The template of the indices, but for their names.
const TEMPLATE: &str = include_str!("template.json");

/// A cluster of OpenSearch.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// With a path that ends with `/`, and without user and password.
    url: Url,
    client: Client,
    authorization: Option<HeaderValue>,
    #[cfg(feature = "sigv4")]
    signer: Option<Signer>,
}

/// Why a cluster cannot be used.
#[derive(Debug, Error)]
pub(crate) enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub(crate) struct CallError {
    /// The status of the answer, where there was one.
    pub(crate) status: Option<StatusCode>,
    /// What happened.
    pub(crate) reason: String,
}

impl CallError {
    fn new(reason: impl Into<String>) -> Self {
        Self { status: None, reason: reason.into() }
    }

    /// Whether the cluster does not take a request as it is: too large, or with something in it that it cannot read.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, Some(StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE))
    }
}

impl Cluster {
    /// The cluster at a URL, which may have a user and a password. It connects at the first call.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) fn open(mut url: Url) -> Result<Self, OpenError> {
        let authorization = basic(&url)?;
        // Of an http URL with a host, both can be removed.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let proxy = Proxies::read(|name| std::env::var_os(name)).of(&url)?;
        let client = millrace_outbound::client(AddressPolicy::Any, proxy)?;
        Ok(Self {
            url,
            client,
            authorization,
            #[cfg(feature = "sigv4")]
            signer: None,
        })
    }

    /// Signs requests from now on.
    #[cfg(feature = "sigv4")]
    pub(crate) fn sign_with(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// Writes the template of these indices, unless there is one of somebody else, or of a later version.
    ///
    /// # Errors
    /// [`CallError`]
    pub(crate) async fn write_template(&self, indices: &DayIndices) -> Result<(), CallError> {
        let invalid = |error: serde_json::Error| CallError::new(error.to_string());
        let mut template: Value = serde_json::from_str(TEMPLATE).map_err(invalid)?;
        let path = format!("_index_template/{}", indices.prefix());
        match self.call(Method::GET, &path, Vec::new()).await {
            Ok(found) => {
                let found: Templates = serde_json::from_slice(&found).map_err(invalid)?;
                let found = found.index_templates.first().map(|found| &found.index_template);
                if let Some(found) = found.filter(|found| !is_replaced(found, &template)) {
                    tracing::info!(template = indices.prefix(), version = ?found.get("version"), "the index template stays");
                    return Ok(());
                }
            }
            Err(error) if error.status == Some(StatusCode::NOT_FOUND) => {}
            Err(error) => return Err(error),
        }
        template["index_patterns"] = vec![indices.pattern()].into();
        let body = serde_json::to_vec(&template).map_err(invalid)?;
        self.call(Method::PUT, &path, body).await?;
        tracing::info!(template = indices.prefix(), cluster = %self.url, "index template written");
        Ok(())
    }

    /// Sends documents, and says what became of each of so many.
    ///
    /// # Errors
    /// [`CallError`]; some may have been indexed.
    pub(crate) async fn bulk(&self, body: Vec<u8>, sent: usize) -> Result<Vec<Fate>, CallError> {
        let answer = self.call(Method::POST, BULK, body).await?;
        bulk::fates(&answer, sent).map_err(CallError::new)
    }

    /// The names of indices that match the pattern of these.
    ///
    /// # Errors
    /// [`CallError`]
    pub(crate) async fn index_names(&self, indices: &DayIndices) -> Result<Vec<String>, CallError> {
        let path = format!("_cat/indices/{}-%2A?format=json&h=index&expand_wildcards=all", indices.prefix());
        let answer = self.call(Method::GET, &path, Vec::new()).await?;
        let rows: Vec<IndexRow> = serde_json::from_slice(&answer).map_err(|error| CallError::new(error.to_string()))?;
        Ok(rows.into_iter().map(|row| row.index).collect())
    }

    /// Deletes an index; one that is gone is deleted.
    ///
    /// # Errors
    /// [`CallError`]
    pub(crate) async fn delete_index(&self, name: &str) -> Result<(), CallError> {
        match self.call(Method::DELETE, name, Vec::new()).await {
            Err(error) if error.status != Some(StatusCode::NOT_FOUND) => Err(error),
            _ => Ok(()),
        }
    }

    /// Calls the cluster (`path` may have a query), and returns the body of an answer of 2xx.
    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let url = self.url.join(path).map_err(|error| CallError::new(error.to_string()))?;
        let request = Request::builder().method(method).uri(url.as_str()).header(CONTENT_TYPE, "application/json");
        let mut request = request.body(body).map_err(|error| CallError::new(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        #[cfg(feature = "sigv4")]
        if let Some(signer) = &self.signer {
            signer.sign(&mut request).await.map_err(CallError::new)?;
        }
        let failed =
            |error: reqwest::Error| CallError::new(format!("{}: {}", self.url, describe(&error.without_url())));
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        *request.timeout_mut() = Some(CALL_TIMEOUT);
        let answer = self.client.execute(request).await.map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        if status.is_success() {
            return Ok(body.into());
        }
        let reason = format!("{} answers {status}: {}", self.url, shown(&body));
        Err(CallError { status: Some(status), reason })
    }
}

#[derive(Deserialize)]
struct Templates {
    index_templates: Vec<FoundTemplate>,
}

#[derive(Deserialize)]
struct FoundTemplate {
    index_template: Value,
}

#[derive(Deserialize)]
struct IndexRow {
    index: String,
}

/// Whether a template that was found is replaced by ours: it is ours too, and of no later version.
fn is_replaced(found: &Value, own: &Value) -> bool {
    let version = |template: &Value| template["version"].as_u64().unwrap_or(0);
    found["_meta"]["managed_by"] == own["_meta"]["managed_by"] && version(found) <= version(own)
}

/// The user and the password of a URL, as a header.
fn basic(url: &Url) -> Result<Option<HeaderValue>, SettingError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    let header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)));
    let mut header = header.map_err(|_| SettingError::of_flag("index-to", "its user or password is no header"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// The beginning of a body, on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
