//! What every librdkafka client of this process does with its log lines, its errors and its tokens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};

use crate::error::{ClientError, KafkaError};
use crate::settings::KafkaSettings;

/// The context of clients that need no more, and part of the contexts of producers and group members.
#[derive(Debug, Clone, Default)]
pub struct LoggingContext {
    last_error: Arc<Mutex<Option<Instant>>>,
    is_quiet: bool,
    #[cfg(feature = "msk")]
    tokens: Option<crate::msk::Tokens>,
}

/// From one error that is shown to the next.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

/// Whether clients are asked for tokens at all; it matters only where the mechanism is OAUTHBEARER.
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

    /// The same, for a client whose callers are told of its errors anyway.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// Whether an error is to be shown. While brokers are away errors come many times a second, and one in a while
    /// says as much.
    fn shows_error(&self) -> bool {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let shows = !self.is_quiet && last.is_none_or(|last| last.elapsed() >= ERROR_PAUSE);
        if shows {
            *last = Some(Instant::now());
        }
        shows
    }

    #[cfg_attr(not(feature = "msk"), allow(clippy::unused_self))]
    /// An OAUTHBEARER token, for a context's `generate_oauth_token`.
    ///
    /// # Errors
    /// There is no source of tokens, or it failed.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        #[cfg(feature = "msk")]
        if let Some(tokens) = &self.tokens {
            return tokens.generate();
        }
        Err("no source of tokens is set up".into())
    }
}

impl ClientContext for LoggingContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ASKS_FOR_TOKENS;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{line}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{line}"),
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
        }
    }

    fn error(&self, error: RdKafkaError, reason: &str) {
        // The end of a partition is news for whoever asked to be told, and no error.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        // librdkafka recovers from these by itself; what it cannot recover from arrives with a record or as a fatal error.
        let error = ClientError(error);
        if self.shows_error() {
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
