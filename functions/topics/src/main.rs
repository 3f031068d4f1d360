//! The function's process: one per execution environment.

use std::process::ExitCode;

use millrace_kafka::KafkaSettings;
use millrace_lambda::InitError;
use millrace_topics_function::{Settings, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    millrace_lambda::run(init, handle).await
}

async fn init() -> Result<KafkaSettings, InitError> {
    let settings: Settings = millrace_lambda::read()?;
    millrace_lambda::install_logs(&settings.logs);
    let kafka = settings.kafka.brokers().await?;
    // Security settings that contradict each other end init, and not each invocation.
    kafka.client_config("topics")?;
    Ok(kafka)
}
