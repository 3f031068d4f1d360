//! The testkit against a real Kafka and a real PostgreSQL, and its servers against real clients.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod kafka;
mod postgres;
mod smtp;
mod webhook;
