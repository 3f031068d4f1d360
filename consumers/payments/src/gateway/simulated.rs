//! A simulated gateway, for demonstration and tests.

use std::time::Duration;

use millrace_domain::payment::{DeclineRules, Settlement};

use super::{Charge, Gateway, GatewayError};

/// Settles by amount, after a delay.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedGateway {
    /// The delay of each charge. Charges are concurrent.
    pub delay: Duration,
    /// Which charges are declined.
    pub rules: DeclineRules,
}

impl Gateway for SimulatedGateway {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Settlement, GatewayError> {
        if !self.delay.is_zero() {
            Box::pin(tokio::time::sleep(self.delay)).await;
        }
        Ok(self.rules.settle(charge.amount))
    }
}
