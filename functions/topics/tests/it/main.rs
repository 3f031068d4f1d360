//! The function `topics`, unmodified, on a real Kafka.

#![allow(clippy::unwrap_used, reason = "tests")]

mod applied;
mod logs;
mod refused;

use millrace_testkit::kafka::Kafka;
use millrace_testkit::lambda::Function;
use serde_json::Value;

/// The function on this broker.
fn function_on(kafka: &Kafka) -> Function {
    Function::new(env!("CARGO_BIN_EXE_millrace-topics")).variable("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
}

/// The catalogue's file.
fn catalogue() -> Value {
    serde_json::from_str(include_str!("../../../../crates/domain/topics.json")).unwrap()
}
