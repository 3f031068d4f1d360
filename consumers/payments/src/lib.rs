//! The consumer that takes payments: topic `orders` → topic `payments`, exactly once.
//!
//! | module | its one idea |
//! |---|---|
//! | `payments` | the processor: an order record in, a payment out |
//! | `carried` | what of an order's headers its payment carries on |
//! | `gateway` | the way to the money, and one that simulates it |
//!
//! Payments, dead letters and the orders' offsets are committed in one Kafka transaction: whoever reads what is
//! committed sees one payment for each order record, however often a process dies. Charges themselves are at least once:
//! a charge may be asked for again after a crash, under the same payment id, which a gateway takes as its idempotency
//! key.

mod app;
pub mod gateway;
mod order_context;
mod payments;
mod settings;

pub use payments::Payments;
pub use settings::Settings;

use millrace_consumer::Subscription;

/// The consumer's name.
pub const NAME: &str = "payments";

/// What it reads, and as which group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[millrace_domain::event::ORDER.topic])
}
