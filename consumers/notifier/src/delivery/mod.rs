//! Getting a notification to a destination, whatever state that is in.
//!
//! | file | its one idea |
//! |---|---|
//! | `destination` | a channel within its limits |
//! | `chain` | a destination and its fallbacks |
//! | `shared` | a notification reaches a destination once, whatever leads there |
//! | `stages` | how far a notification has come that is postponed |
//! | `limits` | what one destination may take |
//! | `breaker` | a destination that is down is left alone |
//! | `rate` | no more a second than it bears |
//! | `retry` | another attempt, and when |
//! | `journal` | metrics and log lines |

mod breaker;
mod chain;
mod destination;
mod limits;
mod metrics;
mod rate;
mod retry;
mod route_progress;
mod shared;

pub(crate) use self::chain::{Undelivered, deliver};
pub(crate) use self::destination::Destination;
pub(crate) use self::limits::Limits;
pub(crate) use self::retry::RetryPolicy;
pub(crate) use self::route_progress::RouteProgress;
pub(crate) use self::shared::SharedDeliveries;
