//! The consumer that charges orders: topic `orders` → topic `payments`, exactly once.
//!
//! | module | its one idea |
//! |---|---|
//! | `payments` | the processor: charges each order, and makes its payment |
//! | `order_context` | the payment id and trace context from an order's headers |
//! | `gateway` | the payment gateway's port, and a simulated gateway |
//! | `app` | start-up, for every host |
//!
//! Payments, dead letters and the orders' offsets are committed in one Kafka transaction: a `read_committed` reader sees
//! one payment for each order record, through any crash. Charges are at least once: a charge may be repeated after a
//! crash, under the same payment id, which is the gateway's idempotency key.

mod app;
pub mod gateway;
mod order_context;
mod payments;
mod settings;

pub use payments::Payments;
pub use settings::Settings;

use millrace_consumer::Subscription;
use millrace_domain::EventId;
use millrace_kafka::Record;

/// The consumer's name.
pub const NAME: &str = "payments";

/// The topics it reads, and its consumer group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[millrace_domain::event::ORDER.topic])
}

/// The id of the payment that an order's record gets.
pub fn payment_id_of(order: &Record<'_>) -> EventId {
    order_context::OrderContext::from(order).payment_id
}
