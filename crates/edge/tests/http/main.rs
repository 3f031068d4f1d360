//! The edge as its callers see it, over a sink in memory: what is answered, and what reached the topics.

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
