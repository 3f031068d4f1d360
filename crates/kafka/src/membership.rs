//! A client's membership in its group, as the group's coordinator has it.

use std::time::Duration;

use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;

use crate::{ffi, retry};

/// How many partitions the coordinator of `group` has assigned to this client; `None` where the group has no such member.
/// Waits for at most `timeout`.
///
/// # Errors
/// The coordinator did not answer, or does not describe groups.
pub fn assigned_by_coordinator<C, X>(consumer: &C, group: &str, timeout: Duration) -> KafkaResult<Option<usize>>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let names = [group.to_owned()];
    let described = retry::until_final(timeout, |left| ffi::describe_groups(consumer, &names, left))?;
    // Asked for last: a client that joins meanwhile has an id that the description does not know yet.
    let Some(id) = ffi::member_id(consumer) else { return Ok(None) };
    let mut members = described.into_iter().flat_map(|group| group.members);
    Ok(members.find(|member| member.id == id).map(|member| member.partitions))
}
