//! Millrace's programs, unmodified, started as by a user.
#![allow(clippy::unwrap_used)] // a panic fails the test

mod brokers;
mod collector;
mod compose;
mod core;
mod dev;
mod functions;
mod http;
mod lake;
mod metrics;
mod notifier;
mod parity;
mod pictures;
mod program;
mod rows;
mod spans;
