//! The edge as its callers see it, over a sink in memory: what is answered, and what reached the topics.

#![allow(clippy::unwrap_used, reason = "in what tests share, as in the tests: a panic is the failure")]

mod anything;
mod batches;
mod bodies;
mod cloud_events;
mod errors;
mod failures;
mod host;
mod keys;
mod malformed;
mod openapi;
mod routes;
mod stored;
