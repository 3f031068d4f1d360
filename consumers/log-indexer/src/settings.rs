//! The settings of the log indexer, for every host.

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use millrace_consumer::BatchLimits;
use millrace_host::exit::SettingError;
use millrace_host::settings::{duration, whole_number};
use url::Url;

/// The longest that rows may wait for more.
const AGE_LIMIT: Duration = Duration::from_secs(60);

/// Accepted range of `--index-timeout`.
const TIMEOUT_RANGE: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(5)];

/// For how long indices are kept where nothing else is said.
const RETAIN: Duration = Duration::from_hours(30 * 24);

/// Accepted range of `--index-retain`.
const RETAIN_RANGE: [Duration; 2] = [Duration::from_hours(24), Duration::from_hours(100 * 366 * 24)];

/// How many bytes of records are indexed at once, in several calls of `_bulk`: with each batch a partition is paused and fetched
/// again.
const BATCH_BYTES: usize = 16 << 20;

/// The consumer's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log indexer")]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {
    /// The OpenSearch cluster.
    #[arg(
        long,
        value_name = "URL",
        help = "OpenSearch cluster in which cleaned logs are indexed, such as https://USER:PASSWORD@search:9200 [default in \
                millrace dev: none, and log-indexer does not run]"
    )]
    pub index_to: Option<String>,

    /// Whether requests are signed with AWS credentials.
    #[arg(
        long,
        help = "Sign requests with the environment's AWS credentials, as Amazon OpenSearch Service asks for (needs the cargo \
                feature aws)"
    )]
    pub index_sign: bool,

    /// The prefix of the indices' names.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "millrace-logs",
        value_parser = index_prefix,
        help = "Prefix of the indices, one for each day, such as millrace-logs-2026.01.31; also the name of their template"
    )]
    pub index_prefix: String,

    /// How long indices are kept.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = retain,
        help = "Delete the indices of days older than this, of those that log-indexer made; rows that are older are not indexed \
                [default: 30d; in millrace dev all are kept]"
    )]
    pub index_retain: Option<Duration>,

    /// How long a call may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = timeout)]
    pub index_timeout: Duration,

    /// How long rows wait for more before they are indexed
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = batch_age)]
    pub index_batch_age: Duration,

    /// The most rows of a partition that are indexed at once
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = whole_number::<usize>(1..=100_000))]
    pub index_batch_records: usize,
}

impl Settings {
    /// For how long indices are kept; `None`: for ever. `is_local` in `millrace dev`, which may write to a cluster where others
    /// keep theirs longer.
    pub(crate) fn retain(&self, is_local: bool) -> Option<SignedDuration> {
        let retain = self.index_retain.or((!is_local).then_some(RETAIN))?;
        Some(SignedDuration::try_from(retain).unwrap_or(SignedDuration::MAX))
    }

    /// The cluster's URL; `None` where there is none.
    ///
    /// # Errors
    /// [`SettingError`] where it is none. It may hold a password, which is not shown.
    pub(crate) fn cluster(&self) -> Result<Option<Url>, SettingError> {
        let wrong = |problem: String| SettingError::of_flag("index-to", problem);
        self.index_to.as_deref().map(cluster_url).transpose().map_err(wrong)
    }

    /// When rows are indexed.
    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits { records: self.index_batch_records, bytes: BATCH_BYTES, age: self.index_batch_age }
    }
}

fn cluster_url(text: &str) -> Result<Url, String> {
    let expected = || {
        "expected http:// or https:// with a host, such as https://search:9200; special characters of a user or a password are \
         percent-encoded"
            .to_owned()
    };
    let url = Url::parse(text).map_err(|_| expected())?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_http {
        return Err(expected());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("is the URL of a cluster, without a query".to_owned());
    }
    Ok(url)
}

/// OpenSearch's names of indices are lower case, and begin with neither `_`, `-` nor `.` here: those of its own do.
fn index_prefix(text: &str) -> Result<String, String> {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let is_prefix =
        (1..=100).contains(&text.len()) && text.bytes().all(is_allowed) && text.as_bytes()[0].is_ascii_alphanumeric();
    let expected = "expected up to 100 lower-case letters, digits, - _ and ., a letter or digit first";
    is_prefix.then(|| text.to_owned()).ok_or_else(|| expected.to_owned())
}

fn retain(text: &str) -> Result<Duration, String> {
    let [least, most] = RETAIN_RANGE;
    let retain = duration(text)?;
    let is_within = (least..=most).contains(&retain);
    is_within.then_some(retain).ok_or_else(|| "must be from 1d to 100 years, such as 30d".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let [least, most] = TIMEOUT_RANGE;
    let timeout = duration(text)?;
    (least..=most).contains(&timeout).then_some(timeout).ok_or_else(|| "must be from 1s to 5m".to_owned())
}

fn batch_age(text: &str) -> Result<Duration, String> {
    let age = duration(text)?;
    (age <= AGE_LIMIT).then_some(age).ok_or_else(|| "is at most 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_a_url_of_http() {
        for right in ["http://127.0.0.1:9200", "https://user:pa%20ss@search.example.com/es/"] {
            assert_eq!(cluster_url(right).unwrap().as_str().trim_end_matches('/'), right.trim_end_matches('/'));
        }
        for wrong in ["", "search:9200", "127.0.0.1:9200", "ftp://search", "https://search/?a=b", "https://search/#a"] {
            assert!(cluster_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_the_beginning_of_an_index_name() {
        for right in ["millrace-logs", "a", "9_logs.eu"] {
            assert_eq!(index_prefix(right).as_deref(), Ok(right));
        }
        for wrong in ["", "Logs", "-logs", "_logs", ".logs", "logs*", "a/b", "a b", &"x".repeat(101)] {
            assert!(index_prefix(wrong).is_err(), "{wrong}");
        }
    }
}
