//! The event store on a real Kafka and a real PostgreSQL.
#![allow(clippy::unwrap_used)] // a test may panic

mod fixture;
mod kills;
mod process;
mod stops;
mod stored;
