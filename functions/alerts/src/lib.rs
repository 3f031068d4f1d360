//! Tells people of outages and alarms, as a Lambda function.
//!
//! Events, in messages of a queue:
//!
//! - an outage that began, shows in more, or is over (`millrace.alert.raised`, `….updated`, `….resolved` on the bus): it is published to a
//!   topic of SNS, in words, once. The topic mails it to who subscribed.
//! - what a stage of the lake cannot take in, and does not try again (`Stage Failed` of the class `permanent`): it is published as well.
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
