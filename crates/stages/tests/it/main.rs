//! The stages on a folder and the embedded broker.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod clean;
mod compact;
mod lake;
mod metrics;
mod watch;
