//! What can go wrong between this process and a broker, by class.

use millrace_domain::ErrorClass;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

/// A call to Kafka failed.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// A setting that librdkafka refuses.
    #[error("the Kafka setting {name} cannot be {value:?}: {reason}")]
    Setting {
        /// librdkafka's name of the setting.
        name: String,
        /// Its value; empty for a secret.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// No broker answered in time.
    #[error("no broker answers at {bootstrap}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        bootstrap: String,
        /// librdkafka's account.
        reason: String,
    },
    /// A security set-up that does not work.
    #[error("cannot authenticate with Kafka: {0}")]
    Credentials(String),
    /// Anything else.
    #[error("{action}: {source}")]
    Call {
        /// What was being done.
        action: &'static str,
        /// What came back.
        source: RdKafkaError,
    },
}

impl KafkaError {
    /// For `map_err`: the call that failed, or the setting that librdkafka refused.
    pub fn call(action: &'static str) -> impl FnOnce(RdKafkaError) -> Self {
        move |source| match source {
            RdKafkaError::ClientConfig(_, reason, name, value) => Self::setting(name, value, reason),
            source => Self::Call { action, source },
        }
    }

    fn setting(name: String, value: String, reason: String) -> Self {
        let secret = name.contains("password");
        Self::Setting { value: if secret { String::new() } else { value }, name, reason }
    }

    /// What a host should do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Setting { .. } | Self::Credentials(_) => ErrorClass::Fatal,
            Self::Unreachable { .. } => ErrorClass::Transient,
            Self::Call { source, .. } => source.rdkafka_error_code().map_or(ErrorClass::Fatal, class_of),
        }
    }
}

/// The class of an error that came from a broker or from librdkafka itself.
pub fn class_of(code: Code) -> ErrorClass {
    match code {
        Code::Fatal
        | Code::Fenced
        | Code::InvalidProducerEpoch
        | Code::FencedInstanceId
        | Code::UnsupportedFeature
        | Code::UnsupportedVersion
        | Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TopicAuthorizationFailed => ErrorClass::Fatal,
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidTopic => ErrorClass::Permanent,
        _ => ErrorClass::Transient,
    }
}
