//! Size limits of dead-letter topics: what a topic takes, its dead-letter topic takes with the headers of a dead letter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::ErrorClass;
use millrace_domain::catalogue::{DEAD_LETTER_BYTES, dead_letter_limit, dead_letter_topic, source_topic};
use millrace_kafka::admin::AdminClient;
use millrace_kafka::{KafkaError, KafkaSettings};
use tokio::sync::Mutex;

/// Kafka's name for the largest batch that a topic takes, in bytes. A large record is a batch of its own.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// How large a batch of several letters may be, in bytes: librdkafka's default of `batch.size`, and what frames it.
const BATCH_BYTES: u64 = 1_000_000 + DEAD_LETTER_BYTES as u64;

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A broker applies a raised limit a moment after it has acknowledged it. After so many refusals below the limit it is the
/// batch that was refused, not the letter.
const LETTER_REFUSALS: u32 = 2;

/// After so many refusals below the limit the letter is given up.
const MAX_REFUSALS: u32 = 8;

/// Refusals for its size of a letter that its topic's limit allows.
#[derive(Debug, Default)]
pub(crate) struct Refusals(u32);

/// Raises the size limits of dead-letter topics.
#[derive(Debug, Clone)]
pub(crate) struct SizeLimits<'c> {
    kafka: &'c KafkaSettings,
    /// The client, once one was needed. One letter at a time asks: many may be refused at once.
    admin: Arc<Mutex<Option<AdminClient>>>,
}

impl<'c> SizeLimits<'c> {
    pub(crate) fn new(kafka: &'c KafkaSettings) -> Self {
        Self { kafka, admin: Arc::default() }
    }

    /// Raises the limit of the dead-letter topic `letters`, which refused a letter of so many bytes for its size. `Ok` where
    /// the letter is to be tried again.
    ///
    /// # Errors
    /// What to set by hand, where the limit may not be raised.
    pub(crate) async fn raise(&self, letters: &str, bytes: usize, refusals: &mut Refusals) -> Result<(), String> {
        match self.try_raise(letters, bytes, refusals).await {
            Ok(()) => Ok(()),
            Err(LimitError::Unavailable(error)) => {
                tracing::warn!(%error, topic = letters, "dead letter too large, comparing size limits failed, retrying");
                Ok(())
            }
            Err(error) => Err(format!("a dead letter of {bytes} bytes cannot be written to {letters}: {error}")),
        }
    }

    async fn try_raise(&self, letters: &str, bytes: usize, refusals: &mut Refusals) -> Result<(), LimitError> {
        let mut admin = self.admin.lock().await;
        let admin = match &mut *admin {
            Some(admin) => admin,
            none => none.insert(AdminClient::new(self.kafka).map_err(LimitError::Unavailable)?),
        };
        let source = match source_topic(letters) {
            Some(source) => limit(admin, source).await?,
            None => None,
        };
        let current = limit(admin, letters).await?;
        let mut required = required(source.unwrap_or(0), bytes as u64);
        if let Some(current) = current.filter(|&current| current >= required) {
            refusals.0 += 1;
            if refusals.0 >= MAX_REFUSALS {
                return Err(LimitError::Sufficient(current));
            }
            required = BATCH_BYTES;
            if refusals.0 < LETTER_REFUSALS || current >= required {
                return Ok(());
            }
        }
        set_limit(admin, letters, current, required).await
    }

    /// Raises the limits of the dead-letter topics of `topics` to what their sources take now. What may not be raised is
    /// logged: most records fit all the same.
    pub(crate) async fn raise_all(&self, topics: BTreeSet<String>) {
        let raised = async {
            let admin = AdminClient::new(self.kafka)?;
            // librdkafka's in-memory broker has no settings of topics, and no limits.
            if admin.is_in_memory(REQUEST_TIMEOUT).await? {
                return Ok(());
            }
            for topic in topics {
                let letters = dead_letter_topic(&topic);
                if let Err(error) = follow(&admin, &topic, &letters).await {
                    tracing::warn!(%error, topic = letters, "dead letters of the largest records would be refused");
                }
            }
            Ok::<_, KafkaError>(())
        };
        if let Err(error) = raised.await {
            tracing::warn!(%error, "comparing the size limits of dead-letter topics failed");
        }
    }
}

/// Raises the limit of `letters` where it is below what the letters of `source` need.
async fn follow(admin: &AdminClient, source: &str, letters: &str) -> Result<(), LimitError> {
    let (Some(source), Some(current)) = (limit(admin, source).await?, limit(admin, letters).await?) else {
        return Ok(());
    };
    let required = required(source, 0);
    if current >= required { Ok(()) } else { set_limit(admin, letters, Some(current), required).await }
}

/// The limit that a dead-letter topic needs for a letter of so many bytes from a topic with the limit `source`, which counts
/// compressed bytes: a record may be larger than its topic's limit.
fn required(source: u64, letter: u64) -> u64 {
    dead_letter_limit(u32::try_from(source.max(letter)).unwrap_or(u32::MAX)).into()
}

/// A topic's limit; `None` where there is no such topic, or nobody may ask.
async fn limit(admin: &AdminClient, topic: &str) -> Result<Option<u64>, LimitError> {
    match admin.topic_setting(topic, MAX_MESSAGE_BYTES, REQUEST_TIMEOUT).await {
        Ok(value) => Ok(value.and_then(|value| value.parse().ok())),
        Err(error) if is_answer(&error) => {
            tracing::debug!(%error, topic, "reading max.message.bytes was refused");
            Ok(None)
        }
        Err(error) => Err(LimitError::Unavailable(error)),
    }
}

async fn set_limit(admin: &AdminClient, letters: &str, current: Option<u64>, required: u64) -> Result<(), LimitError> {
    match admin.set_topic_setting(letters, MAX_MESSAGE_BYTES, required.to_string(), REQUEST_TIMEOUT).await {
        Ok(()) => {
            tracing::info!(topic = letters, before = current, now = required, "max.message.bytes raised");
            Ok(())
        }
        Err(error) => Err(LimitError::of(error, letters, required)),
    }
}

/// Why a limit was not raised.
#[derive(Debug, thiserror::Error)]
enum LimitError {
    /// No broker answered: it is tried again.
    #[error("{0}")]
    Unavailable(KafkaError),
    /// It may not be raised from here.
    #[error("raising max.message.bytes was refused ({error}); set max.message.bytes={required} on the topic {topic}")]
    Refused { error: KafkaError, topic: String, required: u64 },
    /// It is high enough.
    #[error("it is refused for its size although the topic's max.message.bytes is {0}")]
    Sufficient(u64),
}

impl LimitError {
    fn of(error: KafkaError, letters: &str, required: u64) -> Self {
        if is_answer(&error) {
            Self::Refused { error, topic: letters.to_owned(), required }
        } else {
            Self::Unavailable(error)
        }
    }
}

/// Whether a broker answered, and would again: it may not be done, or cannot be.
fn is_answer(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let KafkaError::Call { source, .. } = error else { return error.class() == ErrorClass::Fatal };
    let code = source.0.rdkafka_error_code();
    error.class() != ErrorClass::Transient
        || matches!(
            code,
            Some(Code::PolicyViolation | Code::InvalidConfig | Code::InvalidRequest | Code::UnknownTopicOrPartition)
        )
}

#[cfg(test)]
mod tests {
    use millrace_kafka::error::ClientError;
    use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode as Code};

    use super::*;

    fn error(code: Code) -> LimitError {
        let source = ClientError(RdKafkaError::Global(code));
        LimitError::of(KafkaError::Call { action: "changing a topic's settings", source }, "orders.dlq", 1_114_124)
    }

    #[test]
    fn a_limit_is_the_sources_or_a_larger_letters_and_64_kib() {
        assert_eq!(required(1_048_588, 0), 1_114_124);
        assert_eq!(required(1_000, 5_000_000), 5_065_536, "compressed on its topic");
        assert_eq!(required(2_147_483_647, 0), 2_147_483_647);
    }

    #[test]
    fn a_limit_that_may_not_be_raised_is_named_with_its_value() {
        for code in [Code::TopicAuthorizationFailed, Code::ClusterAuthorizationFailed, Code::PolicyViolation] {
            let text = error(code).to_string();
            assert!(text.ends_with("set max.message.bytes=1114124 on the topic orders.dlq"), "{text}");
        }
        assert!(matches!(error(Code::OperationTimedOut), LimitError::Unavailable(_)));
    }
}
