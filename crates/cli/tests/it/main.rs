//! The `millrace` command as its users run it: a process, on a real Kafka.
#![allow(clippy::unwrap_used, reason = "a panic is a test failure")]

mod access;
mod backup;
mod broken_brokers;
mod configuration;
mod consume;
mod cost;
mod dev;
mod embedded;
mod lake;
mod millrace;
mod order;
mod replay;
mod replay_identity;
mod replay_interrupted;
mod retain;
mod serve;
mod settings;
mod status;
mod tail;
mod terminal;
#[cfg(feature = "jwt")]
mod tokens;
mod topics;
mod topology;
mod trace;
