//! Route paths, without API Gateway's stage and base path.

use std::str::FromStr;

use lambda_http::http::Uri;
use lambda_http::http::uri::PathAndQuery;
use lambda_http::request::RequestContext;

/// The base path of a custom domain's mapping: `/` and segments, without a trailing `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BasePath(String);

impl FromStr for BasePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_path = path.len() > 1 && path.starts_with('/') && PathAndQuery::from_str(path).is_ok();
        if is_path && !path.contains('?') { Ok(Self(path.to_owned())) } else { Err("must be a path, such as /intake") }
    }
}

/// The URI without the stage, which API Gateway or `lambda_http` prepends, and without the base path.
pub(crate) fn of_route(uri: &Uri, origin: Option<&RequestContext>, base_path: Option<&BasePath>) -> Uri {
    let mut path = uri.path();
    if let Some(stage) = origin.and_then(stage) {
        path = after(path, &format!("/{stage}")).unwrap_or(path);
    }
    if let Some(base_path) = base_path {
        path = after(path, &base_path.0).unwrap_or(path);
    }
    if path == uri.path() {
        return uri.clone();
    }
    let path_and_query = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    // The rest of a path from a `/` on is a valid path.
    PathAndQuery::from_maybe_shared(path_and_query).map_or_else(|_| uri.clone(), Uri::from)
}

/// The stage in the path. HTTP APIs and function URLs have the stage `$default`, which is in no path.
fn stage(origin: &RequestContext) -> Option<&str> {
    let stage = match origin {
        RequestContext::ApiGatewayV1(rest_api) => rest_api.stage.as_deref(),
        RequestContext::ApiGatewayV2(http_api) => http_api.stage.as_deref(),
        _ => None,
    };
    stage.filter(|stage| *stage != "$default")
}

/// The rest of the path after these whole segments.
fn after<'a>(path: &'a str, segments: &str) -> Option<&'a str> {
    match path.strip_prefix(segments)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(uri: &str, base_path: &str) -> String {
        of_route(&uri.parse().unwrap(), None, Some(&base_path.parse().unwrap())).to_string()
    }

    #[test]
    fn a_base_path_is_removed_by_whole_segments() {
        assert_eq!(route("/intake/orders?a=1", "/intake"), "/orders?a=1");
        assert_eq!(route("https://example.com/a/b/orders", "/a/b/"), "/orders");
        assert_eq!(route("/intake", "/intake"), "/");
        assert_eq!(route("/intakes/orders", "/intake"), "/intakes/orders");
        assert_eq!(route("/orders", "/intake"), "/orders");
    }

    #[test]
    fn an_invalid_base_path_is_refused() {
        for wrong in ["", "/", "intake", "/a?b", "/a b"] {
            assert!(wrong.parse::<BasePath>().is_err(), "{wrong:?}");
        }
    }
}
