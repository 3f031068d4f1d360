//! Telemetry of a process: [`logs`] on stderr, [`metrics`] for Prometheus.

pub mod logs;
pub mod metrics;
