//! Errors of a delivery, and whether the record may be on a broker all the same.

use millrace_domain::ErrorClass;
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

use crate::error::{ClientError, class_of};
use crate::ffi::Persistence;

/// Why a record was not acknowledged. [`may_be_written`](Self::may_be_written) tells whether it may be on a broker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProduceError {
    /// The producer queue stayed full: the brokers do not keep up. Nothing was written.
    #[error("the producer's queue is full")]
    QueueFull,
    /// Nothing was written.
    #[error("the record was not written: {reason}")]
    NotWritten {
        /// What to do about it.
        class: ErrorClass,
        /// librdkafka's reason.
        reason: String,
    },
    /// The record is larger than the topic takes. Nothing was written.
    #[error("the record is larger than the topic takes")]
    TooLarge,
    /// The record was sent and not acknowledged: it may have been written.
    #[error("not acknowledged in time, the record may have been written: {reason}")]
    Unknown {
        /// librdkafka's reason.
        reason: String,
    },
    /// The producer was closed while the record was in flight: it may have been written.
    #[error("the producer was closed")]
    Closed,
}

impl ProduceError {
    pub(super) fn not_written(error: RdKafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge) => Self::TooLarge,
            code => Self::NotWritten {
                class: code.map_or(ErrorClass::Permanent, class_of),
                reason: ClientError(error).to_string(),
            },
        }
    }

    pub(super) fn undelivered(error: RdKafkaError, persistence: Persistence) -> Self {
        let not_written = Self::not_written(error);
        match persistence {
            Persistence::NotPersisted => not_written,
            Persistence::PossiblyPersisted | Persistence::Persisted => not_written.into_unknown(),
        }
    }

    /// The error with an unknown outcome: the record may have been written.
    pub(super) fn into_unknown(self) -> Self {
        match self {
            Self::NotWritten { reason, .. } => Self::Unknown { reason },
            Self::TooLarge => Self::Unknown { reason: Self::TooLarge.to_string() },
            other => other,
        }
    }

    /// What to do about it. An unknown outcome is transient: writing again under the same event id is safe.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotWritten { class, .. } => *class,
            Self::TooLarge => ErrorClass::Permanent,
            Self::QueueFull | Self::Unknown { .. } | Self::Closed => ErrorClass::Transient,
        }
    }

    /// Whether the record may be on a broker although this is an error.
    pub fn may_be_written(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Closed)
    }
}
