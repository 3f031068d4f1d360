//! Who may call what: the port that decides it, asked before a request's body is read.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{Extensions, HeaderValue, Method, StatusCode};

use crate::body::discard;
use crate::deadline::Deadline;
use crate::problem::Problem;
use crate::routes;

/// How long a refused client may go on sending its body before the answer: senders by OTLP wait four seconds for it.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Decides who may call.
pub trait Access: Send + Sync {
    /// Who sent a request; none where callers need not say who they are. What the sender may do is checked by the edge.
    ///
    /// # Errors
    /// The answer: 401 without a valid credential, 429 where there were too many requests.
    fn admit(&self, request: &Parts) -> Result<Option<Sender>, Problem>;
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: all may call this.
    Nothing,
    /// What [`Access`] asks for. What a credential must allow depends on the events, each of which is checked.
    Credential,
    /// A credential that allows this.
    Scope(&'static str),
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name: the extension `authid` of its events.
    pub name: Arc<str>,
    /// What it is: the extension `authtype`, as CloudEvents' auth context names it (`api_key`, `unknown`).
    pub kind: &'static str,
    /// What it may do.
    pub scopes: Arc<Scopes>,
    /// Where it calls from, as far as that is known.
    pub address: Option<IpAddr>,
}

/// What a credential allows: `orders.write`, `events.read` and so on; `*` is everything, `*.read` all that is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<String>);

/// The scopes that there are, beside those with a `*`.
pub const SCOPES: [&str; 9] = [
    "notifications.write",
    "events.write",
    "orders.write",
    "user-login.write",
    "raw-logs.write",
    "notifications.read",
    "events.read",
    "status.read",
    "metrics.read",
];

const EVERYTHING: [&str; 3] = ["*", "*.read", "*.write"];

fn is_known(scope: &str) -> bool {
    SCOPES.contains(&scope) || EVERYTHING.contains(&scope)
}

impl Scopes {
    /// These scopes.
    ///
    /// # Errors
    /// The first that does not exist.
    pub fn new<T: Into<String>>(scopes: impl IntoIterator<Item = T>) -> Result<Self, String> {
        let scopes: BTreeSet<String> = scopes.into_iter().map(Into::into).collect();
        match scopes.iter().find(|scope| !is_known(scope)) {
            Some(unknown) => Err(unknown.clone()),
            None => Ok(Self(scopes)),
        }
    }

    /// Those of these that exist.
    pub fn known<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        Self(scopes.into_iter().filter(|scope| is_known(scope)).map(str::to_owned).collect())
    }

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::known(["*"])
    }

    /// Whether this scope is among them.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        let kind = scope.rsplit_once('.').map_or("", |(_, kind)| kind);
        self.0.contains(scope)
            || self.0.contains("*")
            || self.0.iter().any(|known| known.strip_prefix("*.") == Some(kind))
    }
}

impl Sender {
    /// Checks that it may do this.
    ///
    /// # Errors
    /// The answer, 403 as RFC 6750 says.
    pub fn check(&self, scope: &str) -> Result<(), Problem> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        let problem = Problem::new(StatusCode::FORBIDDEN, format!("{} is not allowed {scope}", self.name));
        let challenge = HeaderValue::from_static(r#"Bearer error="insufficient_scope""#);
        Err(problem.with_header(WWW_AUTHENTICATE, challenge))
    }

    /// A line of the audit: it asked for what it may not do.
    pub(crate) fn audit_lack(&self, scope: &str, method: &Method, path: &str) {
        audit_refusal(method, path, self.address, &format!("{} lacks {scope}", self.name));
    }
}

/// A line of the audit: a credential that was refused, or that does not allow what was asked for. It names no credential.
pub fn audit_refusal(method: &Method, path: &str, address: Option<IpAddr>, reason: &str) {
    let address = address.map(tracing::field::display);
    tracing::warn!(target: "audit", %method, path, address, reason, "credential refused");
}

/// The extensions that say who sent an event (CloudEvents' extension "Auth Context"). A client cannot set them where the
/// edge knows its senders.
const ATTRIBUTES: [&str; 3] = ["ce_authtype", "ce_authid", "ce_authclaims"];

/// Writes who sent an event into its attributes.
pub(crate) fn sign(attributes: &mut Vec<(String, String)>, sender: Option<&Sender>) {
    let Some(Sender { name, kind, .. }) = sender else { return };
    attributes.retain(|(name, _)| !ATTRIBUTES.contains(&name.as_str()));
    let [kind_name, name_name, _] = ATTRIBUTES;
    attributes.push((kind_name.to_owned(), (*kind).to_owned()));
    attributes.push((name_name.to_owned(), name.to_string()));
}

/// The scope for writing to a topic.
pub(crate) fn write_scope(topic: &str) -> String {
    format!("{topic}.write")
}

/// Asks `access` before each request of these routes that needs something.
pub fn guard<S: Clone + Send + Sync + 'static>(router: Router<S>, access: Arc<dyn Access>) -> Router<S> {
    let needs = routes::Requirements::new();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let needs = needs.of(request.method(), matched_path(request.extensions()));
        let access = Arc::clone(&access);
        async move {
            let (mut head, body) = request.into_parts();
            match admitted(&*access, &head, needs) {
                Err(problem) => {
                    discard(&head.headers, body, Deadline::after(REFUSAL_TIMEOUT)).await;
                    routes::refusal(matched_path(&head.extensions), &head.headers, problem)
                }
                Ok(sender) => {
                    if let Some(sender) = sender {
                        head.extensions.insert(sender);
                    }
                    next.run(Request::from_parts(head, body)).await
                }
            }
        }
    }))
}

/// The path of the route that a request is for.
fn matched_path(extensions: &Extensions) -> &str {
    extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

/// Who sent a request that has what it needs.
fn admitted(access: &dyn Access, request: &Parts, needs: Needs) -> Result<Option<Sender>, Problem> {
    if needs == Needs::Nothing {
        return Ok(None);
    }
    let sender = access.admit(request)?;
    if let (Some(sender), Needs::Scope(scope)) = (&sender, needs) {
        sender.check(scope).inspect_err(|_| sender.audit_lack(scope, &request.method, request.uri.path()))?;
    }
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_itself_and_a_star_its_kind() {
        let scopes = Scopes::new(["orders.write", "*.read"]).unwrap();
        let allowed: Vec<_> = SCOPES.into_iter().filter(|scope| scopes.allow(scope)).collect();
        assert_eq!(allowed, ["orders.write", "notifications.read", "events.read", "status.read", "metrics.read"]);
        assert!(SCOPES.into_iter().all(|scope| Scopes::all().allow(scope)));
        assert!(!SCOPES.into_iter().any(|scope| Scopes::default().allow(scope)));
        assert_eq!(Scopes::new(["orders.write", "order.write"]), Err("order.write".to_owned()));
        assert_eq!(Scopes::known(["openid", "orders.write"]), Scopes::new(["orders.write"]).unwrap());
    }

    /// Every scope that a route needs exists.
    #[test]
    fn every_route_needs_a_scope_that_exists() {
        for route in routes::all() {
            if let Needs::Scope(scope) = route.needs {
                assert!(SCOPES.contains(&scope), "{} needs {scope}", route.path);
            }
        }
        for kind in millrace_domain::event::EVENT_TYPES {
            assert!(SCOPES.contains(&&*write_scope(kind.topic)), "no scope to write to {}", kind.topic);
        }
    }

    #[test]
    fn a_client_cannot_say_that_it_is_another() {
        let mut attributes =
            vec![("ce_subject".to_owned(), "a".to_owned()), ("ce_authid".to_owned(), "root".to_owned())];
        sign(&mut attributes, None);
        assert_eq!(attributes.len(), 2, "where senders are not known, extensions are the client's own");
        let shop = Sender { name: "shop".into(), kind: "api_key", scopes: Arc::default(), address: None };
        sign(&mut attributes, Some(&shop));
        let expected = [("ce_subject", "a"), ("ce_authtype", "api_key"), ("ce_authid", "shop")];
        assert_eq!(attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
