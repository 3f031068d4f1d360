//! Log shipper: from records to objects and Firehose entries.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "firehose")]
mod firehose;
mod folder;
mod kills;
mod program;
mod shipped;
