//! Proxy selection: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.

use std::ffi::OsString;
use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use millrace_host::exit::SettingError;
use url::{Host, Url};

/// The proxies of the environment. Each is validated when a URL first needs it.
pub struct Proxies {
    https: Option<Variable>,
    http: Option<Variable>,
    all: Option<Variable>,
    none: Option<Variable>,
}

/// An environment variable. Its value may hold a password.
struct Variable {
    name: String,
    value: Result<String, OsString>,
}

impl Proxies {
    /// Reads the variables, in upper case or else in lower case, from an environment such as [`std::env::var_os`]. An
    /// empty one counts as unset.
    pub fn read(environment: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name: &str| {
            [name.to_owned(), name.to_lowercase()].into_iter().find_map(|name| {
                let value = environment(&name)?.into_string().map(|value| value.trim().to_owned());
                (value.as_deref() != Ok("")).then_some(Variable { name, value })
            })
        };
        let [https, http, all, none] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"].map(variable);
        Self { https, http, all, none }
    }

    /// The proxy for this URL; `None` where it is reached directly, as this machine always is.
    ///
    /// # Errors
    /// Names the variable whose value is not a proxy URL.
    pub fn of(&self, url: &Url) -> Result<Option<Url>, SettingError> {
        let own = if url.scheme() == "https" { &self.https } else { &self.http };
        let exceptions = self.none.as_ref().map_or(Ok(""), Variable::text)?;
        match own.as_ref().or(self.all.as_ref()) {
            Some(variable) if !is_local(url) && intercepts("http://proxy", exceptions, url) => {
                variable.proxy(url).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl Variable {
    fn text(&self) -> Result<&str, SettingError> {
        self.value.as_deref().map_err(|_| SettingError::new(&self.name, "is not UTF-8"))
    }

    fn proxy(&self, destination: &Url) -> Result<Url, SettingError> {
        let invalid = |problem: String| SettingError::new(&self.name, problem);
        let text = self.text()?;
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&text).map_err(|error| invalid(format!("is not a proxy URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!("must begin with http:// or https://, not {}:", url.scheme())));
        }
        // reqwest would silently ignore it, and connect directly.
        if !intercepts(url.as_str(), "", destination) {
            return Err(invalid("is not a proxy URL".to_owned()));
        }
        Ok(url)
    }
}

/// Whether a client with this proxy and these exceptions connects to a URL through it.
fn intercepts(proxy: &str, exceptions: &str, url: &Url) -> bool {
    // The client cannot connect to a URL that it cannot parse.
    let Ok(uri) = url.as_str().parse() else { return true };
    Matcher::builder().all(proxy).no(exceptions).build().intercept(&uri).is_some()
}

/// Whether a URL names this machine. For a proxy it would name the proxy's machine.
fn is_local(url: &Url) -> bool {
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(found.1.into())
        })
    }

    fn of(variables: &[(&str, &str)], url: &str) -> Option<String> {
        proxies(variables).of(&url.parse().unwrap()).unwrap().map(String::from)
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_is_the_default() {
        let each = [("HTTPS_PROXY", "http://s:3128"), ("http_proxy", "p:3129"), ("ALL_PROXY", "https://a")];
        assert_eq!(of(&each, "https://b.org").unwrap(), "http://s:3128/");
        assert_eq!(of(&each, "http://b.org").unwrap(), "http://p:3129/");
        assert_eq!(of(&each[2..], "http://b.org").unwrap(), "https://a/");
        assert_eq!(of(&[("https_proxy", "http://u:p@s:3128")], "https://b.org").unwrap(), "http://u:p@s:3128/");
        assert_eq!(of(&each[..1], "http://b.org"), None);
        assert_eq!(of(&[("HTTPS_PROXY", " ")], "https://b.org"), None);
        assert_eq!(of(&[], "https://b.org"), None);
    }

    #[test]
    fn excluded_hosts_and_this_machine_are_reached_directly() {
        let variables = [("ALL_PROXY", "http://s:3128"), ("NO_PROXY", "b.org, 192.0.2.0/24,.c.org,2001:db8::1")];
        for url in [
            "https://b.org",
            "https://x.b.org:8443/a",
            "http://192.0.2.7",
            "https://x.c.org",
            "https://[2001:db8::1]/",
            "http://localhost:8080",
            "http://api.localhost",
            "http://127.0.0.1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert_eq!(of(&variables, url), None, "{url}");
        }
        for url in ["https://bb.org", "http://192.0.3.7", "https://[2001:db8::2]/", "http://10.0.0.1"] {
            assert!(of(&variables, url).is_some(), "{url}");
        }
        assert_eq!(of(&[("HTTPS_PROXY", "http://s"), ("NO_PROXY", "*")], "https://b.org"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        for unreadable in ["HTTPS_PROXY", "NO_PROXY"] {
            let proxies = Proxies::read(|name| (name == unreadable).then(|| OsString::from_vec(vec![0xff])));
            let error = proxies.of(&"https://b.org".parse().unwrap()).unwrap_err();
            assert_eq!(error.to_string(), format!("{unreadable}: is not UTF-8"));
        }
    }

    #[test]
    fn an_invalid_proxy_is_refused_where_it_would_be_used() {
        for (value, problem) in [
            ("socks5://user:secret@s:1080", "must begin with http:// or https://, not socks5:"),
            ("http://", "is not a proxy URL: empty host"),
            ("user:secret@", "is not a proxy URL: empty host"),
            (&format!("http://{}@s", "x".repeat(70_000)), "is not a proxy URL"),
        ] {
            let invalid = proxies(&[("https_proxy", value)]);
            let error = invalid.of(&"https://b.org".parse().unwrap()).unwrap_err();
            assert_eq!(error.to_string(), format!("https_proxy: {problem}"));
            assert_eq!(invalid.of(&"http://b.org".parse().unwrap()).unwrap(), None);
        }
    }
}
