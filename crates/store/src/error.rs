//! What can go wrong between this process and its database, by class.

use std::error::Error;

use millrace_domain::ErrorClass;

mod codes;

pub(crate) use codes::{class_of, is_lock_contention, is_lock_timeout, unstorable};

/// A call to the database failed. What it was to write is not written, but for a commit whose answer was lost: after
/// any failure of a write ask for [`next_offset`](crate::Store::next_offset) again. No password is in any of them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A URL that names no database.
    #[error("the database URL {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// No database answers, or not yet.
    #[error("no database answers at {url}: {reason}")]
    Unreachable {
        /// The URL without its password.
        url: String,
        /// What was seen instead.
        reason: String,
    },
    /// The database is there and cannot be used: a wrong password, no such database, no permission, another schema.
    #[error("the database {url} cannot be used: {reason}")]
    Unusable {
        /// The URL without its password.
        url: String,
        /// What it says.
        reason: String,
    },
    /// The database answers, and somebody else kept it locked for longer than the migrations wait.
    #[error("the database {url} cannot be migrated yet: {reason}")]
    NotMigrated {
        /// The URL without its password.
        url: String,
        /// Who holds the lock, or what the database says.
        reason: String,
    },
    /// The offset of a partition is not what the writer believes: another owner of the partition has moved it, or the
    /// writer's own last commit did so and its answer was lost. Nothing was written.
    #[error("{consumer} has moved on in {topic}/{partition}: its offset is no longer {}", offset(*expected))]
    Superseded {
        /// Whose offset.
        consumer: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the writer believed.
        expected: Option<i64>,
    },
    /// Anything else.
    #[error("{action}: {source}")]
    Call {
        /// What was being done.
        action: &'static str,
        /// What a host should do about it.
        class: ErrorClass,
        /// What came back.
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
            _ if is_lock_timeout(&error) || is_lock_contention(&error) => {
                Self::NotMigrated { url, reason: error.to_string() }
            }
            ErrorClass::Transient => Self::Unreachable { url, reason: error.to_string() },
            ErrorClass::Permanent | ErrorClass::Fatal => Self::Unusable { url, reason: error.to_string() },
        }
    }

    /// A row that this program did not write so.
    pub(crate) fn unreadable(action: &'static str, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Call { action, class: ErrorClass::Fatal, source: reason.into() }
    }
}
