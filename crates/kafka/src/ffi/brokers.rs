//! The brokers that a client knows.
#![allow(unsafe_code)]

use std::ffi::CStr;

use rdkafka::bindings;
use rdkafka::client::{Client, ClientContext};

/// Adds brokers, `HOST:PORT` separated by commas, to those that a client knows.
pub(crate) fn add_brokers<C: ClientContext>(client: &Client<C>, servers: &CStr) {
    // SAFETY: the client is valid while borrowed, and the list is copied.
    unsafe { bindings::rd_kafka_brokers_add(client.native_ptr(), servers.as_ptr()) };
}
