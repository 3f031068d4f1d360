//! The function's binary on the Lambda Runtime API and a real Kafka.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod environments;
mod fatal;
mod fixture;
mod init;
mod metrics;
mod outage;
mod payloads;
