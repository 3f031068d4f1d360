//! Metrics of deliveries, and log lines of failed ones.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::event::Event;
use crate::failure::Failure;

/// The metrics of one destination.
pub(crate) struct DeliveryMetrics {
    destination: String,
    delivered: Counter,
    failed: Counter,
    skipped: Counter,
    retries: Counter,
    attempt_duration: Histogram,
    breaker: Gauge,
}

impl DeliveryMetrics {
    pub(crate) fn new(destination: &str) -> Self {
        describe();
        let deliveries = |result: &'static str| metrics::counter!("millrace_notifier_deliveries_total", "destination" => destination.to_owned(), "result" => result);
        let breaker = metrics::gauge!("millrace_notifier_breaker_open", "destination" => destination.to_owned());
        breaker.set(0.0);
        Self {
            destination: destination.to_owned(),
            delivered: deliveries("delivered"),
            failed: deliveries("failed"),
            skipped: deliveries("skipped"),
            retries: metrics::counter!("millrace_notifier_retries_total", "destination" => destination.to_owned()),
            attempt_duration: metrics::histogram!("millrace_notifier_attempt_duration_seconds", "destination" => destination.to_owned()),
            breaker,
        }
    }

    /// The destination took the notification.
    pub(crate) fn delivered(&self) {
        self.delivered.increment(1);
    }

    /// One attempt succeeded or failed.
    pub(crate) fn attempt_ended(&self, duration: Duration) {
        self.attempt_duration.record(duration);
    }

    /// An attempt failed and another one follows.
    pub(crate) fn will_retry(&self, event: &Event<'_>, attempt: u32, failure: &Failure, delay: Duration) {
        let Self { destination, retries, .. } = self;
        retries.increment(1);
        tracing::debug!(
            destination,
            event_id = event.id,
            trace_id = event.trace_id(),
            attempt,
            ?delay,
            reason = failure.reason,
            "delivery attempt failed, retrying"
        );
    }

    /// The destination did not take the notification.
    pub(crate) fn failed(&self, event: &Event<'_>, attempts: u32, failure: &Failure) {
        self.failed.increment(1);
        let Self { destination, .. } = self;
        tracing::warn!(
            destination,
            event_id = event.id,
            trace_id = event.trace_id(),
            attempts,
            reason = failure.reason,
            "delivery failed"
        );
    }

    /// The destination was skipped for its fallback.
    pub(crate) fn skipped(&self) {
        self.skipped.increment(1);
    }

    /// The circuit breaker opened.
    pub(crate) fn breaker_opened(&self, cool_down: Duration) {
        self.breaker.set(1.0);
        let Self { destination, .. } = self;
        tracing::warn!(destination, ?cool_down, "circuit breaker opened");
    }

    /// An attempt succeeded: the circuit breaker is closed.
    pub(crate) fn breaker_closed(&self) {
        self.breaker.set(0.0);
    }
}

fn describe() {
    metrics::describe_counter!(
        "millrace_notifier_deliveries_total",
        "Notifications by destination and result: delivered, failed, or skipped for a fallback"
    );
    metrics::describe_counter!("millrace_notifier_retries_total", "Delivery attempts after the first");
    metrics::describe_histogram!(
        "millrace_notifier_attempt_duration_seconds",
        metrics::Unit::Seconds,
        "Duration of delivery attempts"
    );
    metrics::describe_gauge!("millrace_notifier_breaker_open", "1 while the destination's circuit breaker is open");
}
