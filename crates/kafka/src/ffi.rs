//! Calls into librdkafka that the `rdkafka` crate does not wrap.

mod admin;
mod brokers;
mod group_member;
mod records;

pub(crate) use admin::{describe_groups, set_topic_setting, topic_id, topic_settings};
pub(crate) use brokers::add_brokers;
pub(crate) use group_member::member_id;
pub use group_member::{commit_async, is_group_member, known_end};
pub(crate) use records::{Persistence, headers, persistence, remove_headers};
