//! Millrace's programs, unmodified, as a user runs them.

mod brokers;
mod dev;
mod http;
mod notifier;
mod program;
