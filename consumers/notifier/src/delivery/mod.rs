//! Delivery of a notification to its destinations: fallback chains, limits, retries and circuit breakers.

mod breaker;
mod chain;
mod delivery_progress;
mod destination;
mod limits;
mod metrics;
mod rate;
mod retry;
mod shared;

pub(crate) use self::chain::{Undelivered, deliver};
pub(crate) use self::delivery_progress::DeliveryProgress;
pub(crate) use self::destination::Destination;
pub(crate) use self::limits::Limits;
pub(crate) use self::retry::RetryPolicy;
pub(crate) use self::shared::SharedDeliveries;
