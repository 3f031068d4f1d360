//! Errors of the Kafka client, and their classes.

use std::fmt;

use millrace_domain::ErrorClass;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

/// A call to Kafka failed.
#[derive(Debug, Error)]
pub enum KafkaError {
    /// A setting that is missing, or that librdkafka refuses.
    #[error("the Kafka setting {name} cannot be {value:?}: {reason}")]
    Setting {
        /// The setting, by its flag and its variable.
        name: String,
        /// Its value; empty for a secret.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// No broker answered in time.
    #[error("no broker answers at {bootstrap}: {reason}")]
    Unreachable {
        /// The bootstrap servers.
        bootstrap: String,
        /// librdkafka's reason.
        reason: String,
    },
    /// Authentication cannot work with these settings.
    #[error("cannot authenticate with Kafka: {0}")]
    Credentials(String),
    /// Anything else.
    #[error("{action}: {source}")]
    Call {
        /// What was being done.
        action: &'static str,
        /// The error of the client.
        source: ClientError,
    },
}

/// An error of librdkafka. It displays as its reason alone, without the name of the code and of the call: the caller
/// names the call in the user's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError(pub RdKafkaError);

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RdKafkaError::Transaction(error) => f.write_str(without_origin(&error.string())),
            RdKafkaError::Canceled => f.write_str("the client was closed"),
            RdKafkaError::AdminOpCreation(reason)
            | RdKafkaError::ClientConfig(_, reason, _, _)
            | RdKafkaError::ClientCreation(reason)
            | RdKafkaError::PauseResume(reason)
            | RdKafkaError::Seek(reason)
            | RdKafkaError::Subscription(reason) => f.write_str(without_origin(reason)),
            error => match error.rdkafka_error_code() {
                Some(code) => f.write_str(&describe(code)),
                None => error.fmt(f),
            },
        }
    }
}

impl std::error::Error for ClientError {}

/// The description of an error code. Client-side errors are described in plain words instead of librdkafka's; those of
/// a broker keep Kafka's terms.
pub fn describe(code: Code) -> String {
    match code {
        Code::BrokerTransportFailure => "the connection failed".to_owned(),
        Code::AllBrokersDown => "no broker can be reached".to_owned(),
        Code::Resolve => "the host name cannot be resolved".to_owned(),
        Code::OperationTimedOut | Code::MessageTimedOut | Code::RequestTimedOut => "no answer in time".to_owned(),
        Code::Authentication | Code::SaslAuthenticationFailed => "authentication failed".to_owned(),
        code => {
            // Displayed as `Name (Origin: description)`.
            let text = code.to_string();
            let description = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
            description.map_or_else(|| text.clone(), |description| without_origin(description).to_owned())
        }
    }
}

/// librdkafka's text without its origin: a broker (`Broker: `) or the client (`Local: `).
fn without_origin(text: &str) -> &str {
    text.strip_prefix("Broker: ").or_else(|| text.strip_prefix("Local: ")).unwrap_or(text)
}

impl KafkaError {
    /// For `map_err`: the call that failed, or the setting that librdkafka refused.
    pub fn call(action: &'static str) -> impl FnOnce(RdKafkaError) -> Self {
        move |source| match source {
            RdKafkaError::ClientConfig(_, reason, property, value) => Self::setting(&property, value, reason),
            // librdkafka reads files only when a client is created; its reason begins with the property.
            RdKafkaError::ClientCreation(reason) if reason.starts_with("ssl.") => {
                let property = reason.split(' ').next().unwrap_or_default();
                Self::setting(property, String::new(), reason.clone())
            }
            source => Self::Call { action, source: ClientError(source) },
        }
    }

    /// No broker at `bootstrap` answered, because of `error`.
    pub fn unreachable(bootstrap: &str, error: RdKafkaError) -> Self {
        Self::Unreachable { bootstrap: bootstrap.to_owned(), reason: ClientError(error).to_string() }
    }

    /// The setting of one of librdkafka's properties.
    pub(crate) fn setting(property: &str, value: String, reason: String) -> Self {
        let name = if property == "bootstrap.servers" {
            "--kafka (KAFKA_BOOTSTRAP_SERVERS)".to_owned()
        } else {
            let variable = property.replace('.', "_").to_uppercase();
            format!("--kafka-{} (KAFKA_{variable})", property.replace('.', "-"))
        };
        let secret = property.contains("password");
        Self::Setting { value: if secret { String::new() } else { value }, name, reason }
    }

    /// What a host should do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Setting { .. } | Self::Credentials(_) => ErrorClass::Fatal,
            Self::Unreachable { .. } => ErrorClass::Transient,
            Self::Call { source, .. } => source.0.rdkafka_error_code().map_or(ErrorClass::Fatal, class_of),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_is_described_in_plain_words() {
        let failed = KafkaError::unreachable("broker:9092", RdKafkaError::MetadataFetch(Code::BrokerTransportFailure));
        assert_eq!(failed.to_string(), "no broker answers at broker:9092: the connection failed");
    }

    #[test]
    fn a_broker_error_keeps_kafkas_term() {
        let text = |error| ClientError(error).to_string();
        let unknown = RdKafkaError::MessageConsumption(Code::UnknownTopicOrPartition);
        assert_eq!(text(unknown), "Unknown topic or partition");
        assert_eq!(text(RdKafkaError::Seek("Local: Erroneous state".to_owned())), "Erroneous state");
    }

    #[test]
    fn a_failed_call_names_its_cause_once() {
        use std::error::Error as _;

        let failure = KafkaError::call("reading")(RdKafkaError::Global(Code::AllBrokersDown));
        assert_eq!(failure.to_string(), "reading: no broker can be reached");
        let cause = failure.source().expect("the client's error");
        assert!(failure.to_string().ends_with(&cause.to_string()) && cause.source().is_none());
    }

    #[test]
    fn a_refused_setting_is_named_by_flag_and_variable() {
        use rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID;

        let refused = |property: &str| {
            let (property, value) = (property.to_owned(), "wrong".to_owned());
            RdKafkaError::ClientConfig(RD_KAFKA_CONF_INVALID, "no".to_owned(), property, value)
        };
        let unreadable = RdKafkaError::ClientCreation("ssl.ca.location failed: no such file".to_owned());
        for (error, expected) in [
            (refused("bootstrap.servers"), r#"--kafka (KAFKA_BOOTSTRAP_SERVERS) cannot be "wrong": no"#),
            (refused("ssl.key.password"), r#"--kafka-ssl-key-password (KAFKA_SSL_KEY_PASSWORD) cannot be "": no"#),
            (unreadable, r#"--kafka-ssl-ca-location (KAFKA_SSL_CA_LOCATION) cannot be "": ssl.ca.location failed"#),
        ] {
            let text = KafkaError::call("creating a client")(error).to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn no_code_is_shown_by_its_name_or_origin() {
        for code in (-200..130).filter_map(|code| rdkafka::types::RDKafkaRespErr::try_from(code).ok()) {
            let text = describe(code.into());
            assert!(!text.is_empty() && !text.contains("Local: ") && !text.contains("Broker: "), "{text}");
        }
    }
}
