//! Log lines, errors and OAUTHBEARER tokens of every librdkafka client of this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};

use crate::error::{ClientError, KafkaError};
use crate::settings::KafkaSettings;

/// A client context that logs. The contexts of producers and group members contain one.
#[derive(Debug, Clone, Default)]
pub struct LoggingContext {
    last_error: Arc<Mutex<Option<Instant>>>,
    is_quiet: bool,
    #[cfg(feature = "msk")]
    tokens: Option<crate::msk::Tokens>,
}

/// The shortest time between two errors logged as warnings.
const ERROR_LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Whether librdkafka asks clients for tokens; it does so only with the mechanism OAUTHBEARER.
pub const ASKS_FOR_TOKENS: bool = cfg!(feature = "msk");

impl LoggingContext {
    #[cfg_attr(not(feature = "msk"), allow(clippy::unnecessary_wraps, unused_variables))]
    /// A context for clients with these settings.
    ///
    /// # Errors
    /// [`KafkaError`] where AWS credentials for IAM are missing.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        Ok(Self {
            last_error: Arc::default(),
            is_quiet: false,
            #[cfg(feature = "msk")]
            tokens: settings.uses_iam().then(crate::msk::Tokens::from_environment).transpose()?,
        })
    }

    /// Logs errors at debug level, for a client whose calls return them.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// Whether to log an error as a warning. While brokers are unreachable, errors come many times a second; one every
    /// few seconds is enough.
    fn should_warn(&self) -> bool {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let warns = !self.is_quiet && last.is_none_or(|last| last.elapsed() >= ERROR_LOG_INTERVAL);
        if warns {
            *last = Some(Instant::now());
        }
        warns
    }

    #[cfg_attr(not(feature = "msk"), allow(clippy::unused_self))]
    /// An OAUTHBEARER token, for a context's `generate_oauth_token`.
    ///
    /// # Errors
    /// No token provider is configured, or it failed.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        #[cfg(feature = "msk")]
        if let Some(tokens) = &self.tokens {
            return tokens.generate();
        }
        Err("no OAUTHBEARER token provider is configured".into())
    }
}

impl ClientContext for LoggingContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{line}");
            }
            // A coordinator that has just started answers so, and the next attempt is a moment later.
            RDKafkaLogLevel::Warning if facility == "GETPID" && line.ends_with(": retrying") => {
                tracing::debug!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{line}"),
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
        }
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        // Not an error: a consumer with `enable.partition.eof` receives it as a result.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        // librdkafka recovers from these by itself; others arrive with a record or as a fatal error.
        let error = ClientError(error);
        if self.should_warn() {
            tracing::warn!(target: "librdkafka", %error, "{reason}");
        } else {
            tracing::debug!(target: "librdkafka", %error, "{reason}");
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.token()
    }
}

impl ConsumerContext for LoggingContext {}
