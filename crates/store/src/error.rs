//! Errors of the store, and their classes.

use std::error::Error;

use millrace_domain::ErrorClass;

mod codes;
#[cfg(feature = "sqlite")]
mod sqlite;

pub(crate) use codes::{class_of, is_credential_refusal, is_lock_timeout, unstorable};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::is_lock_contention;

/// A call to the database failed. Nothing was written, except where the answer to a commit was lost: after a failed
/// write read [`next_offset`](crate::Store::next_offset) again. No error contains a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A URL that names no database.
    #[error("the database URL {reason}")]
    Url {
        /// The reason.
        reason: String,
    },
    /// No database answers.
    #[error("no database answers at {url}: {reason}")]
    Unreachable {
        /// The URL without its password.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The database answers and cannot be used: wrong password, no such database, no permission, another schema.
    #[error("the database {url} cannot be used: {reason}")]
    Unusable {
        /// The URL without its password.
        url: String,
        /// The reason.
        reason: String,
    },
    /// Another session held the migration lock for longer than the migrations wait.
    #[error("the database {url} cannot be migrated yet: {reason}")]
    NotMigrated {
        /// The URL without its password.
        url: String,
        /// The holder of the lock, or the database's reason.
        reason: String,
    },
    /// The stored offset of a partition is not the expected one: another owner of the partition has moved it, or the
    /// writer's own last commit has and its answer was lost. Nothing was written.
    #[error("the stored offset of {consumer} in {topic}/{partition} is not the expected {}", offset(*expected))]
    Superseded {
        /// The consumer.
        consumer: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that the writer expected.
        expected: Option<i64>,
    },
    /// Anything else.
    #[error("{action}: {source}")]
    Call {
        /// What was being done.
        action: &'static str,
        /// What a host should do about it.
        class: ErrorClass,
        /// The error of the database.
        source: Box<dyn Error + Send + Sync>,
    },
}

fn offset(expected: Option<i64>) -> String {
    expected.map_or_else(|| "unset".to_owned(), |offset| offset.to_string())
}

impl StoreError {
    /// What a host should do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } | Self::NotMigrated { .. } | Self::Superseded { .. } => ErrorClass::Transient,
            Self::Url { .. } | Self::Unusable { .. } => ErrorClass::Fatal,
            Self::Call { class, .. } => *class,
        }
    }

    /// For `map_err`: what was being done.
    pub(crate) fn call(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| Self::Call { action, class: class_of(&error), source: error.into() }
    }

    /// For `map_err`: the database could not be opened.
    pub(crate) fn opening(url: &str) -> impl FnOnce(sqlx::Error) -> Self {
        let url = url.to_owned();
        move |error| match class_of(&error) {
            _ if is_locked(&error) => Self::NotMigrated { url, reason: error.to_string() },
            ErrorClass::Transient => Self::Unreachable { url, reason: error.to_string() },
            ErrorClass::Permanent | ErrorClass::Fatal => Self::Unusable { url, reason: error.to_string() },
        }
    }

    /// A row with a value that this program does not write.
    pub(crate) fn unreadable(action: &'static str, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Call { action, class: ErrorClass::Fatal, source: reason.into() }
    }
}

/// Whether a lock of another connection was waited for in vain.
fn is_locked(error: &sqlx::Error) -> bool {
    #[cfg(feature = "sqlite")]
    if is_lock_contention(error) {
        return true;
    }
    is_lock_timeout(error)
}
