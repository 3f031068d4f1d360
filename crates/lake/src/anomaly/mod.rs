//! What is unusual about a service's minutes, and which of it is told.
//!
//! [`judge`] compares windows with those before them: by median and median absolute deviation, which a few odd windows do not
//! move. [`Alerts`] makes of anomalies what a person hears: one alert for an outage, and its end.

mod alerts;
mod baseline;
mod judge;
mod signal;
mod text;

pub use alerts::{AlertEvent, Alerts, Raised, Resolved, Updated};
pub use judge::{Anomaly, BASELINE_SECONDS, Judged, SEASON_DAYS, judge};
pub use signal::Signal;
