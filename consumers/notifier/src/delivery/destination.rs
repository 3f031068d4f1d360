//! One destination: its channel, and the limits that keep its troubles its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_consumer::AcquireError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::breaker::Breaker;
use super::limits::Limits;
use super::metrics::DeliveryMetrics;
use super::rate::RateCap;
use crate::channel::Channel;
use crate::delivery_log::DeliveryContext;
use crate::event::Event;
use crate::failure::{Failure, FailureKind};

/// See the module's text.
pub(crate) struct Destination {
    /// Its place in the configuration.
    number: usize,
    name: String,
    channel: Channel,
    limits: Limits,
    queue: Semaphore,
    /// How long the value is that one place of the queue is for. A longer one takes several.
    bytes_per_place: usize,
    slots: Semaphore,
    rate: Option<Mutex<RateCap>>,
    breaker: Mutex<Breaker>,
    /// Why the last attempt failed that the breaker counted.
    last_failure: Mutex<String>,
    journal: DeliveryMetrics,
}

/// A place in a destination's queue, given back when dropped.
pub(crate) struct QueueSlot<'d>(#[allow(dead_code, reason = "held for its drop")] SemaphorePermit<'d>);

/// What is left when a destination fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A fallback: there is no use in waiting for a destination that is down.
    HasFallback,
    /// Nothing: every attempt counts.
    LastResort,
}

impl Destination {
    pub(crate) fn new(number: usize, name: &str, channel: Channel, limits: Limits) -> Self {
        Self {
            number,
            name: name.to_owned(),
            channel,
            limits,
            queue: Semaphore::new(limits.queue),
            bytes_per_place: usize::MAX,
            slots: Semaphore::new(limits.concurrency),
            rate: limits.rate.map(|(per_second, burst)| Mutex::new(RateCap::new(per_second, burst))),
            breaker: Mutex::new(Breaker::new(limits.breaker_failures, limits.breaker_cool_down)),
            last_failure: Mutex::default(),
            journal: DeliveryMetrics::new(name),
        }
    }

    /// Keeps its queue within so many records and bytes.
    pub(crate) fn within(self, records: usize, bytes: usize) -> Self {
        let queue = self.limits.queue.min(records).max(1);
        let limits = Limits { queue, ..self.limits };
        Self { limits, queue: Semaphore::new(queue), bytes_per_place: (bytes / queue).max(1), ..self }
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A place in the queue.
    ///
    /// A full queue sends a notification on to its fallback. Without one it waits, as long as the destination is well; it
    /// does so on its topic where too many wait in memory. Where the destination is down, those in the queue are as many
    /// as may wait for it.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn enter(
        &self,
        event: &Event<'_>,
        standing: Standing,
        turn: &DeliveryContext<'_>,
    ) -> Result<QueueSlot<'_>, Failure> {
        let open = self.is_open();
        if open && standing == Standing::HasFallback {
            self.journal.skipped();
            return Err(self.circuit_open());
        }
        let places = self.places_for(event);
        if !turn.has_predecessor(self.number)
            && let Ok(permit) = self.queue.try_acquire_many(places)
        {
            return Ok(QueueSlot(permit));
        }
        if standing == Standing::HasFallback {
            self.journal.skipped();
            return Err(Failure::unavailable("not tried, because its queue is full"));
        }
        if open {
            let failure = self.circuit_open();
            self.journal.failed(event, 0, &failure);
            return Err(failure);
        }
        let place =
            turn.place(self.number, self.queue.acquire_many(places)).await.map_err(|no_turn| match no_turn {
                AcquireError::Revoked => Failure::given_up(),
                AcquireError::MemoryPressure => Failure::crowded(self.number),
            })?;
        // The semaphore is never closed.
        place.map(QueueSlot).map_err(|_| Failure::unavailable("its queue is closed"))
    }

    /// For how many postponed notifications there is room: for some of those in the queue at once, so that the topic is
    /// not read for every single one.
    pub(crate) fn room(&self) -> usize {
        let free = self.queue.available_permits();
        if free * 4 >= self.limits.queue { free } else { 0 }
    }

    /// How many places a notification takes.
    fn places_for(&self, event: &Event<'_>) -> u32 {
        let places = (event.value.len() / self.bytes_per_place + 1).min(self.limits.queue);
        u32::try_from(places).unwrap_or(u32::MAX)
    }

    /// Whether earlier turns made all attempts that there are.
    pub(crate) fn has_had_its_attempts(&self, turn: &DeliveryContext<'_>) -> bool {
        turn.attempts_before(&self.name) >= self.limits.retry.attempts
    }

    /// Delivers, with as many attempts as it takes and the limits allow.
    ///
    /// # Errors
    /// The last attempt's failure.
    pub(crate) async fn deliver(
        &self,
        _place: QueueSlot<'_>,
        event: &Event<'_>,
        standing: Standing,
        turn: &DeliveryContext<'_>,
    ) -> Result<(), Failure> {
        let mut attempt = turn.attempts_before(&self.name) + 1;
        loop {
            let Err(failure) = self.attempt(event, turn).await else {
                self.journal.delivered();
                return Ok(());
            };
            if failure.kind == FailureKind::GivenUp {
                return Err(failure);
            }
            let delay = self.limits.retry.delay(attempt, &failure, &mut rand::rng());
            let go_on = standing == Standing::LastResort || !self.is_open();
            let Some(delay) = delay.filter(|_| go_on) else {
                self.journal.failed(event, attempt, &failure);
                return Err(Failure { attempts: attempt, ..failure });
            };
            // An attempt that the breaker turns away is an attempt lost.
            let delay = delay.max(self.breaker().remaining(Instant::now().into_std()));
            self.journal.will_retry(event, attempt, &failure, delay);
            turn.until_revoked(tokio::time::sleep(delay)).await.ok_or_else(Failure::given_up)?;
            attempt += 1;
        }
    }

    async fn attempt(&self, event: &Event<'_>, turn: &DeliveryContext<'_>) -> Result<(), Failure> {
        if let Some(rate) = &self.rate {
            let wait = lock(rate).book(Instant::now().into_std());
            turn.at(tokio::time::sleep(wait)).await.ok_or_else(Failure::given_up)?;
        }
        // The semaphore is never closed.
        let _slot = turn.at(self.slots.acquire()).await.ok_or_else(Failure::given_up)?;
        let start = Instant::now();
        if !self.breaker().admit(start.into_std()) {
            return Err(self.circuit_open());
        }
        turn.begin();
        let result = self.send(event).await;
        turn.note(event, &self.name, &result);
        self.journal.attempt_ended(start.elapsed());
        match &result {
            Err(failure) if failure.kind == FailureKind::Unavailable => {
                lock(&self.last_failure).clone_from(&failure.reason);
                if self.breaker().failed(Instant::now().into_std()) {
                    self.journal.breaker_opened(self.limits.breaker_cool_down);
                }
            }
            // Whoever answers is there, also when the answer is no.
            _ => {
                self.breaker().succeeded();
                self.journal.breaker_closed();
            }
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
