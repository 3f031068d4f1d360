//! The notifier: from records to what destinations receive. Most tests need no broker.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod fallbacks;
mod isolation;
mod mail;
mod process;
mod proxies;
mod recorded;
mod records;
mod redirects;
mod running;
mod setup;
mod stops;
mod tls;
mod webhooks;
