//! The consumer runtime on a real Kafka.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod fixture;
mod groups;
mod keyed;
mod membership;
mod metrics;
mod size_limit;
mod spill;
