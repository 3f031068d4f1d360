//! The edge over an in-memory sink: responses, and the records written.

#![allow(clippy::unwrap_used, reason = "shared test code: a panic fails the test")]

mod anything;
mod batches;
mod bodies;
mod cloud_events;
mod errors;
mod failures;
mod host;
mod keys;
mod logs;
mod malformed;
mod openapi;
mod otlp;
mod routes;
mod stored;
