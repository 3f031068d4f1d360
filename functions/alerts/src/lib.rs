//! Tells people of outages and alarms, as a Lambda function.
//!
//! Events, in messages of a queue:
//!
//! - an outage that began, or is over (`millrace.alert.raised`, `millrace.alert.resolved` on the bus): it is published to a topic of
//!   SNS, in words, once. The topic mails it to who subscribed.
//! - a notification of that topic, which CloudWatch's alarms use as well: it is posted to Slack and Teams, once each.
//!
//! What was told is kept as objects `stages/alerts/…`. A message that comes again tells only what was not told.

mod chats;
mod context;
mod event;
mod handle;
mod settings;
mod topic;

pub use context::Context;
pub use handle::handle;
pub use settings::Settings;
