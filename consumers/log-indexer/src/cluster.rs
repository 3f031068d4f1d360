//! The HTTP calls to a cluster. Each is one attempt.

use std::collections::BTreeMap;
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

/// A call of `_bulk`, and the parts of the answer that are read. An asterisk is written as it is signed.
const BULK: &str = "_bulk?filter_path=items.%2A.status%2Citems.%2A.error.type%2Citems.%2A.error.reason%2Citems.%2A.error.caused_by.reason";

/// The most bytes of an answer: one to a call of `_bulk` quotes what it does not take.
const ANSWER_LIMIT: usize = 16 << 20;

/// How much of an answer's body is shown in a reason, in bytes.
const SHOWN: usize = 300;

/// The template of the indices, but for their names.
const TEMPLATE: &str = include_str!("template.json");

/// The priority of a template, beside the length of its prefix: of two prefixes that fit a name the longer one is meant.
const PRIORITY: usize = 100;

/// `_meta.managed_by` of what this program makes.
const MANAGED_BY: &str = "millrace";

/// A cluster of OpenSearch.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// With a path that ends with `/`, and without user and password.
    url: Url,
    client: Client,
    authorization: Option<HeaderValue>,
    /// How long a call may take.
    timeout: Duration,
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
    /// Whether it may be answered otherwise.
    pub(crate) kind: CallErrorKind,
    /// What happened.
    pub(crate) reason: String,
}

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallErrorKind {
    /// There is no such thing.
    Missing,
    /// It is not taken as it is: too large, or OpenSearch itself says that something in it is wrong.
    Refused,
    /// It took too long, or its answer was too large: less in a call may be answered.
    TooMuch,
    /// The cluster is away, busy or closed to this user.
    Unavailable,
}

impl CallError {
    fn new(reason: impl Into<String>) -> Self {
        Self { kind: CallErrorKind::Unavailable, reason: reason.into() }
    }

    /// Of an answer with this status and body.
    fn of_answer(url: &Url, status: StatusCode, body: &[u8]) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND => CallErrorKind::Missing,
            StatusCode::PAYLOAD_TOO_LARGE => CallErrorKind::Refused,
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => CallErrorKind::TooMuch,
            // Of a proxy it says nothing about what is in the call.
            StatusCode::BAD_REQUEST if bulk::is_refusal(body) => CallErrorKind::Refused,
            _ => CallErrorKind::Unavailable,
        };
        Self { kind, reason: format!("{url} answers {status}: {}", shown(body)) }
    }
}

impl Cluster {
    /// The cluster at a URL, which may have a user and a password. It connects at the first call, and each may take so long.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) fn open(mut url: Url, timeout: Duration) -> Result<Self, OpenError> {
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
            timeout,
            #[cfg(feature = "sigv4")]
            signer: None,
        })
    }

    /// Signs requests from now on.
    #[cfg(feature = "sigv4")]
    pub(crate) fn sign_with(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// Makes sure that this index, if it is made now, has the types of the template: writes it, unless there is one of somebody
    /// else, or of a later version.
    ///
    /// # Errors
    /// [`CallError`], also where the index would have others.
    pub(crate) async fn ensure_template(&self, indices: &DayIndices, index: &str) -> Result<(), CallError> {
        let invalid = |error: serde_json::Error| CallError::new(error.to_string());
        let mut template: Value = serde_json::from_str(TEMPLATE).map_err(invalid)?;
        let path = format!("_index_template/{}", indices.prefix());
        let found = match self.call(Method::GET, &path, Vec::new()).await {
            Ok(found) => serde_json::from_slice::<Templates>(&found).map_err(invalid)?.index_templates.pop(),
            Err(error) if error.kind == CallErrorKind::Missing => None,
            Err(error) => return Err(error),
        };
        if found.is_none_or(|found| is_replaced(&found.index_template, &template)) {
            template["index_patterns"] = vec![indices.pattern()].into();
            template["priority"] = (PRIORITY + indices.prefix().len()).into();
            let body = serde_json::to_vec(&template).map_err(invalid)?;
            self.call(Method::PUT, &path, body).await?;
            tracing::info!(template = indices.prefix(), cluster = %self.url, "index template written");
        }
        // Another template may come before it.
        let path = format!("_index_template/_simulate_index/{index}");
        let simulated = self.call(Method::POST, &path, Vec::new()).await?;
        let simulated: Value = serde_json::from_slice(&simulated).map_err(invalid)?;
        let mappings = &simulated["template"]["mappings"];
        let guesses = !matches!(mappings["dynamic"].to_string().trim_matches('"'), "false" | "strict");
        if !guesses && matches!(mappings["properties"]["time"]["type"].as_str(), Some("date" | "date_nanos")) {
            return Ok(());
        }
        let reason = format!(
            "the index {index} would not have the types of rows, but guessed ones: is there another template with a higher \
             priority, or one of this name without `dynamic: false`?"
        );
        Err(CallError::new(reason))
    }

    /// Sends documents, and says what became of each of so many.
    ///
    /// # Errors
    /// [`CallError`]; some may have been indexed.
    pub(crate) async fn bulk(&self, body: Vec<u8>, sent: usize) -> Result<Vec<Fate>, CallError> {
        let answer = self.call(Method::POST, BULK, body).await?;
        bulk::fates(&answer, sent).map_err(CallError::new)
    }

    /// The names of indices that match the pattern of these and were made with its template, or say that they were.
    ///
    /// # Errors
    /// [`CallError`]
    pub(crate) async fn own_index_names(&self, indices: &DayIndices) -> Result<Vec<String>, CallError> {
        let parts = "filter_path=%2A.mappings._meta.managed_by&expand_wildcards=open%2Cclosed";
        let path = format!("{}-%2A/_mapping?{parts}", indices.prefix());
        let answer = self.call(Method::GET, &path, Vec::new()).await?;
        let found: BTreeMap<String, Value> =
            serde_json::from_slice(&answer).map_err(|error| CallError::new(error.to_string()))?;
        let is_own = |index: &Value| index["mappings"]["_meta"]["managed_by"] == MANAGED_BY;
        Ok(found.into_iter().filter(|(_, index)| is_own(index)).map(|(name, _)| name).collect())
    }

    /// Deletes an index; one that is gone is deleted.
    ///
    /// # Errors
    /// [`CallError`]
    pub(crate) async fn delete_index(&self, name: &str) -> Result<(), CallError> {
        match self.call(Method::DELETE, name, Vec::new()).await {
            Err(error) if error.kind != CallErrorKind::Missing => Err(error),
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
        let failed = |error: reqwest::Error| {
            let kind = if error.is_timeout() { CallErrorKind::TooMuch } else { CallErrorKind::Unavailable };
            CallError { kind, reason: format!("{}: {}", self.url, describe(&error.without_url())) }
        };
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        *request.timeout_mut() = Some(self.timeout);
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_LIMIT {
                let reason = format!("{} answers {status} with more than {ANSWER_LIMIT} bytes", self.url);
                return Err(CallError { kind: CallErrorKind::TooMuch, reason });
            }
        }
        if status.is_success() { Ok(body) } else { Err(CallError::of_answer(&self.url, status, &body)) }
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

/// Whether a template that was found is replaced by ours: it is ours too, and of no later version.
fn is_replaced(found: &Value, own: &Value) -> bool {
    let version = |template: &Value| template["version"].as_u64().unwrap_or(0);
    found["_meta"]["managed_by"] == MANAGED_BY && version(found) <= version(own)
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
