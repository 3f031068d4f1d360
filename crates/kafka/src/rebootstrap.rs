//! The bootstrap servers, for a client that has lost all of its brokers.
//!
//! librdkafka drops each broker that a metadata response does not list, those of `bootstrap.servers` included. A single
//! broker that the controller has fenced, because it was suspended for a while, lists none. The client then has nobody to
//! ask, and that stays so: its own rebootstrap (KIP-899, `metadata.recovery.strategy`) is started by the threads of its
//! brokers, and there are none (librdkafka 2.12).

use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;

use crate::ffi;

/// The shortest time between two times that a client is given them: it keeps each list that it was given.
const INTERVAL: Duration = Duration::from_secs(30);

/// Gives a client its bootstrap servers again.
#[derive(Debug)]
pub struct Rebootstrap {
    servers: CString,
    last: Mutex<Option<Instant>>,
}

impl Rebootstrap {
    /// For clients with these `bootstrap.servers`.
    pub fn new(servers: &str) -> Self {
        // A client with a NUL in them could not have been made.
        Self { servers: CString::new(servers).unwrap_or_default(), last: Mutex::default() }
    }

    /// To be called where the client got no answer. Those that it still has are not added twice, and those that a broker
    /// does not list are dropped again by the next metadata response.
    pub fn run<C: ClientContext>(&self, client: &Client<C>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            *last = Some(Instant::now());
            ffi::add_brokers(client, &self.servers);
        }
    }
}
