//! One invocation: a catalogue, and what became of it.

use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_domain::catalogue::{Catalogue, catalogue};
use millrace_domain::topic_plan::PlanOptions;
use millrace_kafka::KafkaSettings;
use millrace_topics::{ApplyOptions, Outcome, apply};
use serde::Deserialize;
use serde_json::Value;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The catalogue; Millrace's own where there is none.
    catalogue: Option<Value>,
    /// Copies of each partition.
    replication: Option<i32>,
    #[serde(default)]
    shorten_retention: bool,
    #[serde(default)]
    dry_run: bool,
}

/// Makes the topics what the event's catalogue says.
///
/// # Errors
/// `InvalidEvent`, `InvalidCatalogue`, `TopicsRefused` (nothing was changed) and `TopicsFailed` (a second call finishes),
/// for alarms to group by.
pub async fn handle(kafka: &KafkaSettings, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let request = Request::deserialize(event.payload).map_err(|error| failed("InvalidEvent", error.to_string()))?;
    if let Some(replication) = request.replication.filter(|replication| *replication < 1) {
        return Err(failed("InvalidEvent", format!("replication must be at least 1, not {replication}")));
    }
    let given = request.catalogue.map(|catalogue| Catalogue::read(&catalogue.to_string())).transpose();
    let given = given.map_err(|error| failed("InvalidCatalogue", error.to_string()))?;
    let options = ApplyOptions {
        is_dry_run: request.dry_run,
        plan: PlanOptions { replication: request.replication, allows_shorter_retention: request.shorten_retention },
    };
    let applied = apply(kafka, given.as_ref().unwrap_or(catalogue()), options).await;
    let report = applied.map_err(|error| failed("TopicsFailed", error.to_string()))?;
    let (outcome, changed) = (report.outcome.as_str(), report.changed().join(", "));
    if report.outcome == Outcome::Planned {
        tracing::info!(outcome, changed, "topics apply");
    } else {
        tracing::info!(target: "audit", outcome, changed, "topics apply");
    }
    match report.outcome {
        Outcome::Refused => {
            let refusals = report.refusals().join("; ");
            Err(failed("TopicsRefused", format!("nothing was changed: {refusals}")))
        }
        Outcome::Applied | Outcome::Planned => Ok(report.to_json()),
    }
}

fn failed(error_type: &str, error_message: String) -> Diagnostic {
    tracing::error!(error_type, error_message, "the topics are not those of the catalogue");
    millrace_lambda::failed(error_type, error_message)
}
