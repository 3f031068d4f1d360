//! What a batch of logins amounts to: how many there were, when, from which devices and places, and of whom.
//!
//! | file | its one idea |
//! |---|---|
//! | `login` | a login as its consumer reads it |
//! | `ranking` | how often each name was met |
//! | `aggregate` | a batch as an insight |
//! | `file` | the file that an insight is kept in |

mod aggregate;
mod file;
mod login;
mod ranking;

pub use aggregate::Insight;
pub use file::{NotAnInsight, file_name};
pub use login::Login;
pub use ranking::Ranking;

/// The type of the event that an insight is.
pub const EVENT_TYPE: &str = "millrace.login.insight";

/// Who makes insights.
pub const SOURCE: &str = "/millrace/login-insights";

/// The topic that insights are written to.
pub const TOPIC: &str = "processed-data";

/// How many logins a full batch has.
pub const FULL_BATCH: usize = 100;

#[cfg(test)]
mod tests;
