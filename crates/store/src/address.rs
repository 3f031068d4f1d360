//! Database URLs: parsing, and their form without the password.

use std::path::Path;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr as _;

#[cfg(feature = "sqlite")]
use percent_encoding::percent_decode_str;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::StoreError;

/// Characters that a path in a URL must escape.
const PATH_ESCAPES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?');

/// A database to connect to.
#[derive(Debug)]
pub(crate) enum Address {
    Postgres {
        options: Box<PgConnectOptions>,
        /// The ARN or name of a secret with user and password.
        secret: Option<String>,
    },
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
}

/// The URL of a SQLite file, percent-encoded: `sqlite:///absolute/path`.
pub fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", utf8_percent_encode(&path.to_string_lossy(), PATH_ESCAPES))
}

/// Checks that a URL names a database, without connecting to it.
///
/// # Errors
/// [`StoreError::Url`] with the reason.
pub fn check_url(url: &str) -> Result<(), StoreError> {
    Address::parse(url).map(drop)
}

impl Address {
    /// Parses a URL. Also returns the URL to display, without a password.
    pub(crate) fn parse(url: &str) -> Result<(Self, String), StoreError> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => postgres(url),
            #[cfg(feature = "sqlite")]
            "sqlite" => sqlite(url),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(invalid("names SQLite, which is not in this build (cargo feature `sqlite`)")),
            _ => Err(invalid("must begin with postgres://, postgresql:// or sqlite://")),
        }
    }
}

fn postgres(text: &str) -> Result<(Address, String), StoreError> {
    let mut url = Url::parse(text).map_err(|error| invalid(format!("is not valid: {error}")))?;
    let secret = take_parameter(&mut url, "secret");
    let options = PgConnectOptions::from_str(url.as_str());
    let options = options.map_err(|error| invalid(format!("is not valid: {error}")))?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("millrace"),
    };
    // It fails only for a URL that cannot have a password.
    let _ = url.set_password(None);
    take_parameter(&mut url, "password");
    let options = Box::new(options.disable_statement_logging());
    Ok((Address::Postgres { options, secret }, url.into()))
}

/// Removes a parameter of the URL's query, and returns its value.
fn take_parameter(url: &mut Url, wanted: &str) -> Option<String> {
    let (taken, others): (Vec<_>, Vec<_>) = url.query_pairs().into_owned().partition(|(name, _)| name == wanted);
    let (_, value) = taken.into_iter().next()?;
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Some(value)
}

#[cfg(feature = "sqlite")]
fn sqlite(text: &str) -> Result<(Address, String), StoreError> {
    let rest = text.strip_prefix("sqlite:").unwrap_or(text);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains('?') {
        return Err(invalid("takes no parameters for SQLite; a ? in a path is written %3F"));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid("is not UTF-8"))?;
    if path.is_empty() {
        return Err(invalid("names no file: sqlite:///absolute/path or sqlite://relative"));
    }
    if path == ":memory:" {
        return Err(invalid("must name a file: connections do not share a database in memory"));
    }
    let path = std::path::absolute(&*path).map_err(|error| invalid(format!("names no file: {error}")))?;
    let display_url = sqlite_url(&path);
    Ok((Address::Sqlite(path), display_url))
}

fn invalid(reason: impl Into<String>) -> StoreError {
    StoreError::Url { reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn display_url(url: &str) -> String {
        Address::parse(url).unwrap().1
    }

    fn error(url: &str) -> String {
        let error = Address::parse(url).unwrap_err();
        assert_eq!(error.class(), millrace_domain::ErrorClass::Fatal);
        error.to_string()
    }

    #[test]
    fn the_display_url_has_no_password() {
        assert_eq!(
            display_url("postgres://ann:secret@db:5433/mill?sslmode=require"),
            "postgres://ann@db:5433/mill?sslmode=require"
        );
        assert_eq!(display_url("postgresql://db/mill?user=ann&password=secret"), "postgresql://db/mill?user=ann");
        assert_eq!(display_url("postgres://db/mill?password=secret"), "postgres://db/mill");
    }

    #[test]
    fn a_secret_is_no_parameter_of_the_connection() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!cluster-1-AbCdEf";
        let (address, url) = Address::parse(&format!("postgres://db/mill?sslmode=require&secret={arn}")).unwrap();
        let Address::Postgres { secret, .. } = address else { panic!("not PostgreSQL") };
        assert_eq!((secret.as_deref(), &*url), (Some(arn), "postgres://db/mill?sslmode=require"));
    }

    #[test]
    fn a_sqlite_path_is_displayed_as_absolute() {
        assert_eq!(display_url("sqlite:///var/lib/mill.db"), "sqlite:///var/lib/mill.db");
        let here = std::env::current_dir().unwrap();
        assert_eq!(display_url("sqlite://mill.db"), sqlite_url(&here.join("mill.db")));
    }

    #[test]
    fn any_path_round_trips_through_its_url() {
        let path = Path::new("/a b/100%/#?ü.db");
        let (Address::Sqlite(read), again) = Address::parse(&sqlite_url(path)).unwrap() else { panic!("not SQLite") };
        assert_eq!((read.as_path(), again), (path, sqlite_url(path)));
    }

    #[test]
    fn an_invalid_url_is_an_error_without_its_password() {
        assert!(error("mysql://db").contains("must begin with postgres://"));
        assert!(error("").contains("must begin with"));
        assert!(error("sqlite://").contains("names no file"));
        assert!(error("sqlite::memory:").contains("in memory"));
        assert!(error("sqlite:///a.db?mode=ro").contains("no parameters"));
        let port = error("postgres://ann:secret@db:port/mill");
        assert!(port.contains("invalid port") && !port.contains("secret"), "{port}");
        assert!(error("postgres://ann:secret@db/mill?sslmode=tls").contains("tls"));
    }
}
