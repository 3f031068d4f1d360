//! Telemetry of a process: [`logs`] on stderr, [`metrics`] for Prometheus, or as [`emf`] for CloudWatch,
//! [`spans`] for OpenTelemetry.

pub mod emf;
pub mod logs;
pub mod metrics;
pub mod spans;
