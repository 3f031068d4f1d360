//! The `millrace` command as its users run it: a process, on a real Kafka.

mod broken_brokers;
mod consume;
mod embedded;
mod millrace;
mod replay;
mod replay_interrupted;
mod settings;
mod tail;
mod topology;
