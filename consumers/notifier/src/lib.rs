//! The consumer that delivers notifications: topics `notifications` and `payments` → console, webhooks, mail, Slack,
//! Teams, SNS.
//!
//! | module | its one idea |
//! |---|---|
//! | `notifier` | the processor: delivers the notification of each record |
//! | `config` | `notifier.toml`, validated as a whole |
//! | `routes` | the destinations of a notification |
//! | `delivery` | limits, retries and circuit breaker of each destination; fallbacks |
//! | `delivery_log` | accepted notifications, attempts and outcomes in the database |
//! | `channel` | one delivery attempt: console, webhook, mail, Slack, Teams, SNS |
//! | `app` | start-up, for every host |
//!
//! Deliveries are in order for each user, and carry the event's id. They are at least once; with a database, a delivery
//! that is recorded is not repeated.

mod app;
mod channel;
mod config;
mod delivery;
mod delivery_log;
mod event;
mod failure;
mod notifier;
mod routes;
mod settings;

pub use config::{ConfigError, DEFAULT_CONFIG};
pub use notifier::{Notifier, StartError};
pub use settings::Settings;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "notifier";

/// The topics it reads, its consumer group, and the order key of records without a key, as other producers write them.
pub fn subscription() -> Subscription {
    let topics = [millrace_domain::event::NOTIFICATION.topic, millrace_domain::payment::TOPIC];
    Subscription::new(NAME, &topics).with_order_key(notifier::order_key)
}
