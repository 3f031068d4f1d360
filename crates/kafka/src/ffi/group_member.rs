//! A client as a member of its group: commits, the membership, and how far its fetches are.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr;

use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult};
use rdkafka::{TopicPartitionList, bindings};

/// Commits offsets without waiting; the result arrives as the context's `commit_callback` in a later poll.
///
/// `Consumer::commit` in its asynchronous mode reports no result: librdkafka reports to a callback or a queue only, and
/// `rdkafka` passes neither.
///
/// # Errors
/// The commit could not be enqueued.
pub fn commit_async<C, X>(consumer: &C, offsets: &TopicPartitionList) -> KafkaResult<()>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let client = consumer.client().native_ptr();
    // SAFETY: client and list are valid while borrowed, and the list is copied. The queue is a reference of
    // this function's, released after the call, which keeps its own.
    let code = unsafe {
        let queue = bindings::rd_kafka_queue_get_consumer(client);
        if queue.is_null() {
            return Err(RdKafkaError::Canceled);
        }
        let code = bindings::rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
        bindings::rd_kafka_queue_destroy(queue);
        code
    };
    match code {
        bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(RdKafkaError::ConsumerCommit(code.into())),
    }
}

/// Whether the coordinator has taken this client in as a member of its group, as far as the client knows. The protocol of
/// KIP-848 has no other sign of it for a member without partitions: librdkafka reports an assignment only where it
/// differs from the last one.
pub fn is_group_member<C, X>(consumer: &C) -> bool
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    // The generation, or the member's epoch: from 1, and below where it is no member.
    // SAFETY: the metadata is valid.
    with_group_metadata(consumer, |group| unsafe { bindings::rd_kafka_consumer_group_metadata_generation_id(group) })
        .is_some_and(|epoch| epoch > 0)
}

/// The id by which the coordinator knows this client; `None` before the client has one.
pub(crate) fn member_id<C, X>(consumer: &C) -> Option<String>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    // SAFETY: the metadata is valid, and the id lives as long.
    let id = with_group_metadata(consumer, |group| unsafe {
        let id = bindings::rd_kafka_consumer_group_metadata_member_id(group);
        (!id.is_null()).then(|| CStr::from_ptr(id).to_string_lossy().into_owned())
    });
    id.flatten().filter(|id| !id.is_empty())
}

/// Reads what the client knows of its membership; `None` where it has no group.
fn with_group_metadata<C, X, T>(
    consumer: &C,
    read: impl FnOnce(*const bindings::rd_kafka_consumer_group_metadata_t) -> T,
) -> Option<T>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    // SAFETY: the client is valid while borrowed. The metadata is a copy of our own, or null where there is no group.
    unsafe {
        let group = bindings::rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if group.is_null() {
            return None;
        }
        let answer = read(group);
        bindings::rd_kafka_consumer_group_metadata_destroy(group);
        Some(answer)
    }
}

/// The end of a partition as of the client's last fetch; `None` before the first. Asks no broker.
pub fn known_end<C, X>(consumer: &C, topic: &str, partition: i32) -> Option<i64>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let topic = CString::new(topic).ok()?;
    let (mut start, mut end) = (0, 0);
    // SAFETY: client and name are valid while borrowed, and the call writes two numbers.
    let code = unsafe {
        bindings::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut start,
            &raw mut end,
        )
    };
    // Negative while unknown (`RD_KAFKA_OFFSET_INVALID`).
    (code == bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0).then_some(end)
}
