//! Payments: an order is read, charged, and settled as paid or declined. There is one payment for each order record.

mod amount;
mod decline;
mod id;
mod order;
mod settled;

pub use amount::Amount;
pub use decline::DeclineRules;
pub use id::payment_id;
pub use order::{FIELD_LIMIT, Order, OrderError};
pub use settled::{Payment, Settlement};

/// The topic that payments are written to.
pub const TOPIC: &str = "payments";

/// `ce_type` of a payment.
pub const EVENT_TYPE: &str = "millrace.payment.settled";

/// `ce_source` of a payment.
pub const SOURCE: &str = "/millrace/payments";
