//! Why a stage failed, and whether it is tried again.

use millrace_domain::ErrorClass;
use millrace_objects::{GetError, PutError};
use thiserror::Error;

/// Why a stage failed for an object.
#[derive(Debug, Error)]
pub enum StageError {
    /// Records were not acknowledged.
    #[error("Kafka did not acknowledge the rows: {0}")]
    KafkaUnavailable(String),
    /// The object is not there (any more).
    #[error("{0}")]
    S3MissingFile(String),
    /// The object has a name under which it cannot be read.
    #[error("{0}")]
    ObjectName(String),
    /// No metrics can be made of the object.
    #[error("{0}")]
    MetricsGenerationFailed(String),
    /// A file cannot be merged with the others of its hour.
    #[error("{0}")]
    CompactionFailed(String),
    /// Athena did not register a partition.
    #[error("Athena did not register the partition: {0}")]
    AthenaUnavailable(String),
    /// The object store cannot be reached, or refused a call.
    #[error("{0}")]
    S3Unavailable(String),
    /// The bus did not take the event that the stage has ended.
    #[error("{0}")]
    BusUnavailable(String),
    /// This machine could not do it: its disk is full, say.
    #[error("{0}")]
    Local(String),
}

impl StageError {
    /// The state, as events and alarms name it.
    pub fn state(&self) -> &'static str {
        match self {
            Self::KafkaUnavailable(_) => "KafkaUnavailable",
            Self::S3MissingFile(_) => "S3MissingFile",
            Self::ObjectName(_) => "ObjectName",
            Self::MetricsGenerationFailed(_) => "MetricsGenerationFailed",
            Self::CompactionFailed(_) => "CompactionFailed",
            Self::AthenaUnavailable(_) => "AthenaUnavailable",
            Self::S3Unavailable(_) => "S3Unavailable",
            Self::BusUnavailable(_) => "BusUnavailable",
            Self::Local(_) => "Local",
        }
    }

    /// Whether it is worth another attempt.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::KafkaUnavailable(_)
            | Self::AthenaUnavailable(_)
            | Self::S3Unavailable(_)
            | Self::BusUnavailable(_)
            | Self::Local(_) => ErrorClass::Transient,
            Self::S3MissingFile(_)
            | Self::ObjectName(_)
            | Self::MetricsGenerationFailed(_)
            | Self::CompactionFailed(_) => ErrorClass::Permanent,
        }
    }
}

impl From<GetError> for StageError {
    fn from(error: GetError) -> Self {
        match &error {
            GetError::Missing { .. } => Self::S3MissingFile(error.to_string()),
            GetError::Name { .. } => Self::ObjectName(error.to_string()),
            GetError::Store { .. } | GetError::Timeout { .. } => Self::S3Unavailable(error.to_string()),
        }
    }
}

impl From<PutError> for StageError {
    fn from(error: PutError) -> Self {
        match &error {
            PutError::Store(_) | PutError::Timeout { .. } => Self::S3Unavailable(error.to_string()),
            PutError::File { .. } => Self::Local(error.to_string()),
        }
    }
}
