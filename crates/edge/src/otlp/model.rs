//! OTLP's log messages, as protobuf and as JSON.
//!
//! Source: opentelemetry-proto 1.10, `logs/v1`, `common/v1`, `resource/v1` and `collector/logs/v1`. The messages are written
//! out here because the crate that has them brings gRPC along, and because its JSON reader is too strict: SDKs send what it
//! refuses. What is read leniently stands with each field; unknown fields are ignored.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::lenient::{Text, bytes, double, hex, integer, nanoseconds, or_default, severity, text, unsigned};

/// `ExportLogsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "resourceLogs", deserialize_with = "or_default")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

/// Logs of one resource: of a process, mostly.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "scopeLogs", deserialize_with = "or_default")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

/// What produced the logs.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Vec<KeyValue>,
}

/// Logs of one scope: of a logger.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "logRecords", deserialize_with = "or_default")]
    pub(super) log_records: Vec<LogRecord>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "text")]
    pub(super) version: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Vec<KeyValue>,
}

/// A log record.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct LogRecord {
    /// Unix nanoseconds; 0 where unknown.
    #[prost(fixed64, tag = "1")]
    #[serde(alias = "timeUnixNano", deserialize_with = "nanoseconds")]
    pub(super) time_unix_nano: u64,
    #[prost(fixed64, tag = "11")]
    #[serde(alias = "observedTimeUnixNano", deserialize_with = "nanoseconds")]
    pub(super) observed_time_unix_nano: u64,
    /// 1 to 24; 0 where unknown.
    #[prost(int32, tag = "2")]
    #[serde(alias = "severityNumber", deserialize_with = "severity")]
    pub(super) severity_number: i32,
    #[prost(string, tag = "3")]
    #[serde(alias = "severityText", deserialize_with = "text")]
    pub(super) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "7")]
    #[serde(alias = "droppedAttributesCount", deserialize_with = "unsigned")]
    pub(super) dropped_attributes_count: u32,
    #[prost(fixed32, tag = "8")]
    #[serde(deserialize_with = "unsigned")]
    pub(super) flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    #[serde(alias = "traceId", deserialize_with = "hex")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    #[serde(alias = "spanId", deserialize_with = "hex")]
    pub(super) span_id: Vec<u8>,
    #[prost(string, tag = "12")]
    #[serde(alias = "eventName", deserialize_with = "text")]
    pub(super) event_name: String,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "text")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

/// A value of any type; none is null.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) value: Option<Value>,
}

/// The types of values.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

/// `ArrayValue`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) values: Vec<AnyValue>,
}

/// `KeyValueList`.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) values: Vec<KeyValue>,
}

/// `ExportLogsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// `ExportLogsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialSuccess {
    /// 64-bit integers are text in protobuf's JSON.
    #[prost(int64, tag = "1")]
    #[serde(serialize_with = "as_text")]
    pub(super) rejected_log_records: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`, the body of errors.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn as_text<S: serde::Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl<'de> Deserialize<'de> for AnyValue {
    /// Reads an object with one member that names the type. `{}`, null and a member that is null are null, but for a double
    /// that is null, which is how JavaScript writes NaN.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(AnyVisitor)?;
        Ok(Self { value })
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AnyValue: an object with one member, such as stringValue")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let found = match &*name {
                "stringValue" | "string_value" => map.next_value::<Option<Text>>()?.map(|text| Value::Text(text.0)),
                "boolValue" | "bool_value" => map.next_value::<Option<bool>>()?.map(Value::Bool),
                "intValue" | "int_value" => map.next_value::<integer::Lenient>()?.0,
                "doubleValue" | "double_value" => Some(Value::Double(map.next_value::<double::Lenient>()?.0)),
                "arrayValue" | "array_value" => map.next_value::<Option<ArrayValue>>()?.map(Value::Array),
                "kvlistValue" | "kvlist_value" => map.next_value::<Option<KeyValueList>>()?.map(Value::Map),
                "bytesValue" | "bytes_value" => map.next_value::<bytes::Lenient>()?.0.map(Value::Bytes),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            value = found.or(value);
        }
        Ok(value)
    }
}
