//! Millrace's programs, unmodified, as a user runs them.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod brokers;
mod core;
mod dev;
mod http;
mod notifier;
mod parity;
mod program;
