//! Requests of the admin API.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings;
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as RdKafkaError, KafkaResult, RDKafkaErrorCode as Code};

/// The id that a cluster gave a topic at its creation (KIP-516): a later topic of the same name has another. Waits for
/// at most `timeout`.
pub(crate) fn topic_id<C, X>(consumer: &C, topic: &str, timeout: Duration) -> KafkaResult<String>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let name = CString::new(topic).map_err(|_| RdKafkaError::Global(Code::InvalidTopic))?;
    let operation = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let request = |client, options, queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: client, options and queue are valid during the call. The names are copied by the collection, the
        // collection by the request.
        unsafe {
            let topics = bindings::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            bindings::rd_kafka_DescribeTopics(client, topics, options, queue);
            bindings::rd_kafka_TopicCollection_destroy(topics);
        }
    };
    // SAFETY: it sends one request, and its result is read by the matching function.
    unsafe { administer(consumer, operation, RequestTime::of(timeout), request, |event| described_id(event)) }
}

/// A group as `DescribeConsumerGroups` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DescribedGroup {
    /// Its name.
    pub(crate) name: String,
    /// Whether its members use the consumer protocol (KIP-848). A name without a consumer group is described as a
    /// classic group without members.
    pub(crate) is_of_consumer_protocol: bool,
    /// How many members it has.
    pub(crate) members: usize,
}

/// Describes consumer groups, whichever protocol their members use. Waits for at most `timeout`.
pub(crate) fn describe_groups<C, X>(
    consumer: &C,
    names: &[String],
    timeout: Duration,
) -> KafkaResult<Vec<DescribedGroup>>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let names: Result<Vec<_>, _> = names.iter().map(|name| CString::new(name.as_str())).collect();
    let names = names.map_err(|_| RdKafkaError::Global(Code::InvalidGroupId))?;
    let operation = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let request = |client, options, queue| {
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: client, options and queue are valid during the call, and the names are copied by the request.
        unsafe { bindings::rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), names.len(), options, queue) };
    };
    // SAFETY: it sends one request, and its result is read by the matching function.
    unsafe {
        administer(consumer, operation, RequestTime::of_coordinator(timeout), request, |event| described_groups(event))
    }
}

/// The settings of a topic as the broker has them, defaults included. Waits for at most `timeout`.
pub(crate) fn topic_settings<C, X>(
    consumer: &C,
    topic: &str,
    timeout: Duration,
) -> KafkaResult<BTreeMap<String, String>>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let topic = TopicResource::new(topic)?;
    let operation = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let request = |client, options, queue| {
        let mut resources = [topic.0];
        // SAFETY: client, resource, options and queue are valid during the call, and the resource is copied by the request.
        unsafe { bindings::rd_kafka_DescribeConfigs(client, resources.as_mut_ptr(), resources.len(), options, queue) };
    };
    // SAFETY: it sends one request, and its result is read by the matching function.
    unsafe { administer(consumer, operation, RequestTime::of(timeout), request, |event| described_settings(event)) }
}

/// Sets one setting of a topic and leaves its others as they are (KIP-339). Waits for at most `timeout`.
pub(crate) fn set_topic_setting<C, X>(
    consumer: &C,
    topic: &str,
    setting: &str,
    value: &str,
    timeout: Duration,
) -> KafkaResult<()>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    let topic = TopicResource::new(topic)?;
    topic.set(setting, value)?;
    let operation = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let request = |client, options, queue| {
        let mut resources = [topic.0];
        // SAFETY: client, resource, options and queue are valid during the call, and the resource is copied by the request.
        unsafe {
            bindings::rd_kafka_IncrementalAlterConfigs(client, resources.as_mut_ptr(), resources.len(), options, queue);
        }
    };
    // SAFETY: it sends one request, and its result is read by the matching function.
    unsafe { administer(consumer, operation, RequestTime::of(timeout), request, |event| altered(event)) }
}

/// A topic whose settings are read or changed.
struct TopicResource(*mut bindings::rd_kafka_ConfigResource_t);

impl TopicResource {
    fn new(topic: &str) -> KafkaResult<Self> {
        let name = CString::new(topic).map_err(|_| RdKafkaError::Global(Code::InvalidTopic))?;
        let kind = bindings::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        // SAFETY: the name ends with a nul and is copied.
        Ok(Self(unsafe { bindings::rd_kafka_ConfigResource_new(kind, name.as_ptr()) }))
    }

    /// Adds a change of one setting.
    fn set(&self, setting: &str, value: &str) -> KafkaResult<()> {
        let invalid = || RdKafkaError::Global(Code::InvalidConfig);
        let setting = CString::new(setting).map_err(|_| invalid())?;
        let value = CString::new(value).map_err(|_| invalid())?;
        let operation = bindings::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
        // SAFETY: the resource is valid as long as `self`; name and value end with a nul and are copied. This
        // function destroys the error.
        unsafe {
            let error = bindings::rd_kafka_ConfigResource_add_incremental_config(
                self.0,
                setting.as_ptr(),
                operation,
                value.as_ptr(),
            );
            if error.is_null() {
                return Ok(());
            }
            bindings::rd_kafka_error_destroy(error);
        }
        Err(invalid())
    }
}

impl Drop for TopicResource {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and nobody else has it.
        unsafe { bindings::rd_kafka_ConfigResource_destroy(self.0) };
    }
}

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
struct RequestTime {
    /// How long its caller waits.
    caller: Duration,
    /// How long librdkafka keeps it.
    client: Duration,
}

impl RequestTime {
    /// Both give it up together.
    fn of(timeout: Duration) -> Self {
        Self { caller: timeout, client: timeout }
    }

    /// Of a request to a group's coordinator: its caller alone gives it up. Where librdkafka gives up one that still looks for
    /// its coordinator, it aborts the process once the coordinator is found (its issue 4605).
    fn of_coordinator(timeout: Duration) -> Self {
        Self { caller: timeout, client: Duration::from_hours(1) }
    }
}

/// Sends a request of librdkafka's admin API, and reads the result.
///
/// # Safety
/// `request` sends one request of this kind with the options and the queue that it is given, and `read` reads the event
/// as a result of that kind.
unsafe fn administer<C, X, T>(
    consumer: &C,
    operation: bindings::rd_kafka_admin_op_t,
    time: RequestTime,
    request: impl FnOnce(
        *mut bindings::rd_kafka_t,
        *const bindings::rd_kafka_AdminOptions_t,
        *mut bindings::rd_kafka_queue_t,
    ),
    read: impl FnOnce(*mut bindings::rd_kafka_event_t) -> Result<T, Code>,
) -> KafkaResult<T>
where
    C: Consumer<X>,
    X: ConsumerContext,
{
    use bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let client = consumer.client().native_ptr();
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is valid while borrowed. All else is created and destroyed here, and the request copies what
    // it needs. The event is read before it is destroyed.
    unsafe {
        let options = bindings::rd_kafka_AdminOptions_new(client, operation);
        bindings::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(time.client), ptr::null_mut(), 0);
        let queue = bindings::rd_kafka_queue_new(client);
        request(client, options, queue);
        let event = bindings::rd_kafka_queue_poll(queue, milliseconds(time.caller));
        let answer = if event.is_null() {
            Err(Code::OperationTimedOut)
        } else {
            let answer = match bindings::rd_kafka_event_error(event) {
                RD_KAFKA_RESP_ERR_NO_ERROR => read(event),
                code => Err(code.into()),
            };
            bindings::rd_kafka_event_destroy(event);
            answer
        };
        bindings::rd_kafka_queue_destroy(queue);
        bindings::rd_kafka_AdminOptions_destroy(options);
        // `RdKafkaError::AdminOp` would hide the code, by which errors are told that pass.
        answer.map_err(RdKafkaError::Global)
    }
}

/// The id of the one topic in a result.
///
/// # Safety
/// The event is a result of `rd_kafka_DescribeTopics` that is not destroyed yet.
unsafe fn described_id(event: *mut bindings::rd_kafka_event_t) -> Result<String, Code> {
    use bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    // SAFETY: the event is valid, and all that is reached from it lives as long.
    unsafe {
        let mut count = 0;
        let result = bindings::rd_kafka_event_DescribeTopics_result(event);
        let topics = bindings::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 {
            return Err(Code::UnknownTopicOrPartition);
        }
        let topic = *topics;
        let code = bindings::rd_kafka_error_code(bindings::rd_kafka_TopicDescription_error(topic));
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(code.into());
        }
        let id = bindings::rd_kafka_Uuid_base64str(bindings::rd_kafka_TopicDescription_topic_id(topic));
        Ok(CStr::from_ptr(id).to_string_lossy().into_owned())
    }
}

/// The groups in a result.
///
/// # Safety
/// The event is a result of `rd_kafka_DescribeConsumerGroups` that is not destroyed yet.
unsafe fn described_groups(event: *mut bindings::rd_kafka_event_t) -> Result<Vec<DescribedGroup>, Code> {
    use bindings::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER;
    use bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    // SAFETY: the event is valid, and all that is reached from it lives as long. The array holds as many groups as the
    // result says.
    unsafe {
        let mut count = 0;
        let result = bindings::rd_kafka_event_DescribeConsumerGroups_result(event);
        let groups = bindings::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let describe = |index| {
            let group = *groups.add(index);
            let code = bindings::rd_kafka_error_code(bindings::rd_kafka_ConsumerGroupDescription_error(group));
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(code.into());
            }
            let name = CStr::from_ptr(bindings::rd_kafka_ConsumerGroupDescription_group_id(group));
            let kind = bindings::rd_kafka_ConsumerGroupDescription_type(group);
            Ok(DescribedGroup {
                name: name.to_string_lossy().into_owned(),
                is_of_consumer_protocol: kind == RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER,
                members: bindings::rd_kafka_ConsumerGroupDescription_member_count(group),
            })
        };
        (0..count).map(describe).collect()
    }
}

/// The settings of the one topic that an answer describes.
///
/// # Safety
/// The event is an answer to `rd_kafka_DescribeConfigs` that is not destroyed yet.
unsafe fn described_settings(event: *mut bindings::rd_kafka_event_t) -> Result<BTreeMap<String, String>, Code> {
    // SAFETY: the event is valid, and all that is reached from it lives as long. The array holds as many entries as the
    // answer says.
    unsafe {
        let mut count = 0;
        let result = bindings::rd_kafka_event_DescribeConfigs_result(event);
        let resources = bindings::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        let topic = first_resource(resources, count)?;
        let entries = bindings::rd_kafka_ConfigResource_configs(topic, &raw mut count);
        let text = |text| CStr::from_ptr(text).to_string_lossy().into_owned();
        let named = |entry| {
            let value = bindings::rd_kafka_ConfigEntry_value(entry);
            (!value.is_null()).then(|| (text(bindings::rd_kafka_ConfigEntry_name(entry)), text(value)))
        };
        Ok((0..count).filter_map(|index| named(*entries.add(index))).collect())
    }
}

/// Whether the settings of the one topic of an answer were changed.
///
/// # Safety
/// The event is an answer to `rd_kafka_IncrementalAlterConfigs` that is not destroyed yet.
unsafe fn altered(event: *mut bindings::rd_kafka_event_t) -> Result<(), Code> {
    // SAFETY: the event is valid, and all that is reached from it lives as long.
    unsafe {
        let mut count = 0;
        let result = bindings::rd_kafka_event_IncrementalAlterConfigs_result(event);
        let resources = bindings::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        first_resource(resources, count).map(drop)
    }
}

/// The first resource of an answer, or what is wrong with it.
///
/// # Safety
/// `resources` has `count` valid pointers.
unsafe fn first_resource(
    resources: *mut *const bindings::rd_kafka_ConfigResource_t,
    count: usize,
) -> Result<*const bindings::rd_kafka_ConfigResource_t, Code> {
    if count == 0 {
        return Err(Code::UnknownTopicOrPartition);
    }
    // SAFETY: there is at least one.
    unsafe {
        let resource = *resources;
        match bindings::rd_kafka_ConfigResource_error(resource) {
            bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(resource),
            code => Err(code.into()),
        }
    }
}
