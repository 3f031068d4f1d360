//! Brokers on this machine, with real processes and clients.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod apache;
mod client;
mod embedded;
mod process;
mod supervise;
