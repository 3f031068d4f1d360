//! The way to the money.

mod simulated;

use std::time::Duration;

use millrace_domain::EventId;
use millrace_domain::payment::{Amount, Settlement};
use thiserror::Error;

pub use simulated::SimulatedGateway;

/// What is to be charged.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// The payment's id, the same whenever this order is charged again: the idempotency key.
    pub payment_id: &'a EventId,
    /// The order.
    pub order_id: &'a str,
    /// How much; `None` where the order does not say.
    pub amount: Option<Amount<'a>>,
}

/// Takes payments.
pub trait Gateway: Send + Sync {
    /// Charges an order, or finds that it was charged under the same id.
    ///
    /// The future may be dropped before it is ready, when its process must stop; the charge is then asked for again.
    ///
    /// # Errors
    /// [`GatewayError`] where nobody knows whether the payment is paid or declined.
    fn charge(&self, charge: &Charge<'_>) -> impl Future<Output = Result<Settlement, GatewayError>> + Send;
}

/// Why a charge has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GatewayError {
    /// Transient: the gateway is away or busy, and the charge is tried again.
    #[error("the payment gateway is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// The least time to wait, where the gateway named one.
        retry_after: Option<Duration>,
    },
    /// Permanent: the gateway will never take this charge, and has not declined it either.
    #[error("the payment gateway refuses the charge: {reason}")]
    Refused {
        /// What is wrong with it.
        reason: String,
    },
}
