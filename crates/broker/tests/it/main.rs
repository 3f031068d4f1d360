//! Brokers on this machine, as their users meet them: with real processes and real clients.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod apache;
mod client;
mod embedded;
mod process;
mod supervise;
