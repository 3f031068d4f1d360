//! A destination: a channel within limits, so that a slow or failing one delays no other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_consumer::AcquireError;
use millrace_trace::{Span, SpanKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::breaker::Breaker;
use super::limits::Limits;
use super::metrics::DeliveryMetrics;
use super::rate::RateLimit;
use crate::channel::Channel;
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// A channel with its queue, concurrency limit, rate limit and circuit breaker.
pub(crate) struct Destination {
    /// Its index in the configuration; also the number of its queue.
    index: usize,
    name: String,
    channel: Channel,
    limits: Limits,
    queue: Semaphore,
    /// The bytes of a value that one slot of the queue allows for. A longer value takes several slots.
    bytes_per_slot: usize,
    concurrency: Semaphore,
    rate: Option<Mutex<RateLimit>>,
    breaker: Mutex<Breaker>,
    /// The reason of the last failure that the breaker counted.
    last_failure: Mutex<String>,
    metrics: DeliveryMetrics,
}

/// A slot in a destination's queue, released when dropped.
pub(crate) struct QueueSlot<'d>(#[allow(dead_code, reason = "held for its drop")] SemaphorePermit<'d>);

/// Whether another destination follows in the chain when this one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// A fallback follows: a destination that is down is not waited for.
    Available,
    /// The last of its chain: it gets all its attempts.
    None,
}

impl Destination {
    pub(crate) fn new(index: usize, name: &str, channel: Channel, limits: Limits) -> Self {
        Self {
            index,
            name: name.to_owned(),
            channel,
            limits,
            queue: Semaphore::new(limits.queue),
            bytes_per_slot: usize::MAX,
            concurrency: Semaphore::new(limits.concurrency),
            rate: limits.rate.map(|(per_second, burst)| Mutex::new(RateLimit::new(per_second, burst))),
            breaker: Mutex::new(Breaker::new(limits.breaker_failures, limits.breaker_cool_down)),
            last_failure: Mutex::default(),
            metrics: DeliveryMetrics::new(name),
        }
    }

    /// Limits its queue to this many records and bytes.
    pub(crate) fn within(self, records: usize, bytes: usize) -> Self {
        let queue = self.limits.queue.min(records).max(1);
        let limits = Limits { queue, ..self.limits };
        Self { limits, queue: Semaphore::new(queue), bytes_per_slot: (bytes / queue).max(1), ..self }
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Acquires a slot in the queue.
    ///
    /// When the queue is full, the notification goes to its fallback. Without a fallback it waits, and is deferred under
    /// memory pressure. When the circuit breaker is open as well, it fails: no more wait for a destination that is down
    /// than its queue holds.
    ///
    /// # Errors
    /// Why there is no slot.
    pub(crate) async fn acquire_slot(
        &self,
        event: &Event<'_>,
        fallback: Fallback,
        context: &DeliveryContext<'_>,
    ) -> Result<QueueSlot<'_>, Failure> {
        let open = self.is_open();
        if open && fallback == Fallback::Available {
            self.metrics.skipped();
            return Err(self.circuit_open());
        }
        let slots = self.slots_for(event);
        if !context.has_predecessor(self.index)
            && let Ok(permit) = self.queue.try_acquire_many(slots)
        {
            return Ok(QueueSlot(permit));
        }
        if fallback == Fallback::Available {
            self.metrics.skipped();
            return Err(Failure::unavailable("not attempted, queue full"));
        }
        if open {
            let failure = self.circuit_open();
            self.metrics.failed(event, 0, &failure);
            return Err(failure);
        }
        let acquired = context.acquire_slot(self.index, self.queue.acquire_many(slots)).await;
        let permit = acquired.map_err(|error| match error {
            AcquireError::Revoked => Failure::revoked(),
            AcquireError::MemoryPressure => Failure::deferred(self.index),
        })?;
        // The semaphore is never closed.
        permit.map(QueueSlot).map_err(|_| Failure::unavailable("queue closed"))
    }

    /// How many deferred notifications the queue has capacity for. Zero until a quarter of the queue is free, so that
    /// the topic is read for many at once.
    pub(crate) fn capacity(&self) -> usize {
        let free = self.queue.available_permits();
        if free * 4 >= self.limits.queue { free } else { 0 }
    }

    /// How many slots a notification takes.
    fn slots_for(&self, event: &Event<'_>) -> u32 {
        let slots = (event.value.len() / self.bytes_per_slot + 1).min(self.limits.queue);
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    /// Whether all attempts were made before the record was read again.
    pub(crate) fn has_exhausted_attempts(&self, context: &DeliveryContext<'_>) -> bool {
        context.attempts_before(&self.name) >= self.limits.retry.attempts
    }

    /// Delivers, with as many attempts as needed and the limits allow.
    ///
    /// # Errors
    /// The last attempt's failure.
    pub(crate) async fn deliver(
        &self,
        _slot: QueueSlot<'_>,
        event: &Event<'_>,
        fallback: Fallback,
        context: &DeliveryContext<'_>,
    ) -> Result<(), Failure> {
        let mut attempt = context.attempts_before(&self.name) + 1;
        loop {
            let Err(failure) = self.attempt(event, context).await else {
                self.metrics.delivered();
                return Ok(());
            };
            if failure.kind == FailureKind::Revoked {
                return Err(failure);
            }
            let delay = self.limits.retry.delay(attempt, &failure, &mut rand::rng());
            let may_retry = fallback == Fallback::None || !self.is_open();
            let Some(delay) = delay.filter(|_| may_retry) else {
                self.metrics.failed(event, attempt, &failure);
                return Err(Failure { attempts: attempt, ..failure });
            };
            // An attempt that the open breaker rejects would count.
            let delay = delay.max(self.breaker().remaining(Instant::now().into_std()));
            self.metrics.will_retry(event, attempt, &failure, delay);
            context.until_revoked(tokio::time::sleep(delay)).await.ok_or_else(Failure::revoked)?;
            attempt += 1;
        }
    }

    async fn attempt(&self, event: &Event<'_>, context: &DeliveryContext<'_>) -> Result<(), Failure> {
        if let Some(rate) = &self.rate {
            let delay = lock(rate).reserve(Instant::now().into_std());
            context.acquire(tokio::time::sleep(delay)).await.ok_or_else(Failure::revoked)?;
        }
        // The semaphore is never closed.
        let _permit = context.acquire(self.concurrency.acquire()).await.ok_or_else(Failure::revoked)?;
        let start = Instant::now();
        if !self.breaker().admit(start.into_std()) {
            return Err(self.circuit_open());
        }
        context.attempt_started();
        let result = self.send_traced(event).await;
        context.record_attempt(event, &self.name, &result);
        self.metrics.attempt_ended(start.elapsed());
        match &result {
            Err(failure) if failure.kind == FailureKind::Unavailable => {
                lock(&self.last_failure).clone_from(&failure.reason);
                if self.breaker().failed(Instant::now().into_std()) {
                    self.metrics.breaker_opened(self.limits.breaker_cool_down);
                }
            }
            // Any answer, a rejection too, shows that the destination is up.
            _ => {
                self.breaker().succeeded();
                self.metrics.breaker_closed();
            }
        }
        result
    }

    /// Sends within a span of its own.
    async fn send_traced(&self, event: &Event<'_>) -> Result<(), Failure> {
        let mut span = Span::start(SpanKind::Client, event.trace, || format!("deliver {}", self.name));
        span.set_text("millrace.destination", &self.name);
        span.set_text("messaging.message.id", event.id);
        let result = self.send(event).await;
        if let Err(failure) = &result {
            span.failed(&failure.reason);
        }
        result
    }

    async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        if self.channel.is_local() {
            return self.channel.send(event).await;
        }
        let timeout = self.limits.timeout;
        tokio::time::timeout(timeout, self.channel.send(event))
            .await
            .unwrap_or_else(|_| Err(Failure::unavailable(format!("no answer within {timeout:?}"))))
    }

    fn circuit_open(&self) -> Failure {
        Failure::circuit_open(&lock(&self.last_failure))
    }

    fn is_open(&self) -> bool {
        self.breaker().is_open(Instant::now().into_std())
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        lock(&self.breaker)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
