//! The processor: charges each order, and makes its payment.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use metrics::Counter;
use millrace_consumer::{Attempt, Outcome, Processor, Transformer};
use millrace_domain::payment::{self, DeclineRules, Order, Payment, Settlement};
use millrace_domain::traceparent::TraceParent;
use millrace_kafka::{OwnedProducerRecord, Record, headers};

use crate::gateway::{Charge, Gateway, GatewayError, SimulatedGateway};
use crate::order_context::OrderContext;
use crate::settings::Settings;

/// Pays orders. The consumer runtime calls it for each record and each transaction.
pub struct Payments<G = SimulatedGateway> {
    gateway: G,
    topic: Cow<'static, str>,
    metrics: ChargeMetrics,
}

impl Payments {
    /// Payments with these settings, by the simulated gateway.
    ///
    /// The metrics recorder must be installed before: handles are created here.
    pub fn from_settings(settings: &Settings) -> Self {
        let rules = DeclineRules { above: settings.decline_above };
        Self::new(SimulatedGateway { delay: settings.payment_delay, rules }, payment::TOPIC)
    }
}

impl<G: Gateway> Payments<G> {
    /// Payments by this gateway, written to this topic.
    pub fn new(gateway: G, topic: impl Into<Cow<'static, str>>) -> Self {
        Self { gateway, topic: topic.into(), metrics: ChargeMetrics::new() }
    }
}

impl<G: Gateway> Processor for Payments<G> {
    /// Boxed: a product is moved several times on its way into a transaction.
    type Product = Box<Payment>;

    async fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> Outcome<Box<Payment>> {
        let order = match Order::read(record.value().unwrap_or_default()) {
            Ok(order) => order,
            Err(error) => return Outcome::reject(error.to_string()),
        };
        let OrderContext { payment_id, trace } = OrderContext::from(record);
        let charge = Charge { payment_id: &payment_id, order_id: &order.id, amount: order.amount };
        let result = self.gateway.charge(&charge).await;
        self.metrics.count(&result);
        match result {
            Ok(settlement) => {
                let trace = attempt.trace().unwrap_or_else(|| TraceParent::next_hop(trace, &mut rand::rng()));
                Outcome::Done(Box::new(Payment::settled(payment_id, order, settlement, Timestamp::now(), trace)))
            }
            Err(error) => failed(&error),
        }
    }
}

impl<G: Gateway> Transformer for Payments<G> {
    /// All payments at once: none waits for a batch.
    fn batch_size(&self, ready: usize, _age: Duration) -> usize {
        ready
    }

    fn to_records<'p>(&self, payments: impl Iterator<Item = &'p Box<Payment>>) -> Vec<OwnedProducerRecord> {
        let record = |payment: &Payment| OwnedProducerRecord {
            topic: self.topic.clone(),
            key: Some(payment.key().into()),
            value: Some(payment.value()),
            headers: headers::from_envelope(payment.envelope()),
        };
        payments.map(|payment| record(payment)).collect()
    }
}

/// The outcome of an order whose charge failed.
fn failed(error: &GatewayError) -> Outcome<Box<Payment>> {
    let reason = error.to_string();
    match error {
        GatewayError::Unavailable { retry_after, .. } => Outcome::Retry { after: *retry_after, reason },
        GatewayError::Refused { .. } => Outcome::reject(reason),
    }
}

/// Counts charges by result.
struct ChargeMetrics {
    paid: Counter,
    declined: Counter,
    unavailable: Counter,
    refused: Counter,
}

impl ChargeMetrics {
    fn new() -> Self {
        const CHARGES: &str = "millrace_payments_charges_total";
        metrics::describe_counter!(
            CHARGES,
            "Answers of the payment gateway by result: paid, declined, unavailable or refused"
        );
        let charges = |result: &'static str| metrics::counter!(CHARGES, "result" => result);
        Self {
            paid: charges("paid"),
            declined: charges("declined"),
            unavailable: charges("unavailable"),
            refused: charges("refused"),
        }
    }

    fn count(&self, result: &Result<Settlement, GatewayError>) {
        let counter = match result {
            Ok(Settlement::Paid) => &self.paid,
            Ok(Settlement::Declined { .. }) => &self.declined,
            Err(GatewayError::Unavailable { .. }) => &self.unavailable,
            Err(GatewayError::Refused { .. }) => &self.refused,
        };
        counter.increment(1);
    }
}
