//! Log indexer: from records to documents.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod indexed;
mod kills;
mod program;
mod retention;
mod rows;
