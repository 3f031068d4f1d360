//! A client's membership in a group of the classic protocol, as the brokers have it.
//!
//! `DescribeConsumerGroups` would say the same in one request. librdkafka 2.12 aborts the process where that request times
//! out while its coordinator is still looked for (its issue 4605), so a process that is to live does not use it.

use std::time::Duration;

use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;

use crate::admin::{NON_CLASSIC_STATE, is_in_memory_id};
use crate::ffi;

/// What the brokers say of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They cannot say: an embedded broker, or a group of another protocol.
    Unknown,
    /// The group has no such member.
    NoMember,
    /// It is a member.
    Member {
        /// Whether partitions are assigned to it.
        has_partitions: bool,
    },
}

/// The membership of a client in `group`. A static member is known by its `instance_id`: its client learns its member id
/// only when it has joined. Takes at most twice `timeout`.
///
/// # Errors
/// A broker did not answer. A group whose coordinator does not answer may look like one without members: ask whether it
/// does.
pub fn membership<C, X>(
    consumer: &C,
    group: &str,
    instance_id: Option<&str>,
    timeout: Duration,
) -> KafkaResult<Membership>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    // Listing the groups of the embedded broker would abort this process.
    if consumer.client().fetch_cluster_id(timeout).is_none_or(|id| is_in_memory_id(&id)) {
        return Ok(Membership::Unknown);
    }
    let member_id = ffi::member_id(consumer);
    let listed = consumer.fetch_group_list(Some(group), timeout)?;
    let Some(listed) = listed.groups().iter().find(|listed| listed.name() == group) else {
        return Ok(Membership::NoMember);
    };
    Ok(if listed.state() == NON_CLASSIC_STATE {
        Membership::Unknown
    } else {
        member_of(listed, member_id.as_deref(), instance_id)
    })
}

fn member_of(group: &GroupInfo, member_id: Option<&str>, instance_id: Option<&str>) -> Membership {
    let is_this = |id: &str| match instance_id {
        Some(instance_id) => is_of_instance(id, instance_id),
        None => member_id == Some(id),
    };
    match group.members().iter().find(|member| is_this(member.id())) {
        Some(member) => Membership::Member { has_partitions: member.assignment().is_some_and(has_partitions) },
        None => Membership::NoMember,
    }
}

/// Whether a member id is one that a coordinator makes for a static member: the instance id, `-` and a UUID.
fn is_of_instance(member_id: &str, instance_id: &str) -> bool {
    const UUID: usize = 36;
    member_id.strip_prefix(instance_id).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest.len() == UUID)
}

/// Whether an assignment names a topic: after a version of two bytes, a count of four
/// (`ConsumerProtocolAssignment`).
fn has_partitions(assignment: &[u8]) -> bool {
    assignment.get(2..6).is_some_and(|topics| topics != [0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_member_is_known_by_its_instance_id() {
        let uuid = "0b1c2d3e-0000-4000-8000-00000000000f";
        assert!(is_of_instance(&format!("slot-1-{uuid}"), "slot-1"));
        assert!(!is_of_instance(&format!("slot-1-payments-{uuid}"), "slot-1"), "another instance");
        assert!(!is_of_instance("slot-1", "slot-1"));
    }

    #[test]
    fn an_assignment_has_partitions_where_it_has_topics() {
        assert!(has_partitions(b"\0\x01\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\0\0\0\0\0"));
        assert!(!has_partitions(b"\0\x01\0\0\0\0\0\0\0\0"));
        assert!(!has_partitions(b""));
    }
}
