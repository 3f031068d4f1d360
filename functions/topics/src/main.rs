//! The function's process: one per execution environment.

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use millrace_host::exit;
use millrace_kafka::KafkaSettings;
use millrace_lambda::InitError;
use millrace_topics_function::{Settings, handle};
use serde_json::Value;
use tracing::Instrument as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let kafka = match init().await {
        Ok(kafka) => kafka,
        Err(error) => return millrace_lambda::report(&error).await,
    };
    let service = service_fn(|event: LambdaEvent<Value>| {
        let span = millrace_lambda::invocation_span(&event.context.request_id);
        handle(&kafka, event).instrument(span)
    });
    lambda_runtime::run(service).await.map_or_else(|error| exit::report(&*error), |()| ExitCode::SUCCESS)
}

async fn init() -> Result<KafkaSettings, InitError> {
    let settings: Settings = millrace_lambda::read()?;
    millrace_lambda::install_logs(&settings.logs);
    let kafka = settings.kafka.brokers().await?;
    // Security settings that contradict each other end init, and not each invocation.
    kafka.client_config("topics")?;
    Ok(kafka)
}
