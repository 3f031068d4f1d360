//! Insights: aggregates of batches of logins by time, device type, locale and user.

mod aggregate;
mod file;
mod login;
mod ranking;

pub use aggregate::Insight;
pub use file::{NotAnInsight, file_name};
pub use login::Login;
pub use ranking::Ranking;

/// `ce_type` of an insight.
pub const EVENT_TYPE: &str = "millrace.login.insight";

/// `ce_source` of an insight.
pub const SOURCE: &str = "/millrace/login-insights";

/// The topic that insights are written to.
pub const TOPIC: &str = "processed-data";

/// Number of logins in a full batch.
pub const FULL_BATCH: usize = 100;

#[cfg(test)]
mod tests;
