//! The function as AWS runs it: the binary, the Lambda Runtime API, a real Kafka.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod environments;
mod fatal;
mod fixture;
mod init;
mod outage;
mod payloads;
