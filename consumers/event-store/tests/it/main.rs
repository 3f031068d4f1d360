//! The event store on a real Kafka and a real PostgreSQL.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod fixture;
mod kept;
mod killed;
mod process;
mod stops;
