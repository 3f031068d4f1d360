//! The consumer that delivers notifications: topics `notifications` and `payments` → console, webhooks, mail, Slack,
//! Teams, SNS.
//!
//! | module | its one idea |
//! |---|---|
//! | `notifier` | the processor: a record in, notifications out |
//! | `config` | `notifier.toml`, checked as a whole |
//! | `routes` | which destinations a notification is for |
//! | `delivery` | a destination's limits, so that a slow or dead one holds up nobody else's; fallbacks |
//! | `deliveries` | what the database remembers of them |
//! | `channel` | the ways out: one attempt each |
//! | `network` | which addresses may be connected to, and HTTP |
//!
//! Deliveries are in order for each user, and carry the event's id. They are at least once; with a database, what is
//! recorded as delivered is not delivered again.

mod app;
mod channel;
mod config;
mod delivery;
mod delivery_log;
mod event;
mod failure;
mod network;
mod notifier;
mod routes;
mod settings;

pub use config::{ConfigError, DEFAULT_CONFIG};
pub use notifier::{Notifier, StartError};
pub use settings::Settings;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "notifier";

/// What it reads, as which group, and in which order: other producers may write records without a key.
pub fn subscription() -> Subscription {
    let topics = [millrace_domain::event::NOTIFICATION.topic, millrace_domain::payment::TOPIC];
    Subscription::new(NAME, &topics).with_order_key(notifier::order_key)
}
