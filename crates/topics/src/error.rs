//! Why topics were not made.

use millrace_broker::topics::Error;
use millrace_kafka::KafkaError;
use millrace_kafka::error::{ClientError, describe};

/// The topics are not, or not all of them, as the catalogue says. What was changed before stays: a second run finishes.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// No broker answers, or a client setting is wrong.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// An embedded broker has the catalogue's topics from its start.
    #[error("{address} is the embedded broker of a millrace dev: it has the catalogue's topics and cannot change them")]
    Embedded {
        /// Its address.
        address: String,
    },
    /// A broker refused a change, or it took too long.
    #[error("changing topics on {bootstrap_servers}: {reason}")]
    Change {
        /// The brokers' addresses.
        bootstrap_servers: String,
        /// What a broker said.
        reason: String,
    },
    /// A broker refused a setting.
    #[error("{topic}: {setting}: {source}")]
    Setting {
        /// The topic.
        topic: String,
        /// The setting, by Kafka's name.
        setting: &'static str,
        /// What a broker said.
        source: KafkaError,
    },
}

impl TopicsError {
    /// The error with the brokers' address, and without repeated causes.
    pub(crate) fn change(error: Error, bootstrap_servers: &str) -> Self {
        let reason = match error {
            Error::Unreachable { bootstrap_servers, source, .. } => {
                return KafkaError::unreachable(&bootstrap_servers, source).into();
            }
            Error::Client(source) => ClientError(source).to_string(),
            Error::Refused { topic, code } => format!("the broker refused {topic}: {}", describe(code)),
            error @ Error::NotReady { .. } => error.to_string(),
        };
        Self::Change { bootstrap_servers: bootstrap_servers.to_owned(), reason }
    }
}
