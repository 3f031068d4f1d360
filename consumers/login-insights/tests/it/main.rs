//! Login insights: from login records to insights and files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
#[cfg(feature = "s3")]
mod bucket;
mod embedded;
mod exactly_once;
mod files;
mod logins;
mod process;
mod program;
mod records;
