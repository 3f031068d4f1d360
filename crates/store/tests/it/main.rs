//! The store on both of its databases: each test runs on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod connecting;
mod events;
mod fencing;
mod fixture;
mod foreign;
mod migrating;
mod model;
mod notifications;
mod outage;
mod retention;
mod unstorable;
