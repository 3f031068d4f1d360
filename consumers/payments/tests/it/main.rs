//! Payments on a real Kafka: as a library, and as processes that are killed, paused and stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bounce;
mod fixture;
mod fleet;
mod forms;
mod gateway;
mod kills;
mod live_reader;
mod load;
mod process;
mod slow_gateway;
mod stop;
mod zombie;
