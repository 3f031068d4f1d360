//! A request in JSON of which not all can be read: record by record, so that one that cannot be does not cost the others.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Rejected;
use super::lenient::or_default;
use super::model::{LogRecord, Request, ResourceLogs, ScopeLogs};
use crate::problem::Problem;

/// `ExportLogsServiceRequest`, with its parts as they were sent.
#[derive(Deserialize, Default)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Rough<'a> {
    #[serde(alias = "resourceLogs", deserialize_with = "or_default")]
    resource_logs: Vec<Option<RoughResource<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RoughResource<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(alias = "scopeLogs", deserialize_with = "or_default")]
    scope_logs: Vec<Option<RoughScope<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RoughScope<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(alias = "logRecords", deserialize_with = "or_default")]
    log_records: Vec<&'a RawValue>,
}

/// Reads what can be read of a request; the other records are rejected, and so are those of a resource or a scope that cannot be read:
/// without it nobody would know whose they are.
///
/// # Errors
/// Where it is no JSON, or no request.
pub(super) fn read(body: &[u8], rejected: &mut Rejected) -> serde_json::Result<Request> {
    let rough: Rough<'_> = serde_json::from_slice(body)?;
    let mut request = Request::default();
    for logs in rough.resource_logs.into_iter().flatten() {
        let resource = optional(logs.resource);
        let mut scope_logs = Vec::new();
        for scoped in logs.scope_logs.into_iter().flatten() {
            let scope = resource.as_ref().map_err(Clone::clone).and_then(|_| optional(scoped.scope));
            let mut log_records = Vec::new();
            for record in &scoped.log_records {
                match scope.as_ref().map_err(Clone::clone).and_then(|_| parsed::<LogRecord>(record)) {
                    Ok(record) => log_records.push(record),
                    Err(problem) => rejected.add(&Problem::malformed(problem)),
                }
            }
            scope_logs.push(ScopeLogs { scope: scope.unwrap_or_default(), log_records });
        }
        request.resource_logs.push(ResourceLogs { resource: resource.unwrap_or_default(), scope_logs });
    }
    Ok(request)
}

fn optional<T: DeserializeOwned>(text: Option<&RawValue>) -> Result<Option<T>, String> {
    text.map_or(Ok(None), parsed)
}

/// A part of the request, or why it cannot be read.
fn parsed<T: DeserializeOwned>(text: &RawValue) -> Result<T, String> {
    serde_json::from_str(text.get()).map_err(|error| error.to_string())
}
