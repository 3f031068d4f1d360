//! The payment gateway's port, and a simulated gateway.

mod simulated;

use std::time::Duration;

use millrace_domain::EventId;
use millrace_domain::payment::{Amount, Settlement};
use thiserror::Error;

pub use simulated::SimulatedGateway;

/// A charge.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// The payment's id, the same for every charge of this order: the idempotency key.
    pub payment_id: &'a EventId,
    /// The order's id.
    pub order_id: &'a str,
    /// The amount; `None` where the order has none.
    pub amount: Option<Amount<'a>>,
}

/// A payment gateway.
pub trait Gateway: Send + Sync {
    /// Charges an order, or returns the settlement of an earlier charge under the same id.
    ///
    /// The future may be dropped before it is ready, when the process stops; the charge is then repeated.
    ///
    /// # Errors
    /// [`GatewayError`] where the settlement is unknown.
    fn charge(&self, charge: &Charge<'_>) -> impl Future<Output = Result<Settlement, GatewayError>> + Send;
}

/// Why a charge has no settlement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GatewayError {
    /// Transient: the gateway is unreachable or busy; the charge is retried.
    #[error("the payment gateway is unavailable: {reason}")]
    Unavailable {
        /// The cause.
        reason: String,
        /// The least time to wait, where the gateway named one.
        retry_after: Option<Duration>,
    },
    /// Permanent: the gateway refuses to process this charge. It has not declined the payment.
    #[error("the payment gateway refuses the charge: {reason}")]
    Refused {
        /// The cause.
        reason: String,
    },
}
